"""Ctrl-C while a command still loads its modules: nobody wants to read what was just being imported."""

import signal
import subprocess
import sys

PRESSED = """
import os, signal, sys

class Presses:
    def find_spec(self, name, *_):
        if name == "hellotext_vtex.app":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, {heard})
sys.meta_path.insert(0, Presses())
sys.argv = ["hellotext-vtex", "stores", "--help"]
from hellotext_vtex.cli import main
main()
"""


def pressed(heard="signal.default_int_handler"):
    """Return what becomes of a command that hears Ctrl-C at such a moment, however these tests were started."""
    command = [sys.executable, "-c", PRESSED.format(heard=heard)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_ends_without_a_word():
    """By the signal, as shells expect it."""
    ran = pressed()
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, "", "")


def test_who_was_started_to_ignore_it_does():
    """As `nohup` and shells in the background have it."""
    ran = pressed("signal.SIG_IGN")
    assert (ran.returncode, "Connected stores." in ran.stdout, ran.stderr) == (0, True, "")
