"""Files are written whole, JSON is of what JSON knows, and a lock belongs to one block of one process."""

import errno
import json
import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from vector_tl.errors import UserError, cannot_write
from vector_tl.files import claimed, finite, read_json, sweep, write_atomic, write_json
from vector_tl.parts import prefix

HOLD = """
import sys, time
from vector_tl.files import claimed
with claimed(sys.argv[1]) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@pytest.mark.fast
def test_undefined_numbers_become_null():
    values = finite({"a": float("nan"), "b": [float("inf"), 1.5, None, True], "c": {"d": np.float32(2)}})
    assert json.loads(json.dumps(values, allow_nan=False)) == {
        "a": None,
        "b": [None, 1.5, None, True],
        "c": {"d": 2},
    }


@pytest.mark.fast
def test_json_comes_back(tmp_path):
    path = tmp_path / "deep" / "a.json"
    assert read_json(path) is None and read_json(path, missing={}) == {}
    write_json(path, {"name": "K\u00fcche", "ap": float("nan")})
    assert read_json(path) == {"name": "K\u00fcche", "ap": None}
    path.write_bytes(b"\xef\xbb\xbf[1]")  # with a mark of byte order, as some editors write it
    assert read_json(path) == [1]


@pytest.mark.fast
@pytest.mark.parametrize("name", ["x" * 255, "\u6f22" * 80 + ".txt", "\u00e4" * 125 + ".json"])
def test_a_name_may_be_as_long_as_the_file_system_takes(name, tmp_path):
    write_atomic(tmp_path / name, b"1")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / f"{prefix(tmp_path / name)}abcdefgh.part").write_bytes(b"half")
    sweep(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.fast
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_named_with_a_remedy(content, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json is not readable JSON .*; take it away\.$"):
        read_json(tmp_path / "a.json", remedy="take it away")


@pytest.mark.fast
def test_json_as_windows_writes_it(tmp_path):
    """With a mark before it, it is read; in another encoding, it is said how to save it."""
    (tmp_path / "a.json").write_text('{"küche": "val"}', "utf-8-sig")
    assert read_json(tmp_path / "a.json") == {"küche": "val"}
    (tmp_path / "a.json").write_text('{"küche": "val"}', "utf-16")
    with pytest.raises(UserError, match="not UTF-8, as which it is to be saved"):
        read_json(tmp_path / "a.json")


@pytest.mark.fast
def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="Cannot write"):
        write_atomic(tmp_path / "file" / "a.txt", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="Cannot write"):
        write_atomic(tmp_path / "folder", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.fast
def test_a_lock_is_held_once(tmp_path):
    path = tmp_path / "deep" / "a.lock"
    with claimed(path) as mine:
        assert mine
        with claimed(path) as also:
            assert not also
        with claimed(path) as also:
            assert not also
    assert not path.exists()
    with pytest.raises(ZeroDivisionError), claimed(path):
        raise ZeroDivisionError
    with claimed(path) as mine:
        assert mine


def test_a_pulled_disk_is_not_hidden_by_the_lock_on_it(tmp_path):
    with pytest.raises(UserError, match="the disk"), claimed(tmp_path / "disk" / "lock"):
        (tmp_path / "disk").rename(tmp_path / "pulled")
        (tmp_path / "disk").write_text("")  # below a file there is nothing to remove
        raise UserError("the disk is gone")


def test_a_killed_holder_frees_its_lock(tmp_path):
    path = tmp_path / "a.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "True\n"
        with claimed(path) as mine:
            assert not mine
    finally:
        holder.kill()
        holder.wait()
    with claimed(path) as mine:
        assert mine
    with claimed(path, wait=True) as mine:
        assert mine


@pytest.mark.fast
def test_a_lock_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="Cannot write"), claimed(tmp_path / "file" / "a.lock"):
        pass


@pytest.mark.fast
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENODEV])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_what_was_there(tmp_path, monkeypatch, code, call):
    """Full, over the quota, damaged, read-only, pulled: the sentence says which, and nothing is lost."""

    def refuse(*_args, **_more):
        raise OSError(code, os.strerror(code))

    path = tmp_path / "splits.json"
    path.write_text("before")
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(UserError) as caught:
        write_atomic(path, "after")
    monkeypatch.undo()
    assert str(path) in str(caught.value)
    assert os.strerror(code) in str(caught.value)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["splits.json"]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "Free some space or choose another place."),
        (errno.EDQUOT, "Free some space or choose another place."),
        (errno.EROFS, "Choose another place."),
        (errno.ENODEV, "Choose another place."),
        (errno.EACCES, "Correct the permissions or choose another place."),
        (errno.ENAMETOOLONG, "Choose a shorter name."),
    ],
)
def test_the_remedy_fits_what_the_system_refused(code, remedy):
    said = str(cannot_write("splits.json", OSError(code, os.strerror(code))))
    assert said == f"Cannot write splits.json: {os.strerror(code)}. {remedy}"


@pytest.mark.fast
def test_the_remedy_for_a_database_on_a_read_only_disk(tmp_path):
    sqlite3.connect(tmp_path / "votes.db").execute("CREATE TABLE votes (voter TEXT)")
    kept = sqlite3.connect(f"file:{tmp_path / 'votes.db'}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as caught:
        kept.execute("INSERT INTO votes VALUES ('a')")
    assert str(cannot_write("poll", caught.value)).endswith("database. Choose another place.")
