"""Retraining with some images of one home: which ones are trained on, the page, and what it offers."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.cli import parse
from vector_tl.data import dataset
from vector_tl.data.dataset import Item
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.metrics import Outcome
from vector_tl.experiments import at_home
from vector_tl.experiments.at_home import answer, items_of, possible_sizes
from vector_tl.experiments.retrain import retrain
from vector_tl.experiments.retrain_results import ModelResult, recall_change
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.labels.settings import SplitSettings
from vector_tl.labels.splits import split
from vector_tl.nets import checkpoint
from vector_tl.nets.build import build

BOX = np.float32([[100, 80, 200, 200]])
OLD = {"old-1": "train", "old-2": "val", "old-3": "test"}


def add_session(data, session: str, count: int) -> None:
    image = cv2.imencode(".png", np.full((36, 64, 3), 120, np.uint8))[1].tobytes()
    for i in range(count):
        dataset.write_item(data, session, str(i), image, np.array([[10, 5, 40, 30]]), (64, 36), ".png")


@pytest.fixture
def data(tmp_path):
    """Three old sessions, and `photos`, one folder of ten photographs that nobody has divided."""
    for session in OLD:
        add_session(tmp_path / "data", session, 3)
    add_session(tmp_path / "data", "photos", 10)
    dataset.write_splits(tmp_path / "data", OLD)
    return tmp_path / "data"


@pytest.fixture
def settings(data, tmp_path):
    model = tmp_path / "mine.safetensors"
    checkpoint.save(
        model, build("ssd300_mobilenet_v1", "scratch"), {"threshold": 0.5, "sessions": sorted(OLD)}
    )
    return RetrainSettings(
        str(model), data, tmp_path / "out", sizes=("0", "4", "7"), epochs=1, batch_size=2, device="cpu"
    )


@pytest.fixture
def trained(monkeypatch):
    """Instead of training and measuring: what was asked for; a model that was trained finds everything."""
    asked = []

    def quick(settings, items):
        asked.append((settings, items))
        settings.out.parent.mkdir(exist_ok=True)
        checkpoint.save(settings.out, build(settings.arch, "scratch"), {"steps": settings.steps})
        settings.out.with_suffix(".csv").write_text(f"step,ap50\n{settings.steps},0.5\n")

    def measured(path, test, new, device):
        right = path.stem != "mine"
        return looked([(item, right or item.session not in new) for item in test], new)

    monkeypatch.setattr(at_home, "train", quick)
    monkeypatch.setattr(at_home, "measure_model", measured)
    return asked


def looked(found: list[tuple[Item, bool]], new: set[str]) -> ModelResult:
    """A model that draws the right box where `found` says so, and a false one elsewhere."""
    result = ModelResult({}, {}, {}, 0.5)
    for part in ("old", "new"):
        of_part = [(item, right) for item, right in found if (item.session in new) == (part == "new")]
        result.items[part] = [item for item, _ in of_part]
        result.outcomes[part] = [
            Outcome((640, 360), BOX, BOX if right else BOX + 250, np.float32([0.9])) for _, right in of_part
        ]
        wrong = sum(not right for _, right in of_part)
        result.figures[part] = of_part and {
            "images": len(of_part), "boxes": len(of_part), "recall": 1 - wrong / len(of_part), "ap50": 0.5,
            "ap50_95": 0.5, "threshold": 0.5, "false_positives": wrong,
            "false_positives_per_image": wrong / len(of_part),
        } or None  # fmt: skip
    return result


def test_one_folder_of_photographs_from_the_offer_to_the_page(settings, trained):
    with pytest.raises(UserError) as offer:
        retrain(settings)
    command = f"vector-tl label split --data {settings.data} --by image --session photos"
    assert "The new session photos has no split yet" in str(offer.value) and command in str(offer.value)
    assert not settings.out.exists()
    split(SplitSettings(settings.data, by="image", session=("photos",)))

    result = retrain(settings)
    assert result["new_sessions"] == ["photos-test", "photos-train", "photos-val"] and result["by_image"]
    assert [row["images"] for row in result["sizes"]] == [0, 4, 7]
    assert result["sizes"][0]["new"]["recall"] == 0 and result["sizes"][2]["new"]["recall"] == 1
    assert result["answer"][0].startswith("With 7 images of this home: 1 of 1 Vector found there (before: 0")
    assert {settings.steps for settings, _ in trained} == {result["steps"]}
    page = (settings.out / "index.html").read_text()
    assert page.count("<svg") == 0 and page.count("data:image/svg+xml") == 3 and "://" not in page
    assert "divided by image" in page and all(sentence.split(":")[0] in page for sentence in result["answer"])

    assert retrain(replace(settings, sizes=("all",)))["sizes"][1]["images"] == 9  # a further size is added
    assert len(trained) == 3


@pytest.mark.fast
def test_smaller_sizes_are_parts_of_larger_ones_beside_all_old_images():
    def items(session, count):
        return [Item(session, str(i), None, None) for i in range(count)]

    splits = {"train": items("old", 5) + items("home-1", 60), "val": items("old-2", 4) + items("home-2", 20)}
    new = {"home-1", "home-2"}
    before = set()
    for size in (4, 25, 80):
        chosen = items_of(size, splits, new, seed=3)
        ours = [{(i.session, i.name) for i in some if i.session in new} for some in chosen]
        assert [len(some) - len(own) for some, own in zip(chosen, ours, strict=True)] == [5, 4]
        assert (len(ours[0]), len(ours[1])) == (size - round(size / 4), round(size / 4))
        assert before < ours[0] | ours[1]
        before = ours[0] | ours[1]
    alone = {"train": items("home-1", 6), "val": items("home-2", 1)}
    assert [len(some) for some in items_of(2, alone, new, seed=0)] == [1, 1]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("asked", "sizes"), [(("0", "25", "100"), [25, 100]), (("all", "25", "900"), [25, 120]), (("200",), None)]
)
def test_sizes(asked, sizes):
    if sizes is None:
        with pytest.raises(UserError, match="have 120 images"):
            possible_sizes(asked, 120)
    else:
        assert possible_sizes(asked, 120) == sizes


@pytest.mark.fast
@pytest.mark.parametrize("sizes", [("0",), ("25", "many"), ("0,25",)])
def test_wrong_sizes_are_refused_at_once(sizes, settings, trained):
    with pytest.raises(UsageError, match="--sizes"):
        retrain(replace(settings, sizes=sizes))
    assert trained == []


@pytest.mark.fast
def test_without_a_test_session_at_home_nothing_is_trained(settings, trained):
    dataset.write_splits(settings.data, OLD | {"photos": "train"})
    with pytest.raises(UserError, match="label split --data .* --by image --session photos"):
        retrain(settings)
    assert trained == [] and not settings.out.exists()


@pytest.mark.fast
@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([True] * 12, [True] * 12, "Nothing that shows was forgotten: on the old test sessions 12 of 12"),
        ([True] * 12, [False] * 11 + [True], "Some was forgotten: on the old test sessions 1 of 12"),
        ([True] * 3, [False] * 3, "There are too few old test sessions to say"),
        ([], [], "There is no old test session with a Vector"),
    ],
)
def test_what_was_forgotten_follows_from_recall_on_old_sessions(before, after, words):
    home = Item("home", "0", None, None)
    models = {
        size: looked(
            [(Item(f"old-{i}", "0", None, None), right) for i, right in enumerate(found)]
            + [(home, bool(size))],
            {"home"},
        )
        for size, found in ((0, before), (25, after))
    }
    rows = [at_home.row_of(size, None, models) for size in models]
    assert answer(rows)[1].startswith(words)
    gap = recall_change(models[0], models[25], "new")
    assert gap == {"recall": 1.0, "low": None, "high": None}  # of one session there is no interval


@pytest.mark.fast
def test_what_a_person_types():
    words = ["best", "--data", "d", "--out", "o", "--sizes", "0", "25", "all", "--backgrounds", "a", "b"]
    settings, _ = parse("retrain", [*words, "--mosaic", "0.3"])
    assert settings.model == "best" and settings.sizes == ("0", "25", "all")
    assert settings.backgrounds == (Path("a"), Path("b")) and settings.variety.changed() == {"mosaic": 0.3}
