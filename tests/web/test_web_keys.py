"""Keys in the terminal: their names, and that they arrive one by one while a command runs."""

import os
import pty
import sys
import termios
import threading

import pytest

from vector_tl.web.keys import parse_keys, terminal_keys

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"kx", ["k", "x"]),
        (b"\x1b[A\x1bOD", ["up", "left"]),
        (b"K ", ["k", " "]),
        (b"\x1b", ["escape"]),
        (b"\x1b[5~", []),
        (b"\x1b[1;5Cq", ["right", "q"]),
        (b"\r\n", ["enter", "enter"]),
        ("ü\xff".encode("latin-1"), []),
        ("Ü".encode(), ["ü"]),
        (b"", []),
    ],
)
def test_names_of_keys(data, names):
    assert parse_keys(data) == names


def test_keys_arrive_at_once_and_the_terminal_is_as_before(monkeypatch, capsys):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        before, came, names = termios.tcgetattr(terminal), threading.Event(), []

        def pressed(new):
            names.extend(new)
            came.set()

        with terminal_keys(pressed, "keys: w forward"):
            assert not termios.tcgetattr(terminal)[3] & (termios.ICANON | termios.ECHO)
            os.write(ours, b"w")  # no Enter
            assert came.wait(5) and names == ["w"]
        assert termios.tcgetattr(terminal) == before and "w forward" in capsys.readouterr().err
    os.close(ours)


def test_nothing_happens_without_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    with terminal_keys(pytest.fail, "keys: w forward"):
        pass
    assert capsys.readouterr().err == "" and "keys" not in [t.name for t in threading.enumerate()]
