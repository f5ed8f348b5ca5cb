"""Logs: structlog to standard error, for people or as JSON lines; libraries' own warnings in the same form."""

import logging
import sys
from contextlib import suppress
from typing import Any, Literal, TextIO

import structlog

_FRAMES_ONLY = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


class Dispensable:
    """A stream whose failures are nobody's: a full disk or a closed pipe takes lines of the log, never the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: it is closed
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_logs(form: Literal["console", "json"], level: str = "info") -> None:
    """Set up logging for this process.

    Args:
        form: `console` for people, `json` for machines: one object a line.
        level: `debug`, `info`, `warning` or `error`.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    log: Any = Dispensable(sys.stderr)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Exceptions are told by their frames: an exception's locals may hold a personal value or a secret.
    renderer: list[Any] = (
        [_FRAMES_ONLY, structlog.processors.JSONRenderer()]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )]
    )  # fmt: skip
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(log),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(log)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    ))  # fmt: skip
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    for quiet, least in (("faust", logging.ERROR), ("mode", logging.ERROR), ("aiokafka", logging.CRITICAL)):
        # What they retry they tell ten times a second; ours tell once what somebody has to know.
        logging.getLogger(quiet).setLevel(max(number, least))
