"""Damaged files of every kind: each is read, or refused by a sentence with the file, a place and a remedy."""

import shutil
from functools import cache
from pathlib import Path
from typing import TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.mutations import Reader, judge
from support.readers import READERS
from vector_tl.errors import UserError
from vector_tl.forms import Finite, misfit, parse_json

pytestmark = pytest.mark.fast


class TypedX(TypedDict):
    x: Finite


@cache
def good_files(reader: Reader, folder: Path) -> bytes:
    """Good files of a reader in a folder, made once; the content of the one that is to be damaged."""
    folder.mkdir()
    reader.make(folder)
    return (folder / reader.file).read_bytes()


@pytest.mark.parametrize("name", READERS)
def test_good_files_are_read(name, tmp_path):
    READERS[name].make(tmp_path)
    assert judge(READERS[name], tmp_path) == "read"


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused(name, seed, tmp_path):
    reader, good, now = READERS[name], tmp_path / "good", tmp_path / "now"
    content = good_files(reader, good)
    shutil.copytree(good, now)
    (now / reader.file).write_bytes(reader.damaged(content, seed))
    try:
        assert judge(reader, now) in ("read", "refused")
    finally:
        shutil.rmtree(now)


@pytest.mark.parametrize(
    "text, says",
    [
        (b"[1,\n2,}", "line 2 column 3"),
        (b"\xff", "position 0"),
        (b"[" * 100_000, "nested too deeply, from line 1 on"),
        (b"[1,\n" + b"9" * 5000 + b"]", "too many digits in line 2"),
        (b'[{"x": 1}, {"x": "2"}]', "expected a number, got text, at '[1].x'"),
        (b'[{"x": NaN}]', "expected a finite number, at '[0].x'"),
        (b'[{"x": 1e999}]', "expected a finite number, at '[0].x'"),
        (b'[{"x": true}]', "expected a number, got true or false, at '[0].x'"),
        (b'[{"y": 1}]', "missing required field `x`, at '[0]'"),
        (b"3", "expected a list, got a whole number, at its top level"),
    ],
)
def test_what_is_wrong_with_json_is_said_with_its_place(text, says):
    with pytest.raises(UserError, match=r"^a\.json .*; mend it\.$") as caught:
        parse_json(text, list[TypedX], "a.json", "mend it")
    assert says in str(caught.value)


def test_keys_that_no_form_names_stay():
    value = {"a": {"x": 1, "later": [1, 2]}}
    assert parse_json('{"a": {"x": 1, "later": [1, 2]}}', dict[str, TypedX], "a.json", "mend it") == value


def test_the_key_of_an_object_is_named():
    assert misfit({"kitchen": {"x": 1}, "attic": {}}, dict[str, TypedX]).endswith("at 'attic'")
    assert misfit({"kitchen": {"x": "1"}}, dict[str, TypedX]).endswith("at 'x' of 'kitchen'")
