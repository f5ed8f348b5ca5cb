"""Logs tell where something failed, never what stood in the variables there."""

import errno
import io
import logging

import pytest
import structlog

from hellotext_vtex.logs import configure_logs


@pytest.fixture(autouse=True)
def own_logging():
    """What a test sets up ends with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _fail():
    app_token = "the-secret-" + "token"
    raise RuntimeError(str(len(app_token)))


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_logged_exception_shows_no_local_variable(form, capsys):
    """A local may hold a token or a personal value."""
    configure_logs(form)
    try:
        _fail()
    except RuntimeError:
        structlog.get_logger("test").exception("failed")

    told = capsys.readouterr().err
    assert "RuntimeError" in told
    assert "the-secret-token" not in told


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_log_that_cannot_be_written_stops_nobody(form, monkeypatch):
    """Its disk is full, or who read it has gone; when there is room again, it goes on."""

    class Full(io.StringIO):
        room = False

        def write(self, text):
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(text)

        def flush(self):
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stderr", stream := Full())
    configure_logs(form)
    structlog.get_logger("test").error("lost")
    logging.getLogger("library").error("lost too")
    stream.room = True
    structlog.get_logger("test").error("told")
    logging.getLogger("library").error("told too")
    assert [word in stream.getvalue() for word in ("lost", "told", "told too")] == [False, True, True]
