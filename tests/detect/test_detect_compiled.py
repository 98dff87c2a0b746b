"""Compiled models are kept, read again, and never used where they are outdated or damaged."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from support.lively import image
from vector_tl.detect import compiled
from vector_tl.detect.engine import OnCpu
from vector_tl.detect.openvino_engine import OpenVinoEngine
from vector_tl.nets.model_file import read_weights

pytestmark = pytest.mark.fast
WEIGHTS = read_weights("scratch")[0]
IMAGE = image(300, 300)[None]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vector_tl" / "compiled"


def scores(weights=WEIGHTS) -> np.ndarray:
    return OpenVinoEngine(weights, OnCpu(threads=1)).scores_and_boxes(IMAGE)[0]


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*.blob")
    return path


def test_the_second_start_compiles_nothing(cache, monkeypatch):
    first = scores()
    assert only_file(cache).stat().st_mode & 0o777 == 0o600 and cache.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(compiled.openvino_form, "openvino_form", lambda *_, **__: 1 / 0)
    assert np.array_equal(scores(), first)


@pytest.mark.parametrize("kept", [b"", b"half", None], ids=["empty", "cut", "a bit flipped"])
def test_a_damaged_file_is_replaced(cache, kept):
    first = scores()
    path = only_file(cache)
    good = path.read_bytes()
    path.write_bytes(good[:1000] + bytes([good[1000] ^ 1]) + good[1001:] if kept is None else kept)
    assert np.array_equal(scores(), first)
    assert len(compiled._read(path) or b"") > 1_000_000 and only_file(cache) == path


def test_a_whole_file_that_openvino_refuses_is_replaced(cache):
    first = scores()
    path = only_file(cache)
    compiled._keep(path, b"no network")
    assert np.array_equal(scores(), first)
    assert len(compiled._read(path)) > 1_000_000


def test_another_users_file_is_not_read(cache):
    scores()
    only_file(cache).chmod(0o666)
    assert compiled._read(only_file(cache)) is None


@pytest.mark.parametrize("what", ["OpenVINO's version", "CPU", "model", "layers", "options", "precision"])
def test_whatever_it_depends_on_makes_another_file(what, monkeypatch):
    asked = [WEIGHTS, "fp32", {"INFERENCE_NUM_THREADS": 1}]
    before = compiled.key_of(*asked)
    version, cpu, *flags = compiled.here()
    if what == "OpenVINO's version":
        monkeypatch.setattr(compiled, "here", lambda: [version + "1", cpu, *flags])
    elif what == "CPU":
        monkeypatch.setattr(compiled, "here", lambda: [version, cpu, *flags, "avx512_new"])
    elif what == "model":
        asked[0] = dataclasses.replace(WEIGHTS, digest="0" * 64)
    elif what == "layers":
        described = dataclasses.replace(compiled.describe(WEIGHTS.arch), size_wh=(320, 320))
        monkeypatch.setattr(compiled, "describe", lambda _arch: described)
    elif what == "options":
        asked[2] = {"INFERENCE_NUM_THREADS": 2}
    else:
        asked[1] = "int8"
    assert compiled.key_of(*asked) != before


def test_where_nothing_can_be_written_it_is_compiled_each_time(tmp_path, monkeypatch):
    first = scores()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert np.array_equal(scores(), first)


def test_weights_of_no_file_are_not_kept(cache):
    scores(dataclasses.replace(WEIGHTS, digest=""))
    assert not cache.exists()


def test_only_the_files_used_last_are_kept(cache, monkeypatch):
    monkeypatch.setattr(compiled, "KEPT", 2)
    cache.mkdir(parents=True)
    for name in "abc":
        compiled._keep(cache / f"{name}.blob", b"1")
    assert len(list(cache.glob("*.blob"))) == 2 and (cache / "c.blob").exists()
