"""Temporary files: none is left after an end, and those of killed runs are gone after the next start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vector_tl import parts
from vector_tl.files import write_atomic
from vector_tl.parts import Part, leftovers

pytestmark = pytest.mark.fast
HOLD = """
import sys, time
from pathlib import Path
from vector_tl.parts import Part
part = Part(Path(sys.argv[1]), folder=sys.argv[2] == "folder")
print(part.path, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def as_in_a_new_process(monkeypatch):
    monkeypatch.setattr(parts, "_swept", set())


def held(path: Path, kind: str) -> tuple[subprocess.Popen, Path]:
    """Another process that is writing `path`, and its temporary file or folder."""
    command = [sys.executable, "-c", HOLD, str(path), kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    part = Path(process.stdout.readline().strip())
    long_ago = time.time() - 60
    os.utime(part, (long_ago, long_ago))
    return process, part


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_one_of_a_killed_process_goes_at_the_next_write_and_one_of_a_living_stays(tmp_path, kind):
    living, stays = held(tmp_path / "a", kind)
    killed, goes = held(tmp_path / "b", kind)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    try:
        assert list(leftovers(tmp_path)) == [goes]
        write_atomic(tmp_path / "c", b"1")
        assert stays.exists() and not goes.exists()
    finally:
        living.kill()
        living.wait()


@pytest.mark.parametrize(
    "name", ["a.part", ".a.part", "a.abcdefgh.part", ".a.abcdefgh.part.txt", ".a.ABC.part"]
)
def test_files_of_others_are_no_leftovers(tmp_path, name):
    (tmp_path / name).write_text("1")
    os.utime(tmp_path / name, (0, 0))
    assert list(leftovers(tmp_path)) == []


def test_a_link_is_no_leftover(tmp_path):
    (tmp_path / ".a.abcdefgh.part").symlink_to(tmp_path)
    assert list(leftovers(tmp_path)) == []


def test_one_from_the_future_is_a_leftover(tmp_path):
    """The clock was set back."""
    part = tmp_path / ".a.abcdefgh.part"
    part.write_text("1")
    os.utime(part, (time.time() + 1e6,) * 2)
    assert list(leftovers(tmp_path)) == [part]


def test_nothing_is_left_where_the_disk_is_full(tmp_path, monkeypatch):
    def full(*_words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match="No space left"):
        write_atomic(tmp_path / "a", b"1")
    assert list(tmp_path.iterdir()) == []


def test_put_and_drop(tmp_path):
    with Part(tmp_path / "a") as part:
        part.write(b"1")
        part.put()
    with Part(tmp_path / "b", folder=True) as part:
        (part.path / "c").write_text("1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~umask
