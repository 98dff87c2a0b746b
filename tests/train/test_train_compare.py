"""The comparison: what it runs, what it keeps, how it goes on, and an answer that follows from the figures."""

import csv
import json

import cv2
import numpy as np
import pytest

from vector_tl.errors import UsageError, UserError
from vector_tl.labels import dataset
from vector_tl.nets import checkpoint
from vector_tl.nets.build import build
from vector_tl.train import compare as comparison
from vector_tl.train.compare import Run, compare, plan, shuffled, still_rising
from vector_tl.train.compare_page import answer, area, head_start, needed, reached
from vector_tl.train.compare_settings import CompareSettings


def curve(*heights: float | None) -> list[dict]:
    return [{"pictures_seen": 100 * n, "loss": 1.0, "ap50": h, "ap50_95": h} for n, h in enumerate(heights, 1)]


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for session in "abcde":
        for i in range(4):
            picture = rng.integers(0, 255, (36, 64, 3)).astype(np.uint8)
            boxes = np.zeros((0, 4)) if i == 3 else np.array([[10, 5, 40, 30]])
            dataset.write_item(tmp_path / "data", session, str(i), cv2.imencode(".png", picture)[1].tobytes(), boxes, (64, 36), ".png")
    dataset.write_splits(tmp_path / "data", {"a": "train", "b": "train", "c": "val", "d": "test", "e": "test"})
    return tmp_path / "data"


@pytest.fixture
def trained(monkeypatch):
    """Instead of training: a network that knows nothing, and a curve that the arm decides."""
    asked = []

    def quick(settings, items):
        asked.append((settings.out.parent.name, settings.init, settings.steps, settings.pictures, settings.seed, settings.lr, len(items[0])))
        model = build(settings.arch, "scratch", settings.seed)
        checkpoint.save(settings.out, model, {"threshold": 0.5})
        height = (0.9 if settings.init == "coco" else 0.4) - 10 * abs(settings.lr - (8e-4 if settings.init == "coco" else 1.6e-3))
        with settings.out.with_suffix(".csv").open("w") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "pictures_seen", "loss", "ap50", "ap50_95"])
            writer.writerows([[1, 8, 2.0, 0.1, 0.05], [2, 16, 1.0, height, height]])
        return {"ap50": height, "ap50_95": height, "seconds": 0.1}

    monkeypatch.setattr(comparison, "train", quick)
    return asked


def small(data, tmp_path, **other) -> CompareSettings:
    return CompareSettings(**{"data": data, "out": tmp_path / "out", "seeds": 2, "sizes": ("2", "all"), "seen": 32, "most_seen": 64, "batch_size": 8} | other)


def test_both_arms_get_the_same_but_for_weights_and_rate(data, tmp_path, trained):
    told = compare(small(data, tmp_path, real=data, test_negatives=data / "images"))
    equal = {(init, pictures, seed): (steps, lr) for name, init, steps, pictures, seed, lr, _ in trained if name.startswith("equal")}
    assert len(equal) == 8 and {steps for steps, _ in equal.values()} == {4}
    assert {lr for (init, *_), (_, lr) in equal.items() if init == "coco"} == {8e-4}  # each has the rate that served it best
    assert {lr for (init, *_), (_, lr) in equal.items() if init == "scratch"} == {1.6e-3}
    assert {pictures for _, pictures, _ in equal} == {2, None}
    assert told["runs"] == len(trained) == 6 + 8 + 2 + 4 and len(told["answer"]) == 2
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(sentence.split(":")[0] in page for sentence in told["answer"])
    assert "src='http" not in page and "href='http" not in page and "Real pictures" in page and "The head start" in page and page.count("data:image/svg") == 2
    kept = json.loads((tmp_path / "out" / "results.json").read_text())
    assert kept["summary"]["arms"]["coco"]["seen_for_ap50"]["0.9"] == pytest.approx(16) and kept["summary"]["difference"]["sessions"] == 2


def test_what_is_finished_is_not_run_again_and_another_experiment_is_refused(data, tmp_path, trained):
    settings = small(data, tmp_path)
    compare(settings)
    count = len(trained)
    compare(settings)
    assert len(trained) == count
    compare(small(data, tmp_path, seeds=3))  # more of the same is welcome
    assert len(trained) == count + 4 + 2
    with pytest.raises(UserError, match="another seen"):
        compare(small(data, tmp_path, seen=40))


def test_the_page_of_what_is_there(data, tmp_path, trained):
    told = compare(small(data, tmp_path, page_only=True))
    assert trained == [] and "no pair" in told["answer"][0]


@pytest.mark.parametrize(
    "wrong", [{"sizes": ("0",)}, {"sizes": ("many",)}, {"sizes": ()}, {"seeds": 0}, {"seen": 4}, {"most_seen": 8}, {"lrs": ()}, {"lrs": (-1.0,)}]
)
def test_wrong_settings(data, tmp_path, wrong):
    with pytest.raises(UsageError):
        compare(small(data, tmp_path, **wrong))


def test_a_data_set_without_test_sessions(data, tmp_path, trained):
    dataset.write_splits(data, dict.fromkeys("abcde", "train"))
    with pytest.raises(UserError, match="split val"):
        compare(small(data, tmp_path))


def test_what_says_most_comes_first_and_nothing_twice(tmp_path):
    runs = list(plan(CompareSettings(data=tmp_path, out=tmp_path), {"coco": 1e-3, "scratch": 2e-3}))
    assert len({run.name for run in runs}) == len(runs) == 6 + 30 + 2 + 6
    assert [run.kind for run in runs[:6]] == ["lr"] * 6 and runs[6] == Run("equal", "coco", "all", 0, 7680, 1e-3) and runs[8].size == "400"


def test_shuffled_keeps_the_numbers_and_loses_nothing(data):
    splits = {split: dataset.load_dataset(data, split).items for split in ("train", "val", "test")}
    parts = shuffled(splits)
    assert [len(part) for part in parts] == [8, 4, 8]
    assert {(i.session, i.name) for part in parts for i in part} == {(i.session, i.name) for items in splits.values() for i in items}


@pytest.mark.parametrize(
    "heights, rising",
    [((), True), ((0.5, 0.6, 0.7, 0.8), True), ((0.5, 0.8, 0.8, 0.805), False),
     ((0.5, 0.8, 0.7, 0.6), False), ((None,), True), ((0.01, 0.02, 0.02, 0.02), True)]
)
def test_still_rising(heights, rising):
    assert still_rising(curve(*heights)) == rising


def test_area_and_levels():
    assert area(curve(0.5, 1.0)) == pytest.approx((0.25 + 0.75) / 2) and area([]) is None
    assert reached(curve(0.5, 1.0), 0.75) == pytest.approx(150) and reached(curve(0.5, 0.6), 0.8) is None
    assert reached(curve(None, 0.9), 0.9) == pytest.approx(200)
    rows = [{"pictures": 100, "ap50": 0.4}, {"pictures": 400, "ap50": 0.8}]
    assert needed(rows, 0.6) == pytest.approx(200) and needed(rows, 0.3) == 100 and needed(rows, 0.9) is None and needed([], 0.5) is None


def test_head_start_is_measured_against_the_longest_training_from_scratch():
    def run(kind, arm, seed, *heights):
        return {"kind": kind, "arm": arm, "size": "all", "seed": seed, "curve": curve(*heights)}

    alone = [run("equal", "coco", 0, 0.2, 0.6), run("equal", "scratch", 0, 0.0, 0.1)]
    assert head_start(alone[:1]) is None
    assert head_start(alone) == {"seeds": 1, "ap50_95": 0.1, "scratch_seen": 200, "transfer_seen": pytest.approx(50), "share": pytest.approx(0.25)}
    longer = [*alone, run("long", "scratch", 0, 0.1, 0.3, 0.4, 0.39)]
    assert head_start(longer) == {"seeds": 1, "ap50_95": 0.4, "scratch_seen": 300, "transfer_seen": pytest.approx(150), "share": pytest.approx(0.5)}
    shorter = [*longer, run("equal", "coco", 1, 0.1, 0.2), run("equal", "scratch", 1, 0.1, 0.3)]
    assert head_start(shorter) == head_start(longer)
    never = [*shorter, run("long", "scratch", 1, 0.1, 0.3)]
    assert head_start(never) == {"seeds": 2, "ap50_95": pytest.approx(0.35), "scratch_seen": 250, "transfer_seen": None, "share": None}


def told(a: float, b: float, low: float, high: float, rising: bool, long: dict | None = None) -> dict:
    arms = {name: {"seen": 1000, "ap50_95": ap, "still_rising": rising} for name, ap in (("coco", a), ("scratch", b))}
    few = {"coco": 0.5, "scratch": 0.1}
    rows = {name: [{"pictures": 70, "ap50_95": few[name]}, {"pictures": 400, "ap50_95": ap}] for name, ap in (("coco", a), ("scratch", b))}
    gap = {"ap50_95": a - b, "low": low, "high": high, "seeds": 3, "sessions": 9}
    return {"arms": arms, "by_size": rows, "difference": gap, "difference_long": long}


@pytest.mark.parametrize("figures, first, second", [
    (told(0.8, 0.4, 0.3, 0.5, True), "Yes, transfer", "With 70 pictures transfer already does as well as scratch with 400; but scratch was still rising"),
    (told(0.6, 0.59, -0.05, 0.07, False), "No difference can be told", "No smaller amount of pictures"),
    (told(0.5, 0.7, -0.3, -0.1, False), "No, training from scratch is better", "scratch had stopped gaining"),
    (told(0.8, 0.4, 0.3, 0.5, False, {"ap50_95": 0.1, "low": -0.02, "high": 0.2}), "Yes", "transfer ends level (+0.10"),
    (told(0.8, 0.4, 0.3, 0.5, False, {"ap50_95": 0.1, "low": 0.02, "high": 0.2}), "Yes", "transfer ends ahead"),
])  # fmt: skip
def test_the_answer_follows_from_the_figures(figures, first, second):
    sentences = answer(figures)
    assert sentences[0].startswith(first) and second in sentences[1]


def test_processes_share_the_work_and_wait_for_each_other(data, tmp_path, trained, monkeypatch):
    """Somebody else is at one run: all others are done first, then it is waited for."""
    settings = small(data, tmp_path)
    theirs = tmp_path / "out" / "runs" / "equal-coco-all-seed0"
    waited = []

    def wait(_seconds):
        waited.append(len(trained))
        (theirs / "result.json").write_text(json.dumps(result))
        claim.__exit__(None, None, None)

    compare(small(data, tmp_path / "alone"))
    result = json.loads((tmp_path / "alone" / "out" / "runs" / "equal-coco-all-seed0" / "result.json").read_text())
    (theirs / "test.npz").parent.mkdir(parents=True)
    (theirs / "test.npz").write_bytes((tmp_path / "alone" / "out" / "runs" / "equal-coco-all-seed0" / "test.npz").read_bytes())
    trained.clear()
    monkeypatch.setattr(comparison.time, "sleep", wait)
    claim = comparison._claimed(theirs)
    assert claim.__enter__()
    told = compare(settings)
    assert waited == [19] and len(trained) == 19 and told["runs"] == 20
    assert "equal-coco-all-seed0" not in [name for name, *_ in trained]
