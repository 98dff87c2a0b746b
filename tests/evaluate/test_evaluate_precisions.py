"""A model is run in a precision only where it finds as much, with a threshold of its own."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.lively import image
from vector_tl.data.dataset import Dataset, Item, load_dataset, write_item
from vector_tl.data.images import encode_jpeg
from vector_tl.detect import precision
from vector_tl.detect.openvino_core import precisions_here
from vector_tl.evaluate import precisions
from vector_tl.evaluate.evaluate import describe, evaluate
from vector_tl.evaluate.metrics import Outcome
from vector_tl.evaluate.precisions import MIN_VECTORS, Seen, choose_like, compare, settle_precisions
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.nets.model_file import MODELS, read_metadata, read_weights, write_metadata

pytestmark = pytest.mark.fast
BOX = np.array([[10.0, 10.0, 50.0, 50.0]], np.float32)


def outcome(score: float, right: bool = True) -> Outcome:
    """An image with one Vector, and one box at it or elsewhere."""
    return Outcome((100, 100), BOX, BOX if right else BOX + 45, np.array([score], np.float32))


def outcomes(*scores: float) -> list[Outcome]:
    return [outcome(score) for score in scores]


@pytest.mark.parametrize(
    ("other", "low", "high"),
    [
        ((0.95, 0.91, 0.5), 0.9, 0.9),  # as many: it stays
        ((0.95, 0.85, 0.5), 0.84, 0.85),  # one fell below it
        ((0.95, 0.93, 0.92), 0.92, 0.93),  # one rose above it
        ((0.95, 0.85, 0.85), 0.84, 0.85),  # none finds just as many: no fewer
    ],
)
def test_the_threshold_finds_as_many(other, low, high):
    chosen = choose_like(outcomes(0.95, 0.91, 0.6), outcomes(*other), 0.9)
    assert low <= chosen <= high
    assert sum(np.float32(score) > chosen for score in other) >= 2


def test_without_vectors_the_threshold_stays():
    assert choose_like([], [], 0.7) == choose_like(outcomes(0.1), outcomes(0.9), 0.7) == 0.7


def seen(scores: list[float], kinds: str, wrong: int = 0) -> list[Seen]:
    """Images of a kind each, on val and on test; `wrong` boxes elsewhere at the end."""
    found = outcomes(*scores) + [outcome(0.99, right=False)] * wrong
    items = [Item("s", str(i), None, None, (kind,)) for i, kind in enumerate(kinds)]  # type: ignore[arg-type]
    return [Seen(Dataset(None, split, items, 0), found) for split in ("val", "test")]  # type: ignore[arg-type]


def test_what_passes():
    exact = seen([0.9] * 300, "a" * 150 + "b" * 150)
    assert compare(exact, exact, 0.5, 0.5) | {"val": 0, "test": 0} == {
        "passed": True,
        "why": None,
        "val": 0,
        "test": 0,
        "lost": {"a": 0, "b": 0},
    }
    lost_two = compare(exact, seen([0.9] * 298 + [0.4] * 2, "a" * 150 + "b" * 150), 0.5, 0.5)
    assert lost_two["passed"] and lost_two["lost"] == {"a": 0, "b": 2}


def test_what_fails():
    kinds = "a" * 150 + "b" * 150
    exact = seen([0.9] * 300, kinds)
    three = compare(exact, seen([0.9] * 297 + [0.4] * 3, kinds), 0.5, 0.5)
    assert not three["passed"] and "3 Vectors lost in test images b" in three["why"]
    recall = compare(exact, seen([0.9] * 290 + [0.4] * 10, kinds), 0.5, 0.5)
    assert "val recall 0.967, in fp32 1.000" in recall["why"]
    ap = compare(exact, seen([0.9] * 295, kinds, wrong=5), 0.5, 0.5)
    assert "val ap50_95" in ap["why"] and "more false positives" in ap["why"]


def test_weights_stay_as_they_are_when_metadata_change(tmp_path):
    path = shutil.copy(MODELS / "scratch.safetensors", tmp_path / "m.safetensors")
    before, about = read_weights(path)
    write_metadata(path, {"thresholds": {"fp32": 0.25}})
    after, now = read_weights(path)
    assert now == about | {"thresholds": {"fp32": 0.25}} and after.digest != before.digest
    size = int.from_bytes(path.read_bytes()[:8], "little")
    old = (MODELS / "scratch.safetensors").read_bytes()
    assert path.read_bytes()[8 + size :] == old[8 + int.from_bytes(old[:8], "little") :]


def test_check_precisions_writes_what_passed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = shutil.copy(MODELS / "scratch.safetensors", tmp_path / "m.safetensors")
    write_metadata(path, {"thresholds": None, "threshold": 0.96})  # as an earlier version wrote it
    for session in ("v", "t"):
        for kind, content in (("images", encode_jpeg(image(640, 360))), ("labels", b"0 .5 .5 .2 .2\n")):
            place = tmp_path / "data" / kind / session / f"a.{'jpg' if kind == 'images' else 'txt'}"
            place.parent.mkdir(parents=True)
            place.write_bytes(content)
    (tmp_path / "data/splits.json").write_text(json.dumps({"v": "val", "t": "test"}))
    said = evaluate(EvaluateSettings(str(path), tmp_path / "data", check_precisions=True))
    assert [row["precision"] for row in said["precisions"]] == list(precisions_here())
    assert set(read_metadata(path)["thresholds"]) == set(precisions_here())  # nothing is found by any
    assert read_metadata(path)["thresholds"]["fp32"] == 0.96
    assert "m in fp32: threshold 0.960" in describe(said)
    json.dumps(said, allow_nan=False)


def made_val(folder: Path, count: int) -> Dataset:
    """Images of noise with a label each, in which no model finds anything."""
    for number in range(count):
        write_item(folder, "v", f"{number:02d}", encode_jpeg(image(64, 36)), BOX / 2, (64, 36))
    return replace(load_dataset(folder, "all"), split="val")


@pytest.fixture
def fresh(tmp_path):
    """A model as `train` leaves it."""
    path = Path(shutil.copy(MODELS / "scratch.safetensors", tmp_path / "fresh.safetensors"))
    write_metadata(path, {"thresholds": {"fp32": 0.9}})
    return path


def test_a_fresh_model_gets_the_thresholds_of_all_that_pass(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    faster = precisions_here()[1:]
    said = settle_precisions(fresh, made_val(tmp_path / "data", MIN_VECTORS))
    assert read_metadata(fresh)["thresholds"] == dict.fromkeys(("fp32", *faster), 0.9)
    if faster:
        assert said == (
            f"fresh finds as much in {' and in '.join(faster)} as in fp32, so a CPU may run it so. "
            f"Checked on {MIN_VECTORS} val images."
        )
    assert not list((tmp_path / "cache").rglob("*.blob"))  # with other metadata it is another model


def test_a_fresh_model_gets_none_of_what_fails(fresh, tmp_path, monkeypatch):
    exact, rounded = seen([0.95] * 300, "a" * 300)[:1], seen([0.95] * 290, "a" * 300, wrong=10)[:1]
    found = {"fp32": exact, "bf16": exact, "int8": rounded}
    monkeypatch.setattr(precision, "precisions_of", lambda _weights: tuple(found))
    monkeypatch.setattr(precisions, "_seen", lambda _w, _m, how, _datasets: found[how.precision])
    said = settle_precisions(fresh, made_val(tmp_path / "data", MIN_VECTORS))
    assert read_metadata(fresh)["thresholds"] == {"fp32": 0.9, "bf16": 0.9}
    assert "finds as much in bf16 as in fp32" in said and "finds less in int8 (" in said


def test_too_few_vectors_to_tell(fresh, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "precisions_of", lambda _weights: ("fp32", "bf16"))
    said = settle_precisions(fresh, made_val(tmp_path / "data", 3))
    assert "show 3 Vectors" in said and read_metadata(fresh)["thresholds"] == {"fp32": 0.9}
