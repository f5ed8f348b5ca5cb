"""Jars come once, whole and as pinned, or not at all."""

import hashlib
import multiprocessing
import os
import stat
import threading
from pathlib import Path

import pytest

from connectors.kafka.download import DownloadError, Jar, Maven, by_jgo
from connectors.kafka.errors import JarsUnavailable
from connectors.kafka.jars import Pins, fetch_jars, jars_folder, pinned


def content(jar: Jar) -> bytes:
    """What the jar of that name holds."""
    return f"the bytes of {jar.artifact}".encode()


NAMES = ("a", "b", "c", "kafka_2.13")
JARS = tuple(Jar("g", name, "9.9", hashlib.sha256(f"the bytes of {name}".encode()).hexdigest()) for name in NAMES)
PINS = Pins(JARS, "fingerprint")


class Bringing:
    """A way that brings what it is asked for, and remembers."""

    def __init__(self, spoil: str = "") -> None:
        self.asked: list[list[str]] = []
        self.spoil = spoil

    def __call__(self, jars, into: Path) -> None:
        self.asked.append([jar.artifact for jar in jars])
        for jar in jars:
            (into / jar.file).write_bytes(b"something else" if jar.artifact == self.spoil else content(jar))


def test_the_lock_file_pins_a_whole_broker():
    """46 jars, each with a SHA-256, no two with one file name, and the broker's among them."""
    pins = pinned()

    assert len(pins.jars) == len({jar.file for jar in pins.jars}) == 46
    assert all(len(jar.sha256) == 64 for jar in pins.jars)
    assert tuple(int(part) for part in pins.version.split(".")) >= (4, 1, 0)


def test_jars_are_fetched_once(tmp_path):
    """A second call asks nobody."""
    way = Bringing()

    first = fetch_jars(tmp_path, pins=PINS, ways=(way,))
    second = fetch_jars(tmp_path, pins=PINS, ways=(way,))

    assert first == second == jars_folder(tmp_path, PINS)
    assert way.asked == [["a", "b", "c", "kafka_2.13"]]
    assert {path.name for path in first.glob("*.jar")} == {jar.file for jar in PINS.jars}


def test_what_a_killed_fetch_has_left_is_removed(tmp_path):
    """43 MB each time, otherwise."""
    folder = jars_folder(tmp_path, PINS)
    (folder / "fetch-abc").mkdir(parents=True)
    (folder / "fetch-abc" / "half.jar").write_bytes(b"half")

    fetch_jars(tmp_path, pins=PINS, ways=(Bringing(),))

    assert not list(folder.glob("fetch-*"))


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_jar_is_fetched_again_alone(tmp_path, damage):
    """A changed, shortened or missing file is found at the next call, and only that one is fetched."""
    way = Bringing()
    folder = fetch_jars(tmp_path, pins=PINS, ways=(way,))
    victim = folder / "b-9.9.jar"
    good = victim.read_bytes()
    if damage == "remove":
        victim.unlink()
    else:
        victim.write_bytes(good[::-1] if damage == "flip" else good[:-1])

    fetch_jars(tmp_path, pins=PINS, ways=(way,))

    assert way.asked[1:] == [["b"]]
    assert victim.read_bytes() == good


def test_a_jar_with_a_wrong_checksum_never_arrives(tmp_path):
    """What is not as pinned stays out of the cache, and the error names it and what to do."""
    with pytest.raises(JarsUnavailable) as caught:
        fetch_jars(tmp_path, pins=PINS, ways=(Bringing(spoil="b"),))

    assert "b-9.9.jar came with a wrong SHA-256" in str(caught.value)
    assert "1 of its 4 jars are missing" in str(caught.value)
    assert "KAFKA_BOOTSTRAP_SERVERS" in str(caught.value)
    assert not (jars_folder(tmp_path, PINS) / "b-9.9.jar").exists()


def test_the_next_way_brings_what_the_first_did_not(tmp_path):
    """A way that fails half-way is followed by the next, for the rest only."""
    rest = Bringing()

    def half(jars, into):
        Bringing()(jars[:2], into)
        raise DownloadError("the line went dead")

    fetch_jars(tmp_path, pins=PINS, ways=(half, rest))

    assert rest.asked == [["c", "kafka_2.13"]]


def _fetch_slowly(cache: Path, log: Path) -> None:
    def way(jars, into):
        with log.open("a") as file:
            file.write("fetched\n")
        threading.Event().wait(0.3)
        Bringing()(jars, into)

    fetch_jars(cache, pins=PINS, ways=(way,))


def test_processes_that_fetch_at_once_fetch_once(tmp_path):
    """The second waits for the first, and finds the work done."""
    spawn = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    both = [spawn.Process(target=_fetch_slowly, args=(tmp_path / "cache", log)) for _ in range(3)]
    for process in both:
        process.start()
    for process in both:
        process.join()

    assert [process.exitcode for process in both] == [0, 0, 0]
    assert log.read_text() == "fetched\n"


def test_a_long_fetch_tells_how_far_it_is(tmp_path, monkeypatch):
    """Progress is told while a slow way is at work, and not when it is quick."""
    monkeypatch.setattr("connectors.kafka.jars.PATIENCE_S", 0.05)
    told: list[str] = []
    heard = threading.Event()

    def progress(line):
        told.append(line)
        heard.set()

    def slow(jars, into):
        assert heard.wait(10)
        Bringing()(jars, into)

    fetch_jars(tmp_path, progress, pins=PINS, ways=(slow,))

    assert told[0] == "fetching Apache Kafka 9.9 (once, about 43 MB): 0 of 4 jars"


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    """The error names the folder and the reason."""
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(JarsUnavailable, match=r"cache folder .*file.* cannot be used: .*Not a directory"):
        fetch_jars(tmp_path / "file", pins=PINS, ways=(Bringing(),))


def test_a_download_that_is_blocked_says_what_and_what_to_do(tmp_path, monkeypatch):
    """Maven offline, and jgo behind a proxy that is not there: one message with both reasons."""
    mvn = tmp_path / "mvn"
    mvn.write_text("#!/bin/sh\necho '[ERROR] Cannot access central in offline mode'\nexit 1\n")
    mvn.chmod(mvn.stat().st_mode | stat.S_IXUSR)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(JarsUnavailable) as caught:
        fetch_jars(tmp_path / "cache", ways=(Maven(str(mvn), ("-o",)), by_jgo))

    message = str(caught.value)
    assert "46 of its 46 jars are missing" in message
    assert "mvn: Cannot access central in offline mode" in message
    assert "jgo: " in message
    assert "Max retries exceeded" in message or "proxy" in message.lower()
    for way_out in ("~/.m2/settings.xml", "~/.config/jgo.conf", "copy that folder", "KAFKA_BOOTSTRAP_SERVERS"):
        assert way_out in message


def test_a_maven_that_cannot_be_run_is_a_reason_not_a_crash(tmp_path):
    """A launcher that is not executable counts as one way that failed."""
    with pytest.raises(JarsUnavailable, match=r"mvn: .*Permission denied|mvn: .*No such file"):
        fetch_jars(tmp_path, pins=PINS, ways=(Maven(os.fspath(tmp_path / "no-mvn")),))
