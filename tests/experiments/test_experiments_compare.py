"""The comparison: what it trains and keeps, how it continues, and an answer that follows from the figures."""

import csv
import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vector_tl.cli import parse
from vector_tl.data import dataset
from vector_tl.errors import Diverged, UsageError, UserError
from vector_tl.evaluate.metrics import Outcome, measure
from vector_tl.experiments import compare as comparison
from vector_tl.experiments import compare_sheets, training_runs
from vector_tl.experiments.compare import (
    best_rate,
    choose_rates,
    compare,
    plan,
    possible_sizes,
)
from vector_tl.experiments.compare_answer import answer, signed
from vector_tl.experiments.compare_figures import (
    Resamples,
    area,
    at_first,
    difference,
    head_start,
    needed,
    reached,
    resample,
    seen_until,
    summary,
)
from vector_tl.experiments.compare_page import _seen, by_image_note, own_share, rates_note
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.compare_sheets import judge, worst_false_positives, worst_missed
from vector_tl.experiments.comparison_data import ComparisonData
from vector_tl.experiments.experiment import _changed, noted, with_settings_of
from vector_tl.experiments.runs import Training, late_loss, still_rising, write_outcomes
from vector_tl.experiments.training_runs import shuffled
from vector_tl.files import claimed
from vector_tl.nets import checkpoint
from vector_tl.nets.build import build
from vector_tl.train.batches import Images
from vector_tl.web.pages import command_line


def curve(*heights: float | None) -> list[dict]:
    return [{"images_seen": 100 * n, "loss": 1.0, "ap50": h, "ap50_95": h} for n, h in enumerate(heights, 1)]


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for session in "abcde":
        for i in range(4):
            image = rng.integers(0, 255, (36, 64, 3)).astype(np.uint8)
            boxes = np.zeros((0, 4)) if i == 3 else np.array([[10, 5, 40, 30]])
            dataset.write_item(
                tmp_path / "data",
                session,
                str(i),
                cv2.imencode(".png", image)[1].tobytes(),
                boxes,
                (64, 36),
                ".png",
            )
    dataset.write_splits(
        tmp_path / "data", {"a": "train", "b": "train", "c": "val", "d": "test", "e": "test"}
    )
    return tmp_path / "data"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that has learned nothing: its file, and what `checkpoint.load` returns of it."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    checkpoint.save(path, build("ssd300_mobilenet_v1", "scratch"), {"threshold": 0.5})
    return path, checkpoint.load(path)


def finds_nothing(_network, images: Images) -> list[Outcome]:
    size = np.array([640, 360, 640, 360], np.float32)
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    return [Outcome((640, 360), np.float32(boxes * size), *none) for boxes in images.boxes]


@pytest.fixture
def trained(monkeypatch, model):
    """Instead of training: a network that finds nothing, and a curve that depends on the arm.

    A list of what was asked for.
    """
    asked, (path, loaded) = [], model

    def quick(settings, items, keep):
        name = settings.out.parent.name
        asked.append(
            (name, settings.init, settings.steps, settings.images, settings.seed, settings.lr, len(items[0]))
        )
        shutil.copy(path, settings.out)
        best_lr, height = (8e-4, 0.9) if settings.init == "coco" else (1.6e-3, 0.4)
        height -= 10 * abs(settings.lr - best_lr)
        with settings.out.with_suffix(".csv").open("w") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "images_seen", "loss", "ap50", "ap50_95"])
            writer.writerows([[1, 8, 2.0, 0.1, 0.05], [2, 16, 1.0, height, height]])
        return {"ap50": height, "ap50_95": height, "seconds": 0.1}

    monkeypatch.setattr(training_runs, "train", quick)
    monkeypatch.setattr(training_runs.checkpoint, "load", lambda _path: loaded)
    monkeypatch.setattr(training_runs, "run_model", finds_nothing)
    monkeypatch.setattr(comparison, "find_weights", lambda coco: coco)
    return asked


def small(data, tmp_path, **other) -> CompareSettings:
    return CompareSettings(
        **{
            "data": data,
            "out": tmp_path / "out",
            "seeds": 2,
            "sizes": ("2", "all"),
            "images_seen": 32,
            "max_images_seen": 64,
            "batch_size": 8,
        }
        | other
    )


def test_both_arms_get_the_same_but_for_weights_and_rate(data, tmp_path, trained):
    real = shutil.copytree(data, tmp_path / "real")
    result = compare(small(data, tmp_path, real=real, test_negatives=real / "images"))
    equal = {
        (init, images, seed): (steps, lr)
        for name, init, steps, images, seed, lr, _ in trained
        if name.startswith("equal")
    }
    assert len(equal) == 8 and {steps for steps, _ in equal.values()} == {4}
    assert {lr for (init, *_), (_, lr) in equal.items() if init == "coco"} == {
        8e-4
    }  # each has the rate that served it best
    assert {lr for (init, *_), (_, lr) in equal.items() if init == "scratch"} == {1.6e-3}
    assert {images for _, images, _ in equal} == {2, None}
    assert result["runs"] == len(trained) == 6 + 1 + 8 + 2 + 4 and len(result["answer"]) == 2
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(sentence.split(":")[0] in page for sentence in result["answer"])
    assert (
        "://" not in page
        and "Real images" in page
        and "The head start" in page
        and page.count("data:image/svg") == 2
    )
    assert (
        "from scratch: 20 real images, the first 12 of them" in page
        and " in 20 images</td>" in page
        and "8 test images with a missed Vector" in page
        and "learning rate (chosen)" in page
    )
    assert (
        re.search(r"<td>0.0032</td><td>-</td><td>0.384 \(1.000\)</td>", page)
        and "0.400 (1.000), chosen" in page
    )  # tried beyond the edge, and not better
    kept = json.loads((tmp_path / "out" / "results.json").read_text())
    assert kept["summary"]["arms"]["coco"]["images_seen_for_ap50"]["0.9"] == {
        "images_seen": 16,
        "reached": 2,
        "of": 2,
        "at_most": False,
    }
    gap = kept["summary"]["difference"]  # two sessions give no interval
    assert gap.pop("coco") == gap.pop("scratch") < 0.1 and gap == {
        "ap50_95": 0,
        "low": None,
        "high": None,
        "seeds": 2,
        "sessions": 2,
    }


@pytest.mark.parametrize("asked", [True, False])
def test_faster_precisions_are_checked_for_models_to_go_on_with(asked, data, tmp_path, trained, monkeypatch):
    """Of both arms alike; and it is no other experiment with them or without."""
    train, checked = training_runs.train, {}

    def noting(settings, *rest):
        checked[settings.out.parent.name] = settings.check_precisions
        return train(settings, *rest)

    monkeypatch.setattr(training_runs, "train", noting)
    compare(small(data, tmp_path, seeds=1, check_precisions=asked))
    final = {f"{kind}-{arm}-all-seed0" for kind in ("equal", "long") for arm in ("coco", "scratch")}
    assert {name for name, wanted in checked.items() if wanted} == (final if asked else set())
    assert len(checked) > len(final)
    compare(small(data, tmp_path, seeds=1, check_precisions=not asked))


def test_what_is_finished_is_not_run_again_and_another_experiment_is_refused(data, tmp_path, trained):
    settings = small(data, tmp_path)
    compare(settings)
    count = len(trained)
    compare(settings)
    assert len(trained) == count
    compare(small(data, tmp_path, seeds=3))  # more of the same is welcome
    assert len(trained) == count + 4 + 2
    with pytest.raises(UserError, match="another images_seen"):
        compare(small(data, tmp_path, images_seen=40))


@pytest.mark.fast
def test_what_may_change_between_two_starts(data, tmp_path, trained, monkeypatch):
    """Only whether a folder is taken for the same experiment, and what it remembers; nothing is trained."""
    monkeypatch.setattr(
        comparison,
        "share",
        lambda runs, *_: [{"lr": 8e-4, "arm": run.arm, "val_ap50_95": 0.5, "curve": []} for run in runs],
    )
    monkeypatch.chdir(tmp_path)
    first = small(data, tmp_path, max_images_seen=0, lrs=(8e-4,), backgrounds=(data / "images",))
    compare(first)
    compare(
        replace(
            first,
            data=Path("data"),
            backgrounds=(Path("data/../data/images"),),
            device="cpu",
            max_images_seen=64,
            threads=1,
        )
    )
    compare(first)  # the long ones are left out this time, not forgotten
    with pytest.raises(UserError, match="another max_images_seen"):
        compare(replace(first, max_images_seen=72))
    with pytest.raises(UserError, match="another batch_size"):
        compare(replace(first, batch_size=4))
    compare(CompareSettings(data=data, out=first.out, page_only=True))  # takes the settings from there
    again = command_line("compare", replace(first, max_images_seen=64))
    assert (
        again in (first.out / "index.html").read_text()
        and "--lrs 0.0008 " in again
        and "--sizes 2 all " in again
    )
    compare(replace(first, coco=Path("of another machine"), page_only=True))  # it is the same file everywhere
    with pytest.raises(UserError, match="another images_seen"):
        compare(CompareSettings(data=data, out=first.out, images_seen=40, page_only=True))
    with pytest.raises(UserError, match="nowhere"):  # not: another digest
        compare(CompareSettings(data=tmp_path / "nowhere", out=first.out, page_only=True))
    compare(
        replace(first, data=data.rename(tmp_path / "moved"), backgrounds=(data / "images",), page_only=True)
    )
    data = tmp_path / "moved"
    dataset.write_splits(data, {"a": "train", "b": "val", "c": "val", "d": "test", "e": "test"})
    with pytest.raises(UserError, match="another digest"):
        compare(replace(first, data=data, page_only=True))


@pytest.mark.fast
@pytest.mark.parametrize(
    "other",
    [
        {},
        {"max_images_seen": 0},
        {"check_precisions": False},
        {"lrs": (1e-4, 0.5)},
        {"sizes": ("25",), "seeds": 1},
        {"device": "cpu", "threads": 2, "batch_size": 4, "evaluations": 5},
        {
            "arch": "ssdlite320_mobilenet_v3_large",
            "real": Path("my stills"),
            "negatives": Path("n"),
            "test_negatives": Path("t"),
            "backgrounds": (Path("b"), Path("c")),
            "mosaic": 0.3,
            "cutout": 0.15,
        },
    ],
)
def test_again_is_what_was_asked_for(other):
    settings = CompareSettings(**{"data": Path("data"), "out": Path("runs/a b")} | other)
    program, name, *words = shlex.split(command_line("compare", settings, without="page_only"))
    assert (program, name) == ("vector-tl", "compare") and parse("compare", words)[0] == settings
    page_only = command_line("compare", replace(settings, page_only=True), without="page_only")
    assert shlex.split(page_only) == [program, name, *words]


@pytest.mark.fast
def test_options_of_training_belong_to_an_experiment(tmp_path):
    """Also in a folder that was begun before there were any: it names one folder of backgrounds or None."""
    folders = tmp_path / "a", tmp_path / "b"
    plain = CompareSettings(data=tmp_path, out=tmp_path / "out")
    asked = replace(plain, backgrounds=folders, mosaic=0.3, background_share=0.25)
    before = noted(asked)
    assert with_settings_of(plain, before) == asked and _changed(asked, before) == []
    assert set(_changed(plain, before)) == {"backgrounds", "mosaic", "background_share"}
    assert set(_changed(asked, noted(plain))) == {"backgrounds", "mosaic", "background_share"}
    old = noted(plain)
    assert old["backgrounds"] == "None" and "mosaic" not in old
    assert with_settings_of(plain, old) == plain
    one = with_settings_of(plain, old | {"backgrounds": str(folders[0])})
    assert one.backgrounds == folders[:1] and _changed(one, old | {"backgrounds": str(folders[0])}) == []


@pytest.mark.fast
@pytest.mark.parametrize("what", ["real", "test_negatives", "backgrounds", "negatives"])
def test_a_folder_that_is_not_there_is_found_out_before_any_training(data, tmp_path, trained, what):
    nowhere = tmp_path / "nowhere"
    with pytest.raises(UserError, match="nowhere"):
        compare(small(data, tmp_path, **{what: (nowhere,) if what == "backgrounds" else nowhere}))
    assert trained == [] and not (tmp_path / "out" / "experiment.json").exists()


@pytest.mark.fast
def test_missing_coco_weights_are_found_out_before_any_training(data, tmp_path, trained, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(UserError, match="no COCO weights"):
        compare(small(data, tmp_path, coco=tmp_path / "nowhere"))
    assert not (tmp_path / "out").exists()


def test_what_fails_after_a_training_does_not_cost_it(data, tmp_path, trained, monkeypatch):
    settings = small(data, tmp_path, seeds=1, sizes=("all",), max_images_seen=0, lrs=(8e-4,))
    run_model = training_runs.run_model

    def full(*_):
        raise UserError("The disk is full.")

    monkeypatch.setattr(training_runs, "run_model", full)
    for _ in range(2):
        with pytest.raises(UserError, match="full"):
            compare(settings)
    assert len(trained) == 1
    monkeypatch.setattr(training_runs, "run_model", run_model)
    compare(settings)
    assert "chosen" not in (settings.out / "index.html").read_text()  # of one rate there is no choice
    assert [name for name, *_ in trained] == [
        "equal-coco-all-seed0",
        "equal-scratch-all-seed0",
        "random-coco-all-seed0",
        "random-scratch-all-seed0",
    ]


@pytest.mark.fast
@pytest.mark.parametrize(
    "ap_of_rate, tried, chosen",
    [
        ({4e-4: 0.5, 8e-4: 0.6, 1.6e-3: 0.5}, 3, 8e-4),
        ({4e-4: 0.5, 8e-4: 0.6, 1.6e-3: 0.7, 3.2e-3: 0.6}, 4, 1.6e-3),
        ({4e-4: 0.5, 8e-4: 0.6, 1.6e-3: 0.7, 3.2e-3: 0.8, 6.4e-3: 0.9}, 5, 6.4e-3),  # twice and no more
        ({2e-4: 0.8, 4e-4: 0.7, 8e-4: 0.6, 1.6e-3: 0.5, 1e-4: None}, 5, 2e-4),
        ({4e-4: 0.5, 8e-4: None, 1.6e-3: None, 2e-4: 0.4}, 4, 4e-4),  # None: diverges
    ],
)
def test_rates_beyond_an_edge_are_tried_and_divergence_is_no_end(
    data, tmp_path, monkeypatch, ap_of_rate, tried, chosen
):
    seen = []

    def quick(settings, _items, _keep):
        seen.append(settings.lr)
        if ap_of_rate[settings.lr] is None:
            raise Diverged("too high")
        settings.out.with_suffix(".csv").write_text(
            f"step,images_seen,loss,ap50,ap50_95\n1,8,1.0,{ap_of_rate[settings.lr]},{ap_of_rate[settings.lr]}\n"
        )
        return {"ap50": 0.5, "ap50_95": ap_of_rate[settings.lr], "seconds": 0.1}

    monkeypatch.setattr(training_runs, "train", quick)
    settings = small(data, tmp_path, lrs=(4e-4, 8e-4, 1.6e-3))
    material = comparison.gather(settings)
    assert choose_rates(settings, material) == {"coco": chosen, "scratch": chosen} and len(
        seen
    ) == 2 * tried == 2 * len(set(seen))
    assert (
        choose_rates(settings, material) == {"coco": chosen, "scratch": chosen} and len(seen) == 2 * tried
    )  # known by now


@pytest.mark.fast
def test_training_that_diverges_at_every_rate(data, tmp_path, monkeypatch):
    def diverge(*_):
        raise Diverged("too high")

    monkeypatch.setattr(training_runs, "train", diverge)
    settings = small(data, tmp_path)
    with pytest.raises(UserError, match="diverges at every learning rate .0.0001, 0.0002, 0.0004"):
        choose_rates(settings, comparison.gather(settings))


@pytest.mark.fast
@pytest.mark.parametrize(
    "trials, chosen",
    [
        ([(1e-3, 0.6, 2.0), (2e-3, 0.5, 1.0)], 1e-3),
        ([(1e-3, 0.008, 2.0), (2e-3, 0.005, 1.0)], 2e-3),  # .008 and .005 are chance
        ([(2e-3, 0.0, 2.0), (1e-3, 0.0, 2.0)], 1e-3),  # no better: the lower
        ([(1e-3, None, 2.0), (5e-4, 0.0, None)], 1e-3),
        ([(2e-3, 0.0, None), (1e-3, 0.0, None)], 1e-3),
    ],
)
def test_best_rate(trials, chosen):
    curves = [[] if loss is None else [{"images_seen": 16, "loss": loss}] for _, _, loss in trials]
    assert (
        best_rate(
            [
                {"lr": lr, "val_ap50_95": ap, "curve": points}
                for (lr, ap, _), points in zip(trials, curves, strict=True)
            ]
        )
        == chosen
    )


@pytest.mark.fast
def test_the_late_loss_is_of_more_than_one_batch():
    points = [
        {"images_seen": seen, "loss": loss} for seen, loss in ((100, 9.0), (300, 3.0), (390, 2.0), (400, 1.0))
    ]
    assert late_loss(points) == 1.5 and late_loss([]) is None


@pytest.mark.fast
@pytest.mark.parametrize(
    "sizes, kept",
    [
        (("2", "all"), ("2", "all")),
        (("2", "8", "9", "all"), ("2", "all")),
        (("2", "8", "9"), ("2", "8")),
        (("all", "all"), ("all",)),
        (("9",), None),
    ],
)
def test_more_images_than_there_are(sizes, kept):
    if kept is None:
        with pytest.raises(UsageError, match="8 images"):
            possible_sizes(sizes, 8)
    else:
        assert possible_sizes(sizes, 8) == kept


@pytest.mark.fast
def test_the_page_of_what_is_there(data, tmp_path, trained):
    result = compare(small(data, tmp_path, page_only=True))
    assert (
        trained == []
        and "no pair" in result["answer"][0]
        and not (tmp_path / "out" / "experiment.json").exists()
    )


@pytest.mark.parametrize(("max_images_seen", "shown"), [(0, False), (64, True)])
def test_where_it_stops_gaining_is_a_row_only_if_that_was_tried(
    data, tmp_path, trained, max_images_seen, shown
):
    compare(small(data, tmp_path, max_images_seen=max_images_seen, seeds=1))
    assert ("trained longer: AP50-95" in (tmp_path / "out" / "index.html").read_text()) == shown


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        {"sizes": ("0",)},
        {"sizes": ("many",)},
        {"sizes": ()},
        {"seeds": 0},
        {"images_seen": 4},
        {"max_images_seen": 8},
        {"lrs": ()},
        {"lrs": (-1.0,)},
        {"arch": "vgg"},
        {"batch_size": 1},
        {"evaluations": 3},
        {"threads": 0},
        {"device": "gpu"},
        {"sizes": ("9",)},
        {"sizes": ("2",)},  # the answer rests on all images
        {"real": Path("photos/some"), "backgrounds": (Path("other"), Path("photos"))},
        {"test_negatives": Path("rooms"), "negatives": Path("./rooms/some")},
    ],
)
def test_wrong_settings(data, tmp_path, trained, wrong):
    with pytest.raises(UsageError):
        compare(small(data, tmp_path, **wrong))
    assert trained == [] and not (tmp_path / "out").exists()  # nothing holds on to them


@pytest.mark.fast
def test_parts_alone_are_refused_at_once_unless_all_images_were_trained_on_before(data, tmp_path, trained):
    with pytest.raises(UsageError, match="add the word all"):
        compare(small(data, tmp_path, sizes=("2",)))
    assert trained == [] and not (tmp_path / "out").exists()
    compare(small(data, tmp_path, sizes=("all",), seeds=1))
    before = len(trained)
    result = compare(small(data, tmp_path, sizes=("2",), seeds=1))
    assert len(trained) == before + 2 and "images seen" in result["answer"][0]


@pytest.mark.fast
def test_a_dataset_without_test_sessions(data, tmp_path, trained):
    dataset.write_splits(data, dict.fromkeys("abcde", "train"))
    with pytest.raises(UserError, match="split val"):
        compare(small(data, tmp_path))


@pytest.mark.fast
def test_test_sessions_without_a_vector_are_refused(data, tmp_path, trained):
    for label in (path for session in "de" for path in (data / "labels" / session).glob("*.txt")):
        label.write_text("")
    with pytest.raises(UserError, match="test sessions .* show no Vector"):
        compare(small(data, tmp_path))
    assert trained == []


@pytest.mark.fast
def test_what_says_most_comes_first_and_nothing_twice(tmp_path):
    runs = list(plan(CompareSettings(data=tmp_path, out=tmp_path), {"coco": 1e-3, "scratch": 2e-3}))
    assert len({run.name for run in runs}) == len(runs) == 6 + 30 + 2 + 6
    assert (
        [run.kind for run in runs[:6]] == ["lr"] * 6
        and runs[6] == Training("equal", "coco", "all", 0, 7680, 1e-3)
        and runs[8].size == "400"
    )


@pytest.mark.fast
def test_shuffled_keeps_the_numbers_and_loses_nothing(data):
    splits = {split: dataset.load_dataset(data, split).items for split in ("train", "val", "test")}
    parts = list(shuffled(splits).values())
    assert [len(part) for part in parts] == [8, 4, 8]
    assert {(i.session, i.name) for part in parts for i in part} == {
        (i.session, i.name) for items in splits.values() for i in items
    }


@pytest.mark.fast
@pytest.mark.parametrize(
    "heights, rising",
    [
        ((), True),
        ((0.5, 0.6, 0.7, 0.8), True),
        ((0.5, 0.8, 0.8, 0.805), False),
        ((0.5, 0.8, 0.7, 0.6), False),
        ((None,), True),
        ((0.01, 0.02, 0.02, 0.02), True),
    ],
)
def test_still_rising(heights, rising):
    assert still_rising(curve(*heights)) == rising


@pytest.mark.fast
def test_area_and_levels():
    assert area(curve(0.5, 1.0)) == pytest.approx((0.25 + 0.75) / 2) and area([]) is None
    assert reached(curve(0.5, 1.0), 0.75) == pytest.approx(150) and reached(curve(0.5, 0.6), 0.8) is None
    assert reached(curve(None, 0.9), 0.9) == pytest.approx(200)
    assert (
        reached(curve(0.6, 0.9), 0.5) == 100
        and at_first(curve(0.6, 0.9), 0.5)
        and not at_first(curve(0.4, 0.9), 0.5)
        and not at_first([], 0.5)
    )
    rows = [{"images": 100, "ap50": 0.4}, {"images": 400, "ap50": 0.8}]
    assert (
        needed(rows, 0.6) == pytest.approx(200)
        and needed(rows, 0.3) == 100
        and needed(rows, 0.9) is None
        and needed([], 0.5) is None
    )


@pytest.mark.fast
@pytest.mark.parametrize(
    "heights, seen, shown",
    [
        ([(0.4, 0.6), (0.3, 0.7), (0.1, 0.4)], 150, "2 of 3 seeds: 150 (1.5 epochs)"),
        ([(0.4, 0.6), (0.6, 0.7)], 125, "at most 125 (1.2 epochs)"),
        ([(0.1, 0.2)], None, "not reached"),
        ([(0.4, 0.6)], 150, "150 (1.5 epochs)"),
    ],
)
def test_what_a_level_takes(heights, seen, shown):
    result = seen_until([curve(*some) for some in heights], 0.5)
    assert result["images_seen"] == (None if seen is None else pytest.approx(seen)) and result["of"] == len(
        heights
    )
    assert _seen({"images": 100, "images_seen_for_ap50": {"0.5": result}}, 0.5, 1.0) == shown


@pytest.mark.fast
def test_epochs_count_own_images_only(tmp_path):
    alone, beside = (
        CompareSettings(data=tmp_path, out=tmp_path, backgrounds=folders) for folders in ((), (tmp_path,))
    )
    assert own_share(alone) == 1 and own_share(beside) == 14 / 16
    assert (
        _seen(
            {"images": 100, "images_seen_for_ap50": {"0.5": seen_until([curve(0.4, 0.6)], 0.5)}},
            0.5,
            own_share(beside),
        )
        == "150 (1.3 epochs)"
    )


def run(kind, arm, seed, *heights):
    return {"kind": kind, "arm": arm, "size": "all", "seed": seed, "curve": curve(*heights)}


@pytest.mark.fast
def test_head_start_is_measured_against_the_longest_training_from_scratch():
    alone = [run("equal", "coco", 0, 0.2, 0.6), run("equal", "scratch", 0, 0.0, 0.1)]
    assert head_start(alone[:1]) is None
    assert head_start(alone) == {
        "seeds": 1,
        "ap50_95": 0.1,
        "scratch_images_seen": 200,
        "transfer_images_seen": 100,
        "share": pytest.approx(0.5),
        "at_most": True,
    }
    longer = [*alone, run("long", "scratch", 0, 0.1, 0.3, 0.4, 0.39)]
    half = {"transfer_images_seen": pytest.approx(150), "share": pytest.approx(0.5), "at_most": False}
    assert head_start(longer) == {"seeds": 1, "ap50_95": 0.4, "scratch_images_seen": 300} | half
    shorter = [*longer, run("equal", "coco", 1, 0.1, 0.2), run("equal", "scratch", 1, 0.1, 0.3)]
    assert head_start(shorter) == head_start(longer)
    later = [*longer, run("long", "coco", 0, 0.3, 0.5)]  # of equal steps it is there, and soon: that counts
    assert head_start(later) == head_start(longer)
    only_then = [
        run("equal", "coco", 0, 0.2, 0.3),
        run("long", "scratch", 0, 0.1, 0.4),
        run("long", "coco", 0, 0.3, 0.5),
    ]
    assert head_start(only_then)["transfer_images_seen"] == pytest.approx(150)
    never = [*shorter, run("long", "scratch", 1, 0.1, 0.3)]
    assert head_start(never) == {
        "seeds": 2,
        "ap50_95": pytest.approx(0.35),
        "scratch_images_seen": 250,
        "transfer_images_seen": None,
        "share": None,
        "at_most": False,
    }


@pytest.mark.fast
def test_to_be_ahead_of_nothing_is_no_head_start():
    assert head_start([run("equal", "coco", 0, 0.2, 0.6), run("equal", "scratch", 0, 0.0, 0.04)]) is None


@pytest.mark.fast
@pytest.mark.parametrize(
    "sessions, known",
    [(["a"] * 6, False), (["a", "a", "b", "b", "c", "d"], False), (["a", "b", "c", "d", "e", "e"], True)],
)
def test_too_few_test_sessions_have_no_interval(tmp_path, sessions, known):
    rng, results = np.random.default_rng(0), []
    for arm, shift_px in (("coco", 0), ("scratch", 3)):
        box = rng.uniform(10, 90, (6, 1, 2))
        boxes = np.concatenate([box, box + 40], axis=2)
        outcomes = [
            Outcome((640, 360), some, some + shift_px * number, np.array([0.9]))
            for number, some in enumerate(boxes)
        ]
        (tmp_path / "runs" / f"equal-{arm}-all-seed0").mkdir(parents=True)
        write_outcomes(tmp_path / "runs" / f"equal-{arm}-all-seed0" / "test.npz", outcomes)
        results.append(run("equal", arm, 0, 0.5) | {"sessions": sessions, "test": measure(outcomes, 0.5)})
    arm = summary(tmp_path, [result | {"images": 6, "images_seen": 100, "lr": 1e-3} for result in results])[
        "arms"
    ]["scratch"]
    assert arm["low"] < arm["ap50_95"] < arm["high"] if known else arm["low"] is arm["high"] is None
    gap = difference(results, "equal", resample(tmp_path, results))
    assert gap["ap50_95"] > 0.1 and (gap["low"] is not None) == (gap["high"] is not None) == known


def figures_of(
    a: float,
    b: float,
    low: float | None,
    high: float | None,
    rising: bool,
    long: dict | None = None,
    transfer_long: dict | None = None,
    few: float = 0.5,
    sessions: int = 9,
    seeds: int = 3,
) -> dict:
    arms = {
        name: {"images_seen": 1000, "ap50_95": ap, "still_rising": rising}
        for name, ap in (("coco", a), ("scratch", b))
    }
    arms["coco"] |= {"long": transfer_long} if transfer_long else {}
    rows = {
        name: [{"images": 70, "ap50_95": at_70}, {"images": 400, "ap50_95": ap}]
        for name, at_70, ap in (("coco", few, a), ("scratch", 0.1, b))
    }
    gap = {
        "ap50_95": a - b,
        "low": low,
        "high": high,
        "seeds": seeds,
        "sessions": sessions,
        "coco": a,
        "scratch": b,
    }
    return {"arms": arms, "by_size": rows, "difference": gap, "difference_long": long}


@pytest.mark.fast
@pytest.mark.parametrize(
    "figures, first, second",
    [
        (
            figures_of(0.8, 0.4, 0.3, 0.5, True),
            "Yes, transfer",
            "With 70 images transfer does better than scratch with 400; but scratch was still rising",
        ),
        (
            figures_of(0.6, 0.59, -0.05, 0.07, False),
            "No difference was found here",
            "No smaller number of images",
        ),
        (
            figures_of(0.5, 0.7, -0.3, -0.1, False),
            "No, training from scratch is better here",
            "scratch had stopped gaining after 1,000 images seen.",
        ),
        (
            figures_of(0.8, 0.4, 0.3, 0.5, False, {"ap50_95": 0.1, "low": -0.02, "high": 0.2}),
            "Yes",
            "no difference was found (+0.10",
        ),
        (
            figures_of(0.8, 0.4, 0.3, 0.5, False, {"ap50_95": 0.002, "low": 0.0004, "high": 0.0042}),
            "Yes",
            "transfer ends hardly ahead (+0.002, 95 % interval +0.000 to",
        ),
        (figures_of(0.512, 0.5, 0.0012, 0.03, False, few=0.4), "Yes", "No smaller"),
        (
            figures_of(0.8, 0.4, 0.3, 0.5, True, seeds=1),
            "Yes, transfer learning is better here, judging by one seed: after",
            "With 70",
        ),
        (
            figures_of(0.8, 0.4, 0.3, 0.5, False, {"ap50_95": 0.1, "low": 0.02, "high": 0.2}),
            "Yes",
            "transfer ends ahead",
        ),
        (
            figures_of(
                0.8,
                0.4,
                0.3,
                0.5,
                False,
                {"ap50_95": -0.1, "low": -0.2, "high": -0.02},
                {"still_rising": False},
            ),
            "Yes",
            "transfer ends behind",
        ),
        (
            figures_of(
                0.8,
                0.4,
                0.3,
                0.5,
                False,
                {"ap50_95": -0.1, "low": -0.2, "high": -0.02},
                {"still_rising": True},
            ),
            "Yes",
            "transfer is behind so far",
        ),
        (
            figures_of(
                0.8, 0.4, 0.3, 0.5, False, {"ap50_95": 0.0, "low": -0.1, "high": 0.1}, {"still_rising": True}
            ),
            "Yes",
            "no difference was found so far (+0.000",
        ),
        (
            figures_of(
                0.8, 0.4, 0.3, 0.5, False, {"ap50_95": 0.1, "low": 0.02, "high": 0.2}, {"still_rising": True}
            ),
            "Yes",
            "transfer ends ahead",
        ),
        (
            figures_of(0.52, 0.5, None, None, False, sessions=1),
            "There are too few test sessions (1) to say",
            "scratch had stopped",
        ),
        (
            figures_of(0.5, 0.7, None, None, False, {"ap50_95": 0.1, "low": None, "high": None}, sessions=2),
            "There are too few test sessions (2)",
            "too few test sessions to say which is",
        ),
        (
            figures_of(0.704, 0.701, 0.0004, 0.0052, False),
            "Transfer learning is better here, but hardly",
            "No smaller",
        ),
        (
            figures_of(0.701, 0.704, -0.0052, -0.0004, False),
            "Training from scratch is better here, but hardly",
            "No smaller",
        ),
        (
            figures_of(0.0, 0.0, 0.0, 0.0, True, few=0.0),
            "It is too early to say",
            "scratch is at the start of training, and so is transfer with every smaller",
        ),
        (
            figures_of(0.04, 0.01, 0.02, 0.04, True, few=0.03),
            "It is too early to say",
            "scratch is at the start of training",
        ),
        (figures_of(0.7, 0.01, 0.6, 0.8, True, few=0.6), "Yes", "With 70 images transfer does better"),
        (
            figures_of(0.7, 0.01, 0.6, 0.8, True, few=0.04),
            "Yes",
            "and so is transfer with every smaller number",
        ),
        (
            figures_of(0.5, 0.501, -0.03, -0.0001, False),
            "Training from scratch is better here, but hardly",
            "With 70 images transfer does about as well",
        ),
        (figures_of(0.7, 0.5, 0.1, 0.3, False, few=0.48), "Yes", "No smaller"),
        (
            figures_of(0.52, 0.5, None, None, False, sessions=1, few=0.52),
            "There are too few test sessions (1)",
            "How many images each needs cannot be said",
        ),
    ],
)
def test_the_answer_follows_from_the_figures(figures, first, second):
    sentences = answer(figures)
    assert sentences[0].startswith(first) and second in sentences[1]
    assert not re.search(r"-0\.0+(?!\d)", "".join(sentences))  # no minus before nothing


@pytest.mark.fast
@pytest.mark.parametrize(
    "value, digits, shown",
    [
        (-0.001, 2, "+0.00"),
        (-0.0, 2, "+0.00"),
        (-0.006, 2, "-0.01"),
        (0.123, 2, "+0.12"),
        (-0.001, 3, "-0.001"),
    ],
)
def test_signed(value, digits, shown):
    assert signed(value, digits) == shown


@pytest.mark.fast
def test_missed_vectors_and_false_positives_are_two_sheets():
    box, none = np.array([[10.0, 10, 50, 50]]), np.zeros((0, 4))
    outcomes = [
        Outcome((640, 360), box, box, np.array([0.9])),  # found
        Outcome((640, 360), box, box, np.array([0.4])),  # too unsure
        Outcome((640, 360), box, none, np.zeros(0)),  # not seen at all
        Outcome((640, 360), none, box, np.array([0.7])),
        Outcome((640, 360), box, box + 100, np.array([0.99])),  # both
    ]
    judged = judge(outcomes, 0.5)
    assert [one.number for one in worst_missed(judged)] == [2, 4, 1] and [
        one.number for one in worst_false_positives(judged)
    ] == [4, 3]
    assert [one.words for one in judged] == [
        "",
        "missed (0.40)",
        "missed, no box there",
        "false positive (0.70)",
        "missed, no box there, false positive (0.99)",
    ]


@pytest.mark.fast
def test_rooms_with_false_positives_are_shown_by_score(tmp_path):
    box, none = np.array([[10.0, 10, 50, 50]]), np.zeros((0, 4))
    outcomes = [
        Outcome((640, 360), none, box, np.array([0.8]))
        if i % 2
        else Outcome((640, 360), none, none, np.zeros(0))
        for i in range(30)
    ]
    outcomes[4] = Outcome((640, 360), none, box, np.array([0.95]))
    (tmp_path / "runs" / "equal-coco-all-seed0").mkdir(parents=True)
    write_outcomes(tmp_path / "runs" / "equal-coco-all-seed0" / "rooms.npz", outcomes)
    results = [run("equal", "coco", 0, 0.5) | {"threshold": 0.6}]
    rooms = Images(torch.zeros((30, 3, 36, 64), dtype=torch.uint8), [none] * 30)
    (sheet,) = compare_sheets.real_sheets(tmp_path, results, ComparisonData({}, rooms=rooms))
    assert "a false positive in 16 of 30" in sheet.title and len(sheet.images) == 12
    captions = [image.caption for image in sheet.images]
    assert captions[:2] == ["room 5: false positive (0.95)", "room 2: false positive (0.80)"]
    other = ComparisonData({}, rooms=rooms.part(slice(0, 3)))
    assert compare_sheets.real_sheets(tmp_path, results, other) == []  # the folder holds other images by now


@pytest.mark.fast
@pytest.mark.parametrize(
    "gains, spread, says",
    [
        ([], None, "Neither arm"),
        ([0.1, 0.02], 0.05, "is higher (+0.06), by more than seeds differ (0.05)"),
        ([0.1, 0.02], 0.07, "no more than seeds differ (0.07)"),
        ([0.1], None, "as much as chance may bring"),
        ([-0.03], 0.01, "not higher (-0.03)"),
        ([0.001], None, "not higher (+0.00)"),
    ],
)
def test_what_a_split_by_image_says(gains, spread, says):
    result = by_image_note(gains, spread)
    assert (
        says in result
        and ("memorised ones may count" in result) == ("by more than" in says)
        and ("part of it is chance" in result) == bool(gains)
    )


@pytest.mark.fast
def test_each_figure_is_of_the_same_seeds(tmp_path):
    """A third transfer is ready before the third scratch: the sentence is of the two pairs."""
    results = []
    for arm, aps in (("coco", (0.8, 0.8, 0.5)), ("scratch", (0.6, 0.6))):
        results += [run("equal", arm, seed, 0.5) | {"test": {"ap50_95": ap}} for seed, ap in enumerate(aps)]
    gap = difference(
        results,
        "equal",
        Resamples(
            {f"equal-{r['arm']}-all-seed{r['seed']}": np.full(1000, r["test"]["ap50_95"]) for r in results}, 9
        ),
    )
    assert (gap["coco"], gap["scratch"], gap["ap50_95"], gap["seeds"]) == pytest.approx((0.8, 0.6, 0.2, 2))


@pytest.mark.fast
def test_seeds_that_differ_widen_the_interval():
    results = [
        run("equal", arm, seed, 0.5) | {"test": {"ap50_95": 0.5}}
        for arm in ("coco", "scratch")
        for seed in range(3)
    ]
    drawn = {f"equal-scratch-all-seed{seed}": np.full(1000, ap) for seed, ap in enumerate((0.1, 0.2, 0.3))}
    gap = difference(
        results,
        "equal",
        Resamples({f"equal-coco-all-seed{seed}": np.full(1000, 0.5) for seed in range(3)} | drawn, 9),
    )
    assert gap["low"] == pytest.approx(0.2) and gap["high"] == pytest.approx(
        0.4
    )  # all three draws the same seed


def test_what_a_training_found_is_missing(data, tmp_path, trained):
    settings = small(data, tmp_path, seeds=1, sizes=("all",), max_images_seen=0, lrs=(8e-4,))
    compare(settings)
    (settings.out / "runs" / "equal-coco-all-seed0" / "test.npz").unlink()
    with pytest.raises(UserError, match="test.npz is missing"):
        compare(replace(settings, page_only=True))


def test_another_experiment_that_began_meanwhile_is_not_mixed_with(data, tmp_path, trained, monkeypatch):
    settings, gather = small(data, tmp_path), comparison.gather

    def slow(asked):
        """While its images are read, somebody starts with other settings in the same folder."""
        monkeypatch.setattr(comparison, "gather", gather)
        compare(replace(settings, images_seen=40, seeds=1, sizes=("all",), max_images_seen=0))
        return gather(asked)

    monkeypatch.setattr(comparison, "gather", slow)
    with pytest.raises(UserError, match="another images_seen"):
        compare(settings)
    assert {steps for _, _, steps, *_ in trained} <= {1, 5}


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
    result = json.loads(
        (tmp_path / "alone" / "out" / "runs" / "equal-coco-all-seed0" / "result.json").read_text()
    )
    (theirs / "test.npz").parent.mkdir(parents=True)
    (theirs / "test.npz").write_bytes(
        (tmp_path / "alone" / "out" / "runs" / "equal-coco-all-seed0" / "test.npz").read_bytes()
    )
    trained.clear()
    monkeypatch.setattr(comparison.time, "sleep", wait)
    claim = claimed(theirs / "claim")
    assert claim.__enter__()
    result = compare(settings)
    assert waited == [20] and len(trained) == 20 and result["runs"] == 21
    assert "equal-coco-all-seed0" not in [name for name, *_ in trained]


@pytest.mark.fast
def test_a_folder_with_the_files_of_something_else_is_left_alone(data, tmp_path, trained):
    page = tmp_path / "out" / "index.html"
    page.parent.mkdir()
    page.write_text("a page of mine")
    with pytest.raises(UserError, match="index.html that was made by something else"):
        compare(small(data, tmp_path))
    assert trained == [] and page.read_text() == "a page of mine"


@pytest.mark.fast
def test_without_the_word_all_the_answer_says_what_to_add():
    rows = [{"images": 2, "ap50_95": 0.3}, {"images": 4, "ap50_95": 0.4}]
    sentences = answer(
        {"arms": {}, "by_size": {"coco": rows, "scratch": rows}, "difference": None, "difference_long": None}
    )
    assert "part of the images only" in sentences[0] and "word all" in sentences[1]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("chosen", "said"),
    [(8e-4, "the lowest rate that was tried"), (1.6e-3, None), (3.2e-3, "the highest rate that was tried")],
)
def test_a_best_rate_at_the_edge_is_said(chosen, said):
    trials = [
        {"kind": "lr", "arm": "coco", "lr": lr, "images_seen": 16, "val_ap50_95": 0.5, "curve": []}
        for lr in (8e-4, 1.6e-3, 3.2e-3)
    ]
    page = rates_note({"arms": {"coco": {"lr": chosen}}}, trials)
    assert (said in page) if said else ("that was tried" not in page)
