"""What every command does first: read the settings, set up logs, find the broker."""

import structlog

from hellotext_vtex.foreground import WRONG_USAGE, fail
from hellotext_vtex.logs import configure_logs
from hellotext_vtex.running import with_broker
from hellotext_vtex.settings import Settings, SettingsError, misspelt, read_settings

log = structlog.get_logger(__name__)


def started(**overrides: object) -> Settings:
    """Return the settings, with logs set up; a wrong setting ends the command with exit code 2.

    Args:
        overrides: what the command's own flags say; None says nothing.
    """
    try:
        settings = read_settings(**overrides)
    except SettingsError as error:
        fail(str(error), WRONG_USAGE)
    configure_logs(settings.log_format, settings.log_level)
    for name, meant in misspelt().items():
        log.warning("there is no such setting, and it does nothing", given=name, meant=meant)
    return settings


def connected(*, quiet: bool = False, **overrides: object) -> Settings:
    """Return the same with a broker in them: the one given, else the one that runs here; none ends with exit code 1.

    Args:
        quiet: a command that prints its own result: logs only what is wrong.
        overrides: as those of `started`.
    """
    settings = started(log_level="warning" if quiet else None, **overrides)
    try:
        return with_broker(settings)
    except SettingsError as error:
        fail(str(error))
