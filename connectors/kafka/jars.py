"""Apache Kafka's jars: pinned in `jars.lock`, fetched once, kept in the user's cache folder, checked by SHA-256.

`fetch_jars()` returns the folder that holds them. It is safe when several processes call it at once (a lock file;
each jar arrives by an atomic rename), and repairs a cache in which a jar is missing or damaged.
"""

import fcntl
import hashlib
import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache as remember
from pathlib import Path
from typing import Final

from connectors.kafka.download import DownloadError, Jar, Way, available_ways
from connectors.kafka.errors import JarsUnavailable

LOCK_FILE: Final = Path(__file__).with_name("jars.lock")
PATIENCE_S: Final = 2.0
"""A fetch that takes longer tells how far it is."""

STAGING: Final = "fetch-"
"""How the names of folders begin into which jars are downloaded."""

Progress = Callable[[str], None]
"""Told what is going on, one line at a time, possibly from another thread."""


@dataclass(frozen=True, slots=True)
class Pins:
    """The content of a lock file: the jars, and a fingerprint of all of them that names their folder."""

    jars: tuple[Jar, ...]
    fingerprint: str

    @property
    def version(self) -> str:
        """Kafka's version."""
        return next(jar.version for jar in self.jars if jar.artifact == "kafka_2.13")


@remember
def pinned() -> Pins:
    """Read `jars.lock`: `group:artifact:version sha256` lines, comments after `#`."""
    lines = [line.partition("#")[0].split() for line in LOCK_FILE.read_text("utf-8").splitlines()]
    jars = tuple(_jar(*words) for words in lines if words)
    return Pins(jars, hashlib.sha256("".join(f"{jar}" for jar in jars).encode()).hexdigest()[:12])


def _jar(coordinates: str, sha256: str) -> Jar:
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, sha256)


def default_cache() -> Path:
    """Return the user's cache folder for this product, as the platform has it. Nothing is created."""
    base = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / base / "hellotext-vtex"


def jars_folder(cache: Path | None = None, pins: Pins | None = None) -> Path:
    """Return where the jars are, or would be."""
    pins = pins or pinned()
    return (cache or default_cache()) / f"kafka-{pins.version}-{pins.fingerprint}"


def fetch_jars(
    cache: Path | None = None,
    progress: Progress | None = None,
    *,
    pins: Pins | None = None,
    ways: tuple[Way, ...] | None = None,
) -> Path:
    """Return a folder that holds every pinned jar, fetching what is missing or damaged.

    Args:
        cache: the cache folder; the user's own by default.
        progress: told how far a fetch is that takes longer than two seconds; called from another thread.
        pins: which jars; those of `jars.lock` by default.
        ways: how to download, tried in turn; `mvn` when it is installed, then jgo by default.

    Raises:
        JarsUnavailable: they are not in the cache and cannot be fetched, or the cache cannot be written.
    """
    pins = pins or pinned()
    folder = jars_folder(cache, pins)
    if _stamp_holds(folder, pins):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, progress):
            for left in folder.glob(f"{STAGING}*"):  # by a process that was killed while it fetched
                shutil.rmtree(left, ignore_errors=True)
            damaged = [jar for jar in pins.jars if not _is_good(folder, jar)]
            if damaged:
                _fill(folder, pins, damaged, progress, available_ways() if ways is None else ways)
            _write_stamp(folder, pins)
    except OSError as error:
        raise JarsUnavailable(
            f"the cache folder {folder} for Apache Kafka's jars cannot be used: {error}. "
            "Free or open it, or give another cache folder."
        ) from error
    return folder


def _fill(folder: Path, pins: Pins, wanted: list[Jar], progress: Progress | None, ways: tuple[Way, ...]) -> None:
    """Download the jars wanted, trying one way after another; a jar with a wrong checksum never arrives."""
    reasons = []
    for way in ways:
        with tempfile.TemporaryDirectory(prefix=STAGING, dir=folder) as name, _telling(name, pins, wanted, progress):
            staging = Path(name)
            try:
                way(wanted, staging)
            except DownloadError as error:
                reasons.append(str(error))
            for jar in wanted:
                if _is_good(staging, jar):
                    (staging / jar.file).replace(folder / jar.file)
                elif (staging / jar.file).exists():
                    reasons.append(f"{jar.file} came with a wrong SHA-256")
        wanted = [jar for jar in wanted if not _is_good(folder, jar)]
        if not wanted:
            return
    raise JarsUnavailable(_blocked(folder, pins, wanted, reasons))


def _blocked(folder: Path, pins: Pins, missing: list[Jar], reasons: list[str]) -> str:
    return (
        f"Apache Kafka {pins.version} could not be downloaded: {len(missing)} of its {len(pins.jars)} jars are missing "
        f"in {folder} ({'; '.join(reasons) or 'no way to download was given'}). Do one of these: let this machine "
        "reach a Maven repository (a mirror is named in ~/.m2/settings.xml for mvn, in ~/.config/jgo.conf for jgo); "
        "or copy that folder from a machine where it is filled; "
        "or set KAFKA_BOOTSTRAP_SERVERS to a broker that runs (Kafka 3.7 or newer)."
    )


@contextmanager
def _alone(folder: Path, progress: Progress | None) -> Iterator[None]:
    """Hold the folder's lock; it goes with the process, however that one ends."""
    with (folder / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress is not None:
                progress("another process is fetching Apache Kafka: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _telling(staging: str, pins: Pins, wanted: list[Jar], progress: Progress | None) -> Iterator[None]:
    """Tell once a second how many jars have come, when the fetch takes longer than `PATIENCE_S`."""
    if progress is None:
        yield
        return
    done = threading.Event()

    def tell() -> None:
        pause = PATIENCE_S
        while not done.wait(pause):
            came = sum(1 for _ in Path(staging).glob("*.jar"))
            progress(f"fetching Apache Kafka {pins.version} (once, about 43 MB): {came} of {len(wanted)} jars")
            pause = 1.0

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _is_good(folder: Path, jar: Jar) -> bool:
    try:
        with (folder / jar.file).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _marks(folder: Path, pins: Pins) -> dict[str, list[int]]:
    """Size and time of change of each jar: whatever damages a file changes them, and they cost no reading."""
    stats = {jar.file: (folder / jar.file).stat() for jar in pins.jars}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _stamp_holds(folder: Path, pins: Pins) -> bool:
    try:
        return bool(json.loads((folder / ".verified").read_text()) == _marks(folder, pins))
    except (OSError, ValueError):
        return False


def _write_stamp(folder: Path, pins: Pins) -> None:
    new = folder / ".verified.new"
    new.write_text(json.dumps(_marks(folder, pins)))
    new.replace(folder / ".verified")
