"""What only some systems have is asked for in one place, and the rest does without it."""

import os
import subprocess
import sys

import pytest

from vector_tl import parts, system
from vector_tl.parts import Part, leftovers

WITHOUT = ("fcntl", "pwd", "resource", "termios", "tty", "pty", "grp")  # not on Windows
RENDERER = "vector_tl.sim.render"  # bound to Linux (EGL)
IMPORT_ALL = f"""
import importlib, pkgutil, sys
for name in {WITHOUT!r}:
    sys.modules[name] = None
import vector_tl
for found in pkgutil.walk_packages(vector_tl.__path__, "vector_tl."):
    if not found.name.endswith("__main__") and not found.name.startswith("{RENDERER}"):
        importlib.import_module(found.name)
        print(found.name)
"""


def test_all_but_the_renderer_can_be_imported_without_what_windows_has_not():
    environment = os.environ | {"USER": "somebody"}  # PyTorch asks for the name, by pwd where it is not there
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.split()) > 300


@pytest.fixture
def windows(monkeypatch):
    """A system without locks, that renames and removes no open file."""
    opened, replace, remove = set(), os.replace, parts.remove
    really_open, close = os.open, os.close

    def refuse(path):
        if any(os.path.samestat(os.stat(path), os.fstat(handle)) for handle in opened):
            raise PermissionError(13, "it is open in another place", str(path))

    monkeypatch.setattr(parts, "HAS_LOCKS", False)
    monkeypatch.setattr(system, "fcntl", None)
    monkeypatch.setattr(parts, "_swept", set())
    monkeypatch.setattr(parts.os, "replace", lambda a, b: (refuse(a), replace(a, b)))
    monkeypatch.setattr(parts, "remove", lambda path: (refuse(path), remove(path)))
    made = parts.tempfile.mkstemp

    def mkstemp(**names):
        handle, path = made(**names)
        opened.add(handle)
        return handle, path

    monkeypatch.setattr(parts.tempfile, "mkstemp", mkstemp)
    monkeypatch.setattr(parts.os, "close", lambda handle: (opened.discard(handle), close(handle)))
    yield
    assert not opened and really_open is os.open


@pytest.mark.fast
@pytest.mark.parametrize("folder", [False, True])
def test_files_are_whole_or_not_there_without_locks(windows, tmp_path, folder):
    goal = tmp_path / "goal"
    with Part(goal, folder=folder) as part:
        (part.path / "in it").write_text("x") if folder else part.write(b"x")
        part.put()
    assert goal.exists() and [path.name for path in tmp_path.iterdir()] == ["goal"]
    with pytest.raises(RuntimeError), Part(tmp_path / "other", folder=folder):
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["goal"]


@pytest.mark.fast
def test_without_locks_only_old_parts_are_leftovers(windows, tmp_path):
    part = Part(tmp_path / "goal")
    assert list(leftovers(tmp_path)) == []
    os.utime(part.path, (0, 0))
    assert list(leftovers(tmp_path)) == [part.path]
    part.drop()


@pytest.mark.fast
def test_a_lock_is_held_by_one_handle_until_it_is_closed(tmp_path):
    (tmp_path / "file").touch()
    first, second = (os.open(tmp_path / "file", os.O_RDONLY) for _ in range(2))
    assert system.lock(first) and not system.lock(second)
    os.close(first)
    assert system.lock(second)
    os.close(second)
