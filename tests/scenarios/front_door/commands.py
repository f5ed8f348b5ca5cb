"""Runs `hellotext-vtex` as a person or a script would: a process of its own, its output and its exit code."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A shell in a folder of its own, with a broker or without.

    Args:
        folder: where commands run; their state goes there.
        environment: for every command.
    """

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        """Run a command to its end."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env={**_clean(), **self.environment, **environment},
            input=stdin, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a process that runs in the foreground."""
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env={**_clean(), **self.environment, **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @staticmethod
    def command(*arguments: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "hellotext_vtex.cli", *arguments]


def _clean() -> dict[str, str]:
    """Return this environment without settings of ours."""
    kept = ("PATH", "HOME", "LANG", "JAVA_HOME", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"COLUMNS": "200"}
