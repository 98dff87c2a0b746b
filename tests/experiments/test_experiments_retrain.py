"""Retraining: what is new, what is trained, and an answer that follows from the figures."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.data import dataset
from vector_tl.data.dataset import Item
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.metrics import Outcome, count_false_positives, measure
from vector_tl.experiments import retrain as retraining
from vector_tl.experiments.retrain import retrain
from vector_tl.experiments.retrain_results import ModelResult, answer, change
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.nets import checkpoint, model_file
from vector_tl.nets.build import build
from vector_tl.nets.coco_file import find_weights
from vector_tl.train import curve, state

BOX = [100, 80, 200, 200]
SPLITS = {"old-1": "train", "old-2": "val", "old-3": "test", "new-1": "train", "new-2": "test"}


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for session in SPLITS:
        for i in range(3):
            image = rng.integers(0, 255, (36, 64, 3)).astype(np.uint8)
            dataset.write_item(
                tmp_path / "data",
                session,
                str(i),
                cv2.imencode(".png", image)[1].tobytes(),
                np.array([[10, 5, 40, 30]]),
                (64, 36),
                ".png",
            )
    dataset.write_splits(tmp_path / "data", SPLITS)
    return tmp_path / "data"


@pytest.fixture
def settings(data, tmp_path):
    checkpoint.save(
        tmp_path / "mine.safetensors",
        build("ssd300_mobilenet_v1", "scratch"),
        {"threshold": 0.5, "sessions": ["old-1", "old-2", "old-3"]},
    )
    return RetrainSettings(
        str(tmp_path / "mine.safetensors"), data, tmp_path / "out", epochs=4, batch_size=2, device="cpu"
    )


@pytest.fixture
def trained(monkeypatch):
    asked = []

    def quick(settings):
        asked.append(settings)
        checkpoint.save(
            settings.out,
            build(settings.arch, "scratch", seed=len(asked)),
            {"threshold": 0.5, "steps": settings.steps},
        )
        settings.out.with_suffix(".csv").write_text(f"step,ap50\n{settings.steps},0.5\n")

    monkeypatch.setattr(retraining, "train", quick)
    monkeypatch.setattr(retraining, "find_weights", lambda coco: coco)
    return asked


def test_both_are_trained_alike_and_only_once(settings, trained):
    result = retrain(settings)
    assert result["new_sessions"] == ["new-1", "new-2"]
    after, coco = trained
    assert (
        (after.init, coco.init) == (settings.model, "coco")
        and after.steps == coco.steps == 12
        and (after.lr, coco.lr) == (4e-4, 8e-4)
    )
    assert {name: result[name]["new"]["images"] for name in ("before", "after", "coco")} == {
        "before": 3,
        "after": 3,
        "coco": 3,
    }
    page = (settings.out / "index.html").read_text()
    assert (
        all(sentence in page for sentence in result["answer"]) and "fine-tuned" in page and "://" not in page
    )
    assert json.loads((settings.out / "results.json").read_text())["before"]["old"]["images"] == 3
    retrain(settings)
    assert len(trained) == 2
    with pytest.raises(UserError, match="another epochs"):
        retrain(replace(settings, epochs=5))


def test_missing_coco_weights_are_reported_before_anything_is_trained(settings, trained, monkeypatch):
    monkeypatch.setattr(retraining, "find_weights", find_weights)
    with pytest.raises(UserError, match="no COCO weights at nowhere"):
        retrain(replace(settings, coco=Path("nowhere")))
    assert trained == []


@pytest.mark.parametrize("breaks", ["resume file", "curve"])
def test_a_training_that_broke_off_is_not_taken_for_a_finished_one(breaks, settings, monkeypatch):
    """Model, curve and resume file are written in this order; here the disk is full in between."""
    settings = replace(settings, epochs=4 / 3)  # 4 steps, each of them measured
    monkeypatch.setattr(
        retraining,
        "trainings",
        lambda *of, made=retraining.trainings: {
            name: replace(one, init="scratch") for name, one in made(*of).items()
        },
    )
    monkeypatch.setattr(retraining, "find_weights", lambda coco: coco)
    module, begun = {"resume file": state, "curve": curve}[breaks], []
    write, train = module.write_atomic, retraining.train

    def once_full(path, *more):
        if len(begun) == 1:
            raise UserError("Cannot write: No space left on device.")
        return write(path, *more)

    monkeypatch.setattr(module, "write_atomic", once_full)
    monkeypatch.setattr(retraining, "train", lambda asked: begun.append(asked.out.stem) or train(asked))
    with pytest.raises(UserError, match="No space"):
        retrain(settings)
    assert (settings.out / "after.safetensors").exists() and not (settings.out / "after.resume").exists()
    result = retrain(settings)
    assert (
        begun == ["after", "after", "coco"]
        and model_file.read_metadata(settings.out / "after.safetensors")["steps"] == result["steps"] == 4
    )
    retrain(settings)
    assert len(begun) == 3


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"batch_size": 1}, "--batch-size"),
        ({"batch_size": 0}, "--batch-size"),
        ({"epochs": float("nan")}, "--epochs"),
        ({"lr": -1.0}, "--lr"),
        ({"coco_lr": 0.0}, "--coco-lr 0 "),
        ({"threads": 0}, "--threads"),
        ({"seed": -1}, "--seed"),
    ],
)
def test_wrong_settings_do_not_lock_the_folder(change, word, settings, trained):
    with pytest.raises(UsageError, match=word):
        retrain(replace(settings, **change))
    assert not settings.out.exists() and trained == []


def test_what_fails_before_its_first_model_does_not_lock_the_folder(settings, trained, monkeypatch):
    def fails(_asked):
        raise UserError("photos holds no readable images.")

    quick = retraining.train
    monkeypatch.setattr(retraining, "train", fails)
    with pytest.raises(UserError, match="photos"):
        retrain(replace(settings, backgrounds=(Path("photos"),)))
    monkeypatch.setattr(retraining, "train", quick)
    retrain(settings)
    with pytest.raises(UserError, match="another backgrounds"):
        retrain(replace(settings, backgrounds=(Path("photos"),)))


def test_only_the_network_that_tensorflow_trained_needs_its_weights(settings, trained, tmp_path, monkeypatch):
    def missing(_coco):
        raise UserError("no COCO weights")

    monkeypatch.setattr(retraining, "find_weights", missing)
    checkpoint.save(
        tmp_path / "lite.safetensors",
        build("ssdlite320_mobilenet_v3_large", "scratch"),
        {"sessions": ["old-1", "old-2", "old-3"]},
    )
    retrain(replace(settings, model=str(tmp_path / "lite.safetensors")))
    assert [asked.arch for asked in trained] == ["ssdlite320_mobilenet_v3_large"] * 2


def test_what_is_new(settings, trained, data, tmp_path):
    assert retrain(replace(settings, new=("new-1",), out=tmp_path / "named"))["new_sessions"] == ["new-1"]
    with pytest.raises(UserError, match="no labelled session other"):
        retrain(replace(settings, new=("other",), out=tmp_path / "o"))
    with pytest.raises(UserError, match="None of the sessions of --new .new-2. is .*splits.json"):
        retrain(replace(settings, new=("new-2",), out=tmp_path / "o"))
    checkpoint.save(
        tmp_path / "all.safetensors", build("ssd300_mobilenet_v1", "scratch"), {"sessions": sorted(SPLITS)}
    )
    with pytest.raises(UserError, match="is new to"):
        retrain(replace(settings, model=str(tmp_path / "all.safetensors"), out=tmp_path / "a"))
    checkpoint.save(tmp_path / "silent.safetensors", build("ssd300_mobilenet_v1", "scratch"), {})
    with pytest.raises(UserError, match="--new"):
        retrain(replace(settings, model=str(tmp_path / "silent.safetensors"), out=tmp_path / "s"))


def test_another_model_of_the_same_name_is_another_retraining(settings, trained, monkeypatch):
    retrain(settings)
    monkeypatch.chdir(settings.data.parent)
    retrain(replace(settings, model="mine", data=Path("data")))  # the same, called from elsewhere
    moved = shutil.move(settings.data, settings.data.with_name("elsewhere"))
    renamed = shutil.copy(settings.model, settings.data.with_name("renamed.safetensors"))
    retrain(replace(settings, model=str(renamed), data=moved, coco=Path("of another machine")))
    assert len(trained) == 2, "data and model count by what they hold"
    shutil.move(moved, settings.data)
    checkpoint.save(
        Path(settings.model),
        build("ssd300_mobilenet_v1", "scratch", seed=9),
        {"threshold": 0.5, "sessions": ["old-1", "old-2", "old-3"]},
    )
    with pytest.raises(UserError, match="another contents of its model"):
        retrain(settings)


def test_what_a_model_had_learned_from_is_no_test_of_it(settings, trained, caplog):
    """An old session, moved from train to test since."""
    network = build("ssd300_mobilenet_v1", "scratch")
    checkpoint.save(
        Path(settings.model),
        network,
        {"sessions": ["old-1", "old-2", "old-3"], "learned_from": ["old-1", "old-2"]},
    )
    dataset.write_splits(settings.data, SPLITS | {"old-1": "test"})
    result = retrain(settings)
    assert (
        result["before"]["old"]["images"] == result["after"]["old"]["images"] == 3
        and "moved to it since: 1 session (old-1)." in caplog.text
    )
    dataset.write_splits(
        settings.data, SPLITS | {"old-1": "test", "old-2": "test", "old-3": "train", "new-2": "val"}
    )
    result = retrain(replace(settings, out=settings.out.with_name("none")))
    assert result["before"]["old"] is None and "There is no old test session" in " ".join(result["answer"])


def looked(found: dict[str, list[bool]]) -> ModelResult:
    """Five sessions a part; where `found` the box is right, elsewhere it is nowhere."""
    items, outcomes, figures = {}, {}, {}
    for part, flags in found.items():
        items[part] = [Item(f"{part}-{i % 5}", str(i), None, None) for i in range(len(flags))]
        outcomes[part] = [
            Outcome(
                (640, 360),
                np.float32([BOX]),
                np.float32([BOX if flag else [400, 10, 500, 90]]),
                np.float32([0.9]),
            )
            for flag in flags
        ]
        figures[part] = measure(outcomes[part], 0.5) if flags else None
    return ModelResult(items, outcomes, figures, 0.5)


@pytest.mark.parametrize(
    ("images", "result"),
    [
        (1, "There are too few new test sessions to say: AP50-95 +1.00 on 1 new test session; 5 are needed."),
        (
            4,
            "There are too few new test sessions to say: AP50-95 +1.00 on 4 new test sessions; 5 are needed.",
        ),
        (
            5,
            "It is better on new sessions: AP50-95 +1.00 on 5 new test sessions "
            "(95 % interval +1.00 to +1.00).",
        ),
    ],
)
def test_few_sessions_say_nothing(images, result):
    before, after = (
        looked({"old": [], "new": [False] * images}),
        looked({"old": [], "new": [True] * images}),
    )
    changes = {part: change(before, after, part) for part in ("old", "new")}
    assert answer({"before": before, "after": after, "coco": after}, changes)[0] == result
    assert (changes["new"]["low"] is None) == (changes["new"]["high"] is None) == (images < 5)


def test_the_answer_follows_from_the_figures():
    nothing, everything = [False] * 10, [True] * 10
    before, after = (
        looked({"old": everything, "new": nothing}),
        looked({"old": [True, True, False, True, True] * 2, "new": everything}),
    )
    changes = {part: change(before, after, part) for part in ("old", "new")}
    assert (
        changes["new"]["ap50_95"] == pytest.approx(1.0)
        and changes["new"]["low"] > 0.9
        and changes["old"]["ap50_95"] < 0
    )
    result = answer({"before": before, "after": after, "coco": after}, changes)
    assert (
        result[0].startswith("It is better on new sessions: AP50-95 +1.00 on 5 new test sessions")
        and "too close to choose by" in result[2]
    )
    worse = {part: change(after, before, part) for part in ("old", "new")}
    assert answer({"before": after, "after": before, "coco": after}, worse)[0].startswith(
        "It is worse on new sessions"
    )
    same = {part: change(before, before, part) for part in ("old", "new")}
    assert answer({"before": before, "after": before, "coco": before}, same)[0].startswith(
        "No difference was found"
    )
    empty = looked({"old": everything, "new": []})
    silent = {part: change(empty, empty, part) for part in ("old", "new")}
    assert (
        silent["new"] is None
        and "no new test session" in answer({"before": empty, "after": empty, "coco": empty}, silent)[0]
    )


def test_new_sessions_without_a_vector_count_false_positives():
    """Captured on purpose, with things that were taken for Vectors."""

    def seen(score: float) -> ModelResult:
        outcomes = [
            Outcome((640, 360), np.zeros((0, 4), np.float32), np.float32([BOX]), np.float32([score]))
        ] * 2
        figures = measure(outcomes, 0.5) | {"false_positives": count_false_positives(outcomes, 0.5)}
        return ModelResult(
            {"old": [], "new": []}, {"old": [], "new": outcomes}, {"old": None, "new": figures}, 0.5
        )

    before, after = seen(0.9), seen(0.1)
    changes = {part: change(before, after, part) for part in ("old", "new")}
    result = answer({"before": before, "after": after, "coco": after}, changes)
    assert result[0] == "No Vector is in 2 images of new test sessions: 2 false positives before, 0 after."
    assert result[1].startswith("There is no old test session")


def test_close_figures_have_more_digits():
    looked_at = looked({"old": [True] * 4, "new": [True] * 4})
    changes = {
        "new": {"ap50_95": 0.003, "low": 0.001, "high": 0.004, "sessions": 4},
        "old": {"ap50_95": -0.003, "low": -0.004, "high": 0.0, "sessions": 4},
    }
    result = answer({"before": looked_at, "after": looked_at, "coco": looked_at}, changes)
    assert (
        result[0].startswith("It is better on new sessions, but hardly: AP50-95 +0.003")
        and "+0.001 to +0.004" in result[0]
    )
    assert result[1].startswith("No difference was found: AP50-95 -0.003") and "-0.004 to +0.000" in result[1]


def test_what_something_else_made_is_neither_used_nor_overwritten(settings, trained):
    """Somebody's own coco.safetensors, finished, would be taken for the model from COCO on everything."""
    own = settings.out / "coco.safetensors"
    checkpoint.save(own, build("ssd300_mobilenet_v1", "scratch"), {"threshold": 0.5, "steps": 12})
    own.with_suffix(".csv").write_text("step,ap50\n12,0.5\n")
    before = own.read_bytes()
    with pytest.raises(UserError, match="made by something else"):
        retrain(settings)
    assert trained == [] and own.read_bytes() == before


def test_torchrun_is_refused(settings, trained, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="without torchrun"):
        retrain(settings)


def mark_as_mined(data: Path, session: str) -> None:
    """As `label mine` leaves a session: no Vector in any image, and a file that says where it comes from."""
    for image in (data / "images" / session).iterdir():
        (data / "labels" / session / f"{image.stem}.txt").write_text("")
    dataset.write_session(data, session, {"form": dataset.MINED, "images": {}})


@pytest.fixture
def unmeasured(monkeypatch):
    """Models are not run: there are no test images."""
    nothing = ModelResult({"old": [], "new": []}, {"old": [], "new": []}, {"old": None, "new": None}, 0.5)
    monkeypatch.setattr(retraining, "measure_model", lambda *_: nothing)


@pytest.mark.usefixtures("unmeasured")
def test_what_was_mined_is_trained_on_and_said(settings, trained):
    mark_as_mined(settings.data, "new-1")
    result = retrain(settings)
    assert result["mined"] == 3 and result["new_sessions"] == ["new-1", "new-2"]
    assert "3 of the images to train on show no Vector" in (settings.out / "index.html").read_text()


@pytest.mark.usefixtures("unmeasured")
def test_options_of_training_are_those_of_train(settings, trained, tmp_path):
    folders = tmp_path / "rooms", tmp_path / "grounds"
    retrain(replace(settings, mosaic=0.3, cutout=0.15, backgrounds=folders, background_share=0.25))
    for asked in trained:
        assert asked.variety.changed() == {"mosaic": 0.3, "cutout": 0.15}
        assert asked.backgrounds == folders and asked.background_share == 0.25
    with pytest.raises(UserError, match="another mosaic"):
        retrain(replace(settings, cutout=0.15, backgrounds=folders, background_share=0.25))


@pytest.mark.fast
def test_pasting_without_masks_does_not_lock_the_folder(settings, trained):
    with pytest.raises(UserError, match="capture --robot sim --masks"):
        retrain(replace(settings, paste=0.2))
    assert not settings.out.exists() and trained == []
