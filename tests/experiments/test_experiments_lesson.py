"""The lesson: its figures are those of the comparison, its words are whole, its page needs nothing else."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.lesson import fill_cache, own_comparison
from vector_tl.data import dataset
from vector_tl.data.dataset import Item
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.metrics import Outcome
from vector_tl.experiments.lesson import figures as making
from vector_tl.experiments.lesson import scenes
from vector_tl.experiments.lesson.lesson import READY, final_models, lesson, ready
from vector_tl.experiments.lesson.scenes import dataset_scenes, refuse_other
from vector_tl.experiments.lesson.settings import LessonSettings
from vector_tl.experiments.lesson.words import languages, read_words
from vector_tl.experiments.runs import keep_outcomes, learned
from vector_tl.files import write_json
from vector_tl.nets.model_file import resolve

pytestmark = pytest.mark.fast
ROOT = Path(__file__).parents[2]
SVG = "http://www.w3.org/2000/svg"  # a name, not an address that is opened
BOX, ELSEWHERE = [100.0, 100.0, 200.0, 200.0], [400.0, 100.0, 500.0, 200.0]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fill_cache(tmp_path / "cache")


def outcome(vectors: list, boxes: list, scores: list) -> Outcome:
    shape = (-1, 4)
    return Outcome(
        (640, 360),
        np.array(vectors, np.float32).reshape(shape),
        np.array(boxes, np.float32).reshape(shape),
        np.array(scores, np.float32),
    )


def test_a_point_counts_what_a_threshold_lets_through():
    seen = [
        outcome([BOX], [BOX, ELSEWHERE], [0.9, 0.3]),
        outcome([], [ELSEWHERE], [0.6]),
        outcome([BOX], [], []),
    ]
    point = making.point(160, seen, [0, 2], calibrated=True)
    at = {threshold: n for n, threshold in enumerate(making.THRESHOLDS)}
    assert point["images_seen"] == 160 and point["boxes"] == [
        [[100, 100, 200, 200, 900, 0], [400, 100, 500, 200, 300, -1]],
        [],
    ]
    assert [point["found"][at[t]] for t in (0.3, 0.9, 0.95)] == [1, 1, 0]
    assert [point["false_alarms"][at[t]] for t in (0.3, 0.5, 0.65)] == [2, 1, 0]


def item(number: int, height: float) -> Item:
    boxes = np.array([[0.1, 0.1, 0.3, 0.1 + height]]) if height else np.zeros((0, 4))
    return Item("a" if number < 30 else "b", str(number), Path("none"), boxes)


def test_scenes_show_vectors_from_large_to_small_and_none():
    items = [item(n, 0.02 * (n % 10)) for n in range(40)]
    chosen = making.choose_scenes(items, sessions=["a"])
    heights = [items[n].boxes_norm[:, 3].max(initial=0) for n in chosen]
    assert len(set(chosen)) == making.MAX_SCENES and max(chosen) < 30
    assert heights == sorted(heights, reverse=True) and heights[0] > 0.25 and heights[-3] > 0 == heights[-2]


def test_curves_are_those_of_the_seeds():
    def run(seed: int, *heights: float) -> dict:
        curve = [{"images_seen": 10 * n, "ap50": height} for n, height in enumerate(heights, 1)]
        return {"kind": "equal", "arm": "coco", "images": 70, "seed": seed, "curve": curve}

    (curve,) = making.curves([run(0, 0.2, 0.6), run(1, 0.4, 0.7), run(2, None, 0.5)])
    assert (curve["seeds"], curve["images_seen"]) == (3, [10, 20])
    assert (curve["mean"], curve["low"], curve["high"]) == ([0.2, 0.6], [0.0, 0.5], [0.4, 0.7])


def test_what_was_seen_in_training_is_read_in_order(tmp_path):
    for images_seen in (1000, 160, 0):
        keep_outcomes(tmp_path, images_seen, [outcome([BOX], [BOX], [images_seen / 1000])])
    assert [(n, round(float(o[0].scores[0]), 2)) for n, o in learned(tmp_path)] == [
        (0, 0),
        (160, 0.16),
        (1000, 1),
    ]


def test_the_shipped_curves_are_those_of_the_shipped_twins():
    runs = [json.loads(line) for line in (ROOT / "docs/trials/twins.jsonl").read_text().splitlines()]
    assert len(ready()["curves"]) == len(runs) == 2
    for curve in ready()["curves"]:
        key = tuple(curve[name] for name in ("kind", "arm", "images"))
        seeds = [run["curve"] for run in runs if (run["kind"], run["arm"], run["images"]) == key]
        ends = [seed[-1][1] for seed in seeds]
        assert len(seeds) == curve["seeds"] and curve["images_seen"] == [place[0] for place in seeds[0]]
        assert curve["mean"][-1] == pytest.approx(np.mean(ends), abs=1e-3)
        assert (curve["low"][-1], curve["high"][-1]) == pytest.approx((min(ends), max(ends)), abs=1e-3)


def test_the_shipped_figures_agree_with_the_labels_of_the_repository():
    figures = ready()
    assert READY.stat().st_size < 300_000
    assert {room["session"] for room in figures["rooms"]} == {
        s["name"].split("/")[0] for s in figures["scenes"]
    }
    for scene in figures["scenes"]:
        refuse_other(ROOT / "data", scene)
        assert dataset.read_splits(ROOT / "data")[scene["name"].split("/")[0]] == "val"
    for training in figures["trainings"]:
        for point in training["points"]:
            assert len(point["boxes"]) == len(figures["scenes"])
            assert point["found"] == sorted(point["found"], reverse=True)
            assert max(point["found"]) <= figures["vectors"]


def test_images_drawn_otherwise_are_refused(tmp_path):
    dataset.write_label(tmp_path, "s", "a", np.array([[10.0, 10, 40, 30]]), (640, 360))
    refuse_other(tmp_path, {"name": "s/a", "vectors": [[10, 11, 40, 30]]})
    for vectors in ([[10, 13, 40, 30]], []):
        with pytest.raises(UserError, match="otherwise than"):
            refuse_other(tmp_path, {"name": "s/a", "vectors": vectors})


def shape(value):
    """A value without its texts."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return (
        [shape(part) for part in value]
        if isinstance(value, list)
        else value
        if isinstance(value, int)
        else None
    )


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_same_words(language):
    words, english = read_words(language), read_words("en")
    assert shape(words) == shape(english) and words["language"] == language
    places = re.compile(r"\{\w+\}")
    for key, text in english.items():
        if isinstance(text, str):
            assert sorted(places.findall(words[key])) == sorted(places.findall(text)), key


@pytest.mark.parametrize("language", languages())
def test_the_page_needs_nothing_from_elsewhere(tmp_path, language):
    out = tmp_path / "new" / "l.html"
    result = lesson(LessonSettings(out=out, language=language))
    page = out.read_text(encoding="utf-8")
    assert result["page"] == str(out) and result["scenes"] == 12 and out.stat().st_size < 25e6
    assert (
        f'<html lang="{language}">' in page
        and "://" not in page.replace(SVG, "")
        and "default-src &#39;none&#39;" in page
    )
    assert not re.search(r"<(link|script)[^>]+(src|href)=", page)


def test_bad_settings(tmp_path):
    for wrong, word in (({"language": "xx"}, "one of .*en"), ({"data": tmp_path}, "--compare")):
        with pytest.raises(UsageError, match=word):
            LessonSettings(**wrong).check()
    with pytest.raises(UserError, match="holds no comparison"):
        lesson(LessonSettings(compare=tmp_path, out=tmp_path / "l.html"))


def test_a_comparison_without_a_training_says_what_to_do(tmp_path):
    write_json(tmp_path / "experiment.json", {"data": str(tmp_path / "data")})
    with pytest.raises(UserError, match="Continue it"):
        making.figures_of(tmp_path, [])


def test_a_dataset_that_was_moved_is_asked_for(tmp_path):
    write_json(tmp_path / "experiment.json", {"data": str(tmp_path / "data")})
    with pytest.raises(UserError, match="lies elsewhere by now, name it with --data"):
        lesson(LessonSettings(compare=tmp_path, out=tmp_path / "l.html"))


def test_images_of_a_dataset_come_in_the_size_of_the_boxes(tmp_path):
    dataset.write_item(tmp_path, "s", "a", small_png(), np.zeros((0, 4)), (64, 36), ".png")
    (jpeg,) = dataset_scenes(dataset.load_dataset(tmp_path, "all").items, [{"name": "s/a", "vectors": []}])
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (360, 640, 3)


def small_png() -> bytes:
    return cv2.imencode(".png", np.zeros((36, 64, 3), np.uint8))[1].tobytes()


def test_a_lesson_of_ones_own_comparison(tmp_path):
    """Its boxes and images are those of its validation sessions; it is shown without networks."""
    out, data = own_comparison(tmp_path)
    asked = LessonSettings(compare=out, data=data, out=tmp_path / "l.html")
    items = dataset.load_dataset(data, "val").items
    result = lesson(asked)
    page = asked.out.read_text(encoding="utf-8")
    figures = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])["figures"]
    assert result["scenes"] == len(items) and result["trainings"] == 2 and "Made from your own" in page
    assert {t["arm"]: [p["images_seen"] for p in t["points"]] for t in figures["trainings"]} == {
        "coco": [0, 8, 16],
        "scratch": [0, 16],
    }
    assert {curve["kind"] for curve in figures["curves"]} == {"equal", "long"}
    assert not result["photos"] and "To look at photos, this page needs" in page
    assert all(s["image"].startswith("data:image/jpeg") for s in figures["scenes"])
    kept = out / "runs/equal-coco-all-seed0/val"
    kept.rename(out / "elsewhere")
    with pytest.raises(UserError, match="has not kept what both models saw"):
        lesson(asked)
    (out / "elsewhere").rename(kept)
    shutil.rmtree(data / "images" / items[0].session)
    with pytest.raises(UserError, match="--data"):
        lesson(asked)


def test_photos_are_seen_by_the_models_that_learned_most(tmp_path):
    """The longer training's, where both sides have it; other networks and a single side count as none."""
    out, data = own_comparison(tmp_path)
    assert final_models(out) == ({}, 0)
    put = {"equal-coco": "transfer", "equal-scratch": "scratch", "long-coco": "best"}
    for run, name in put.items():
        shutil.copy(resolve(name), out / f"runs/{run}-all-seed0/model.safetensors")
    images = json.loads((out / "runs/equal-coco-all-seed0/result.json").read_text())
    models, learned_from = final_models(out)
    assert {arm: path.parent.name for arm, path in models.items()} == {
        "coco": "equal-coco-all-seed0",
        "scratch": "equal-scratch-all-seed0",
    }
    assert learned_from == images.get("images", images.get("pictures"))  # old name
    shutil.copy(resolve("scratch"), out / "runs/long-scratch-all-seed0/model.safetensors")
    models, _ = final_models(out)
    assert models["coco"].parent.name == "long-coco-all-seed0"
    result = lesson(LessonSettings(compare=out, data=data, out=tmp_path / "l.html"))
    page = (tmp_path / "l.html").read_text(encoding="utf-8")
    assert result["photos"] and f"your comparison, with {learned_from} images" in page


def test_a_comparison_that_was_stopped_shows_what_both_sides_have(tmp_path):
    seen = [(0, []), (16, [])]
    kept = {("coco", 25): seen, ("scratch", 25): seen, ("coco", 70): seen, ("scratch", 200): [(8, [])]}
    kept[("coco", 200)] = [(0, [])]  # no moment in common
    assert set(making.of_both_arms(kept)) == {("coco", 25), ("scratch", 25)}
    out, data = own_comparison(tmp_path)
    for run in out.glob("runs/*-scratch-*"):
        shutil.rmtree(run)
    with pytest.raises(UserError, match="is not finished: .*Continue it"):
        lesson(LessonSettings(compare=out, data=data, out=tmp_path / "l.html"))


def test_without_the_simulator_it_says_where_else_the_page_can_be_made(tmp_path, monkeypatch):
    def broken(camera, **_):
        raise UserError("The simulator did not start.")

    monkeypatch.setattr(scenes, "open_simulated_robot", broken)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="did not start. Or make the page on another computer"):
        lesson(LessonSettings(out=tmp_path / "l.html"))
