"""The trainer end to end on made images: dark boxes on noise."""

import csv
import errno
import json
import math
import os
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vector_tl.data import dataset
from vector_tl.data.images import encode_mask
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.metrics import Outcome
from vector_tl.files import claimed, write_atomic
from vector_tl.nets import checkpoint, model_file
from vector_tl.nets.build import build
from vector_tl.train import loop, precision_check
from vector_tl.train.average import Average, mean_of
from vector_tl.train.batches import own_images
from vector_tl.train.curve import finished
from vector_tl.train.loop import lr_share, train
from vector_tl.train.settings import TrainSettings
from vector_tl.train.state import differences, training_identity


def made_data(folder, images=12):
    rng = np.random.default_rng(0)
    for session, count in (("one", images), ("two", 4)):
        for i in range(count):
            image = rng.integers(120, 200, (90, 160, 3)).astype(np.uint8)
            x, y, w, h = rng.integers(0, 80), rng.integers(0, 30), rng.integers(40, 70), rng.integers(35, 55)
            empty = i % 5 == 4
            if not empty:
                image[y : y + h, x : x + w] = 15
            boxes = np.zeros((0, 4)) if empty else np.array([[x, y, x + w, y + h]])
            dataset.write_item(
                folder,
                session,
                f"{i:02d}",
                cv2.imencode(".png", image)[1].tobytes(),
                boxes,
                (160, 90),
                ".png",
            )
            mask = (image.max(axis=2) == 15).astype(np.uint8)
            write_atomic(dataset.mask_path(folder, session, f"{i:02d}"), encode_mask(mask))
    dataset.write_splits(folder, {"one": "train", "two": "val"})
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made_data(tmp_path_factory.mktemp("made"))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(data, tmp_path):
    return TrainSettings(
        data=data,
        out=tmp_path / "m.safetensors",
        init="scratch",
        steps=3,
        batch_size=4,
        device="cpu",
        evaluations=3,
    )


def weights(path):
    return {k: v for k, v in checkpoint.load(path)[0].state_dict().items()}


def test_a_training_and_its_files(settings, capsys):
    result = train(settings)
    assert list(result) == ["model", "steps", "images_seen", "ap50", "ap50_95", "seconds"]
    assert (result["model"], result["steps"], result["images_seen"]) == (str(settings.out), 3, 12)
    _, metadata = checkpoint.load(settings.out)
    assert (
        metadata["init"] == "scratch"
        and metadata["seed"] == 0
        and metadata["data_digest"] == dataset.digest(settings.data)
    )
    assert list(metadata["thresholds"]) == ["fp32"] and 0 < metadata["thresholds"]["fp32"] < 1
    assert "hardly trained" in metadata["hardly_trained"]
    rows = list(csv.DictReader(settings.out.with_suffix(".csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3"] and all(float(row["loss"]) > 0 for row in rows)
    assert {p.name for p in settings.out.parent.iterdir()} == {"m.safetensors", "m.csv"}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("options", [
    {"ema": 0.0}, {"ema": 0.9},
    {"mosaic": 0.5, "max_zoom_out": 3.5, "colour_cast": 0.5, "grayscale": 0.5, "cutout": 0.5, "paste": 0.5,
     "max_decoded": 0},
])  # fmt: skip
def test_a_killed_training_is_resumed_to_the_same_weights(options, settings, tmp_path, monkeypatch):
    settings = replace(settings, **options)
    train(settings)
    broken = replace(settings, out=tmp_path / "killed.safetensors")
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    compute_loss, calls = loop.VectorSSD.compute_loss, []

    def dies_in_the_third_step(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compute_loss(*args)

    monkeypatch.setattr(loop.VectorSSD, "compute_loss", dies_in_the_third_step)
    with pytest.raises(KeyboardInterrupt):
        train(broken)
    checkpoint.load(broken.out)  # the best so far is whole
    with pytest.raises(UserError, match="--resume"):
        train(broken)
    with pytest.raises(UserError, match="other settings or data: another --steps or --epochs, --lr; use"):
        train(replace(broken, resume=True, steps=5, lr=1e-5))
    (tmp_path / ".killed.resume.abc.part").write_bytes(b"half of one")
    state = torch.load(tmp_path / "killed.resume", weights_only=True)
    assert 0 < state["seconds"] < 500
    torch.save(state | {"seconds": 1000.0}, tmp_path / "killed.resume")
    assert 1000 < train(replace(broken, resume=True))["seconds"] < 1500
    assert not list(tmp_path.glob(".*.part")), "what the killed one was writing is gone"
    one, other = weights(settings.out), weights(broken.out)
    assert all(torch.equal(one[k], other[k]) for k in one)
    assert settings.out.with_suffix(".csv").read_text() == broken.out.with_suffix(".csv").read_text()


@pytest.mark.parametrize("change", [
    {"evaluations": 2}, {"background_share": 0.25}, {"negatives": Path("photos")},
    {"backgrounds": (Path("photos"),)}, {"images": 3}, {"seed": 1}, {"lr": 1e-4}, {"ema": 0.9},
    {"mosaic": 0.5}, {"paste": 0.5}, {"max_zoom_out": 3.5}, {"colour_cast": 0.5}, {"grayscale": 0.5},
    {"cutout": 0.5}, {"max_decoded": 9}, {"backgrounds": (Path("photos"), Path("rooms"))},
    {"batch_size": 8}, {"arch": "ssdlite320_mobilenet_v3_large"}, {"init": "coco"},
])  # fmt: skip
def test_what_changes_the_curve_cannot_be_resumed(change, settings):
    one, other = (
        json.loads(training_identity(asked, 3)) for asked in (settings, replace(settings, **change))
    )
    assert differences(one, one) == differences(other, other) == []
    found = differences(one, other)
    assert f"--{min(change).replace('_', '-')}" in found and found == differences(other, one)
    assert set(found) <= {"--lr", *(f"--{name.replace('_', '-')}" for name in change)}, "its default, too"
    assert training_identity(
        replace(settings, device="cuda", threads=2, tensorboard=Path("board")), 3
    ) == training_identity(settings, 3)


def test_a_training_from_a_model_that_was_moved_is_resumed(settings, tmp_path):
    path, elsewhere, another = (tmp_path / f"{name}.safetensors" for name in ("mine", "renamed", "another"))
    for each, seed in ((path, 0), (another, 1)):
        checkpoint.save(each, build("ssd300_mobilenet_v1", "scratch", seed=seed), {})
    shutil.copy(path, elsewhere)
    begun, moved, other = (
        json.loads(training_identity(replace(settings, init=str(each)), 3))
        for each in (path, elsewhere, another)
    )
    assert differences(begun, moved) == [] and differences(begun, other) == ["--init"]
    before = [value for value in begun if not isinstance(value, dict)]  # as earlier versions wrote it
    assert differences(before, begun) == [] and differences(before, moved) == ["--init"]


def test_a_finished_training_says_so(settings):
    assert not finished(settings.out)
    train(settings)
    assert finished(settings.out)
    for more in ({}, {"steps": 9}):
        with pytest.raises(UserError, match="is finished, nothing is left to resume"):
            train(replace(settings, resume=True, **more))
    settings.out.with_suffix(".csv").write_text("step,ap50\n2,0.5\n")
    assert not finished(settings.out)
    with pytest.raises(UserError, match="exists already"):
        train(replace(settings, resume=True))


def test_a_new_start_forgets_the_old_curve_at_once(settings, monkeypatch):
    train(settings)

    def dies(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.VectorSSD, "compute_loss", dies)
    with pytest.raises(KeyboardInterrupt):
        train(replace(settings, overwrite=True))
    assert settings.out.exists() and not finished(settings.out)


def test_a_log_file_gets_a_line_for_each_evaluation(settings, caplog):
    with caplog.at_level("INFO", "vector_tl.train.watch"):
        train(replace(settings, steps=4, evaluations=2))
    lines = [record.getMessage() for record in caplog.records if record.name == "vector_tl.train.watch"]
    assert len(lines) == 2
    for step, line in zip((2, 4), lines, strict=True):
        assert re.fullmatch(
            rf"step {step} of 4  AP50 \d\.\d{{3}}  AP50-95 \d\.\d{{3}}  best \d\.\d{{3}}  \d+ s left",
            line,
        ), line


def board(folder):
    """What TensorBoard would read: {name: {step: value}}, later events of a step in place of earlier ones."""
    from tensorboardX.proto.event_pb2 import Event

    read = {}
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda p: p.stat().st_mtime_ns):
        data = path.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + size])
            for value in event.summary.value:
                read.setdefault(value.tag, {})[event.step] = value.simple_value
            data = data[16 + size :]
    return read


def test_tensorboard_gets_the_same_curve_as_the_csv(settings, tmp_path):
    settings = replace(settings, tensorboard=tmp_path / "board", steps=6, evaluations=2)
    train(settings)
    read = board(tmp_path / "board" / "m")
    assert sorted(read) == ["ap50", "ap50_95", "learning_rate", "loss"] and sorted(read["loss"]) == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    rows = list(csv.DictReader(settings.out.with_suffix(".csv").open()))
    assert [read["ap50"][int(row["step"])] for row in rows] == pytest.approx(
        [float(row["ap50"]) for row in rows]
    )
    assert np.mean([read["loss"][step] for step in (4, 5, 6)]) == pytest.approx(
        float(rows[1]["loss"]), abs=1e-4
    )
    train(replace(settings, overwrite=True, steps=2))
    assert sorted(board(tmp_path / "board" / "m")["loss"]) == [1, 2]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--tensorboard"):
        train(replace(settings, tensorboard=tmp_path / "file", overwrite=True))


@pytest.mark.parametrize(
    "full_after", [3, 7, 10_000]
)  # events; the last: only what is buffered until the end does not fit
def test_a_full_disk_ends_tensorboard_and_not_the_training(
    full_after, settings, tmp_path, caplog, monkeypatch
):
    from tensorboardX.event_file_writer import EventsWriter

    write, flush, written = EventsWriter.write_event, EventsWriter.flush, []

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        EventsWriter,
        "write_event",
        lambda self, event: (
            written.append(event) or (full() if len(written) > full_after else write(self, event))
        ),
    )
    monkeypatch.setattr(EventsWriter, "flush", lambda self: full() if len(written) > 5 else flush(self))
    assert train(replace(settings, tensorboard=tmp_path / "board", steps=4))["steps"] == 4
    warnings = [record.getMessage() for record in caplog.records if "TensorBoard" in record.getMessage()]
    assert (
        len(warnings) == 1 and "No space left on device" in warnings[0] and "continues without" in warnings[0]
    )


def test_the_mean_of_the_weights_follows_its_formula():
    model = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    average = Average(model, 0.5)
    model[0].weight.data.fill_(0.0)
    average.network[0].weight.data.fill_(1.0)
    wanted = 1.0
    for update in range(1, 12):
        model[0].weight.data.fill_(float(update))
        model[1].num_batches_tracked.fill_(update)
        average.update()
        kept = min(0.5, (1 + update) / (10 + update))
        wanted = kept * wanted + (1 - kept) * update
        assert average.network[0].weight.item() == pytest.approx(wanted, rel=1e-5)
        assert average.network[1].num_batches_tracked == update
    assert model[0].weight.item() == 11.0 and not average.network[0].weight.requires_grad
    other = Average(model, 0.5)
    other.restore(average.state())
    average.update(), other.update()
    assert torch.equal(average.network[0].weight, other.network[0].weight)


def test_the_mean_of_several_networks_weighs_them():
    def network(weight, statistics):
        made = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
        made[0].weight.data.fill_(weight)
        made[1].running_var.fill_(statistics)
        made[1].num_batches_tracked.fill_(7)
        return made

    first, second = network(1.0, 2.0), network(5.0, 4.0)
    mean = mean_of([first, second], [3, 1])
    assert (mean[0].weight.item(), mean[1].running_var.item(), mean[1].num_batches_tracked.item()) == (
        2.0,
        2.5,
        7,
    )
    assert first[0].weight.item() == 1.0
    for networks, shares in (
        ([], []),
        ([first], [1, 2]),
        ([first, second], [1, -1]),
        ([first], [0]),
        ([first, torch.nn.Linear(1, 1)], [1, 1]),
    ):
        with pytest.raises(ValueError, match="mean"):
            mean_of(networks, shares)


def test_without_a_decay_the_model_itself_is_kept(settings, tmp_path):
    model = torch.nn.Linear(1, 1)
    assert Average(model, 0.0).network is model and Average(model, 0.0).state() == {}
    with pytest.raises(UsageError, match="--ema"):
        train(replace(settings, ema=1.0))
    train(settings)
    train(replace(settings, ema=0.9, out=tmp_path / "mean.safetensors"))
    one, other = weights(settings.out), weights(tmp_path / "mean.safetensors")
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_initial_weights_do_not_change_the_order_of_images(settings, tmp_path, monkeypatch):
    seen = []
    compute_loss = loop.VectorSSD.compute_loss

    def listens(self, targets, outputs, *more):
        seen.append(targets.boxes.tolist())
        return compute_loss(self, targets, outputs, *more)

    monkeypatch.setattr(loop.VectorSSD, "compute_loss", listens)
    train(settings)
    train(replace(settings, init=str(settings.out), out=tmp_path / "second.safetensors"))
    assert seen[:3] == seen[3:]


def test_nothing_is_overwritten(settings):
    settings.out.write_bytes(b"precious")
    with pytest.raises(UserError, match="--overwrite"):
        train(settings)
    assert settings.out.read_bytes() == b"precious"
    train(replace(settings, overwrite=True, steps=1))
    checkpoint.load(settings.out)


@pytest.mark.parametrize(("change", "kind", "word"), [
    ({"init": "nowhere"}, UserError, "nowhere"), ({"arch": "yolo"}, UsageError, "yolo"),
    ({"epochs": 1.0}, UsageError, "--steps"), ({"steps": 0}, UsageError, "--steps"),
    ({"lr": float("nan")}, UsageError, "--lr"), ({"seed": -1}, UsageError, "--seed"),
    ({"mosaic": 1.5}, UsageError, "--mosaic must be"), ({"cutout": float("nan")}, UsageError, "--cutout"),
    ({"colour_cast": -0.1}, UsageError, "--colour-cast"), ({"grayscale": 2.0}, UsageError, "--grayscale"),
    ({"max_zoom_out": 0.5}, UsageError, "--max-zoom-out"), ({"max_decoded": -1}, UsageError, "--max-decoded"),
    ({"threads": 0}, UsageError, "--threads"), ({"batch_size": 1}, UsageError, "--batch-size"),
    ({"coco": "no/such", "init": "coco"}, UserError, "COCO"),
])  # fmt: skip
def test_bad_settings(settings, change, kind, word):
    with pytest.raises(kind, match=word):
        train(replace(settings, **change))
    assert not list(settings.out.parent.iterdir())


def test_missing_data(settings, tmp_path):
    with pytest.raises(UserError, match="images"):
        train(replace(settings, data=tmp_path / "none"))
    dataset.write_item(
        tmp_path / "some",
        "one",
        "0",
        cv2.imencode(".png", np.zeros((9, 16, 3)))[1].tobytes(),
        np.zeros((0, 4)),
        (16, 9),
    )
    with pytest.raises(UserError, match="split train"):
        train(replace(settings, data=tmp_path / "some"))


def test_a_diverged_training_ends_with_an_error(settings):
    with pytest.raises(UserError, match="--lr"):
        train(replace(settings, lr=1e30, evaluations=1))


def test_backgrounds_and_negatives(settings, tmp_path):
    for i in range(10):
        path = tmp_path / "photos" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.full((30, 30, 3), 20 * i, np.uint8))
    train(replace(settings, backgrounds=(tmp_path / "photos",), negatives=tmp_path / "photos", steps=1))
    assert checkpoint.load(settings.out)[1]["backgrounds"] == 9
    assert checkpoint.load(settings.out)[1]["variety"] == {}
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        train(replace(settings, out=tmp_path / "b.safetensors", backgrounds=(tmp_path / "empty",)))
    with pytest.raises(UsageError, match="--background-share 0.9 leaves no image"):
        train(
            replace(
                settings,
                out=tmp_path / "b.safetensors",
                backgrounds=(tmp_path / "photos",),
                background_share=0.9,
            )
        )


def test_the_threshold_is_settled_by_all_views(settings, tmp_path, monkeypatch):
    """A false positive that only a nearer view shows raises the threshold of the model that is kept.

    Nothing else of the model changes, and a training that is killed in between can be resumed.
    """
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "0.png"), np.full((30, 30, 3), 90, np.uint8))
    asked, kept = replace(settings, negatives=tmp_path / "photos"), []

    def box_of_93(model, images):
        kept.append(checkpoint.load(asked.out))
        if len(kept) == 1:
            raise KeyboardInterrupt
        return [Outcome((64, 36), np.zeros((0, 4)), np.float32([[0, 0, 9, 9]]), np.float32([0.9305]))]

    def finds_all(model, images):
        return [Outcome((64, 36), boxes, boxes, np.float32([0.95] * len(boxes))) for boxes in images.boxes]

    monkeypatch.setattr(loop, "run_views", box_of_93)
    monkeypatch.setattr(loop, "run_model", finds_all)
    with pytest.raises(KeyboardInterrupt):
        train(asked)
    train(replace(asked, resume=True))
    network, about = checkpoint.load(asked.out)
    assert about == kept[0][1] | {"thresholds": {"fp32": 0.931}} != kept[0][1]
    assert all(
        torch.equal(values, kept[0][0].state_dict()[name]) for name, values in network.state_dict().items()
    )
    assert finished(asked.out)


@pytest.mark.parametrize(
    ("batch_size", "share", "own"), [(16, 0.0, 16), (16, 0.125, 14), (16, 0.01, 15), (4, 0.5, 2), (2, 0.5, 1)]
)
def test_an_epoch_is_over_the_datasets_own_images(batch_size, share, own, settings, tmp_path, monkeypatch):
    """12 images: `--epochs` counts what is trained on of them, not of the backgrounds beside them."""
    assert own_images(batch_size, share) == own
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "0.png"), np.full((30, 30, 3), 90, np.uint8))
    monkeypatch.setattr(loop, "lr_share", lambda step, steps: pytest.fail(str(steps)))
    backgrounds = {"backgrounds": (tmp_path / "photos",), "background_share": share} if share else {}
    with pytest.raises(pytest.fail.Exception, match=f"^{math.ceil(2 * 12 / own)}$"):
        train(replace(settings, epochs=2.0, steps=None, batch_size=batch_size, **backgrounds))


@pytest.mark.parametrize(
    ("init", "asked", "kept"), [("scratch", None, 6.4e-3), ("own", None, 8e-4), ("scratch", 1e-3, 1e-3)]
)
def test_initial_weights_have_the_learning_rate_that_serves_them(settings, tmp_path, init, asked, kept):
    if init == "own":
        init = str(tmp_path / "own.safetensors")
        checkpoint.save(Path(init), build(settings.arch, "scratch"), {"threshold": 0.5})
    train(replace(settings, init=init, lr=asked, steps=1, evaluations=1))
    assert checkpoint.load(settings.out)[1]["lr"] == kept


def test_learning_rate_rises_and_falls():
    share = [lr_share(step, 600) for step in range(600)]
    assert share[0] < 0.02 and share[59] == 1.0 and share[-1] == pytest.approx(0.02, abs=1e-4)
    assert all(a >= b for a, b in pairwise(share[59:]))
    assert lr_share(0, 1) == 1.0


def test_ap_rises_on_made_images(tmp_path):
    """No proof of quality, only of learning: after 112 images COCO's network detects dark boxes on noise."""
    coco = Path(os.environ.get("VECTOR_TL_COCO", Path(__file__).resolve().parents[2] / "../shared/coco"))
    if not coco.exists():
        pytest.skip("the COCO weights are not here; name them with VECTOR_TL_COCO")
    result = train(TrainSettings(
        data=made_data(tmp_path, 30), out=tmp_path / "m.safetensors", init="coco", coco=coco, steps=14,
        batch_size=8, device="cpu", evaluations=1, lr=1.6e-3,
    ))  # fmt: skip
    assert result["ap50"] > 0.5, result


@pytest.mark.parametrize(
    ("trained", "asked", "checked"), [(True, True, 1), (False, True, 0), (True, False, 0)]
)
def test_faster_precisions_are_checked_at_the_end(trained, asked, checked, settings, monkeypatch, caplog):
    """Unless the model is hardly trained; and what goes wrong there costs no training."""
    note = None if trained else "hardly trained"
    scores = {"thresholds": {"fp32": 0.5}, "calibration": None, "hardly_trained": note}
    seen = []

    def breaks(path, val, threads):
        seen.append((path, [item.session for item in val.items]))
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(loop, "judge_scores", lambda *_: scores)
    monkeypatch.setattr(precision_check, "settle_precisions", breaks)
    assert train(replace(settings, steps=1, check_precisions=asked))["steps"] == 1
    assert seen == [(settings.out, ["two"] * 4)] * checked
    assert caplog.text.count("RuntimeError: no such kernel") == checked
    assert {p.name for p in settings.out.parent.iterdir()} == {"m.safetensors", "m.csv"}


def test_two_processes_do_not_train_the_same_model(settings):
    with claimed(settings.out.with_suffix(".lock")) as mine:
        with pytest.raises(UserError, match="Another process is training"):
            train(settings)
        assert mine and not settings.out.exists()
    train(settings)
    assert {p.name for p in settings.out.parent.iterdir()} == {"m.safetensors", "m.csv"}


def test_metadata_name_the_sessions_learned_from(settings, tmp_path):
    train(settings)
    assert model_file.read_metadata(settings.out)["learned_from"] == ["one", "two"]
    further = replace(
        settings, init=str(settings.out), out=tmp_path / "further.safetensors", steps=1, evaluations=1
    )
    checkpoint.save(
        settings.out, build(settings.arch, "scratch"), {"threshold": 0.5, "learned_from": ["one", "zero"]}
    )
    train(further)
    assert model_file.read_metadata(further.out)["learned_from"] == ["one", "two", "zero"]


def test_a_table_of_somebody_else_is_left_alone(settings):
    votes = settings.out.with_suffix(".csv")
    votes.write_text("voter,side\n1,left\n")
    with pytest.raises(UserError, match="m.csv exists already"):
        train(settings)
    assert votes.read_text() == "voter,side\n1,left\n"
    assert not finished(settings.out)


def test_images_without_any_vector_teach_nothing(settings, tmp_path):
    data = made_data(tmp_path / "none")
    for label in (data / "labels" / "one").glob("*.txt"):
        label.write_text("")
    with pytest.raises(UserError, match="No image to train on shows a Vector, of 12 there"):
        train(replace(settings, data=data))
    assert not settings.out.exists()


def test_val_sessions_without_a_vector_give_a_warning(settings, tmp_path, caplog):
    data = made_data(tmp_path / "none")
    for label in (data / "labels" / "two").glob("*.txt"):
        label.write_text("")
    result = train(replace(settings, data=data, steps=1, evaluations=1))
    assert result["ap50"] is None and "val sessions show no Vector" in caplog.text


def test_two_trainings_of_one_name_do_not_share_their_figures(settings, tmp_path):
    first = replace(settings, tensorboard=tmp_path / "board", steps=1, evaluations=1)
    train(first)
    with pytest.raises(UserError, match="figures of another training"):
        train(replace(first, out=tmp_path / "elsewhere" / "m.safetensors"))
    assert list(board(tmp_path / "board" / "m")["loss"]) == [1]


def test_a_place_that_cannot_be_written_to_is_refused_at_once(settings, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is not a folder"):
        train(replace(settings, out=tmp_path / "file" / "deep" / "m.safetensors"))
