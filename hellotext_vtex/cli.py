"""The front door: `hellotext-vtex COMMAND`."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly also while its modules are loaded."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else whoever started us has it ignored
    if heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from hellotext_vtex.app import app  # noqa: PLC0415  as said

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    app()


if __name__ == "__main__":
    main()
