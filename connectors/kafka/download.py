"""Two ways to download jars by their coordinates: `mvn` when it is installed, and jgo, which is pure Python.

Each knows by itself where repositories are (mvn from ~/.m2/settings.xml, jgo from ~/.config/jgo.conf);
none is named here.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAVEN_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
MAVEN_TIMEOUT_S: Final = 300
JGO_TIMEOUT_S: Final = 20
JGO_THREADS: Final = 8
JGO_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.artifact}-{self.version}.jar"


class DownloadError(Exception):
    """One way did not bring every jar; the message says which way and why."""


Way = Callable[[Sequence[Jar], Path], None]
"""Brings jars into a folder, each under its `file` name; raises DownloadError."""


def available_ways() -> tuple[Way, ...]:
    """Return the ways that this machine has, the better one first (mvn obeys the organisation's mirrors)."""
    mvn = shutil.which("mvn")
    return (by_jgo,) if mvn is None else (Maven(mvn), by_jgo)


@dataclass(frozen=True, slots=True)
class Maven:
    """Downloads with `mvn`.

    Args:
        mvn: the command.
        options: further ones, such as `-o` or `--settings FILE`.
    """

    mvn: str
    options: tuple[str, ...] = ()

    def __call__(self, jars: Sequence[Jar], into: Path) -> None:
        """Bring the jars; see `Way`."""
        pom = into / "pom.xml"
        pom.write_text(_pom(jars), "utf-8")
        command = [self.mvn, "-B", "-q", "-f", str(pom), *self.options, MAVEN_PLUGIN, f"-DoutputDirectory={into}"]
        try:
            done = subprocess.run(  # noqa: S603  our own command line; coordinates come from our lock file
                command, cwd=into, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                timeout=MAVEN_TIMEOUT_S,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DownloadError(f"mvn: {error}") from error
        if done.returncode:
            raise DownloadError(f"mvn: {_first_error(done.stdout + done.stderr)}")


def _pom(jars: Sequence[Jar]) -> str:
    """A project that depends on exactly these jars: each is listed, so each excludes what it would bring along."""
    nothing_else = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    dependencies = "".join(
        f"<dependency><groupId>{jar.group}</groupId><artifactId>{jar.artifact}</artifactId>"
        f"<version>{jar.version}</version>{nothing_else}</dependency>"
        for jar in jars
    )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>fetch</groupId><artifactId>fetch</artifactId>"
        f"<version>1</version><dependencies>{dependencies}</dependencies></project>"
    )


def _first_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("[ERROR]").strip() for line in lines if line.startswith("[ERROR]")]
    return (errors or lines or ["it failed without a word"])[0][:400]


def by_jgo(jars: Sequence[Jar], into: Path) -> None:
    """Bring the jars with jgo; see `Way`. The first jar goes alone, so that a blocked network is found out once."""
    first, *others = jars
    try:
        _jgo_one(first, into)
        with ThreadPoolExecutor(JGO_THREADS) as pool:
            for _ in pool.map(lambda jar: _jgo_one(jar, into), others):
                pass
    except (OSError, RuntimeError, AssertionError) as error:
        # requests' errors are OSErrors; jgo raises RuntimeError where no repository has the jar.
        raise DownloadError(f"jgo: {str(error)[:400] or type(error).__name__}") from error


def _jgo_one(jar: Jar, into: Path) -> None:
    from jgo.config import GlobalSettings  # noqa: PLC0415  imports an HTTP stack that only a first start needs
    from jgo.maven import MavenContext  # noqa: PLC0415  as above

    repositories = GlobalSettings.load().repositories or None
    for attempt in range(JGO_ATTEMPTS):
        # A folder for each attempt: jgo takes a half-written file of an earlier one for the jar.
        cache = into / "jgo" / str(attempt)
        context = MavenContext(repo_cache=cache, local_repos=[], remote_repos=repositories, timeout=JGO_TIMEOUT_S)
        try:
            found = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (OSError, RuntimeError):
            if attempt == JGO_ATTEMPTS - 1:
                raise
        else:
            found.replace(into / jar.file)
            return
