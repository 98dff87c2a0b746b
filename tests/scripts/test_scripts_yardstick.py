"""Programs around the simulated yardstick: what they draw, compare and leave out."""

import importlib.util
import json
import sys
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.data.dataset import Item, write_label, write_session, write_splits
from vector_tl.data.kinds import KNOWN_KINDS, add_kinds
from vector_tl.errors import UsageError
from vector_tl.evaluate.metrics import Outcome

pytestmark = pytest.mark.fast
TRIALS = Path(__file__).parents[2] / "scripts" / "trials"
BOX = np.array([[10.0, 10, 60, 60]])


@pytest.fixture
def script(monkeypatch):
    """Loads a program of scripts/trials, as its folder is on the path when it runs."""
    monkeypatch.syspath_prepend(str(TRIALS))

    def load(name):
        spec = importlib.util.spec_from_file_location(name, TRIALS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


# -- kind_sessions.py -------------------------------------------------------------------------------------


def a_camera(taken, holds):
    """What stands for the drawing: an image has the kinds that `holds` gives for a kind and a number."""

    def draw(settings):
        kind = settings.kinds[0]
        session = f"held-out-{kind}-{settings.seed}-000"
        tags = {}
        for number in range(settings.count):
            without = ("none",) if settings.negatives else ()
            tags[session, f"{number:03d}"] = (*holds(kind, number), *without)
        add_kinds(settings.data, tags)
        taken.append(settings)

    return draw


def test_every_kind_gets_its_images_and_negatives_are_spread_over_sorts(script, tmp_path, monkeypatch):
    program, taken = script("kind_sessions"), []
    monkeypatch.setattr(program, "draw_in_bulk", a_camera(taken, lambda kind, number: (kind,) * (number % 2)))
    program.draw(program.KindSessions(tmp_path, per_kind=4, negatives=28))
    for kind in KNOWN_KINDS:
        assert len(program.images_of(tmp_path, kind)) >= (
            28 if kind == "none" else 2 if kind == "room" else 4
        )
    assert all(settings.held_out and settings.as_capture().split_shares == (0, 0, 1) for settings in taken)
    rooms = {(settings.kinds, settings.seed) for settings in taken}
    assert len({seed for _, seed in rooms}) == len(rooms), "no two sorts have the same rooms"
    before = len(taken)
    program.draw(program.KindSessions(tmp_path, per_kind=4, negatives=28, only=("far", "hand")))
    assert len(taken) == before, "nothing is missing"


def test_a_kind_that_hardly_shows_is_given_up(script, tmp_path, monkeypatch, caplog):
    program, taken = script("kind_sessions"), []
    monkeypatch.setattr(program, "draw_in_bulk", a_camera(taken, lambda kind, number: ()))
    program.draw(program.KindSessions(tmp_path, per_kind=4, only=("far",)))
    assert max(settings.count for settings in taken) <= 6 * 4 and "far: 4 images are missing" in caplog.text


def test_an_unknown_kind_is_refused(script, tmp_path):
    program = script("kind_sessions")
    with pytest.raises(UsageError, match="there is no kind 'dark'"):
        program.draw(program.KindSessions(tmp_path, only=("dark",)))


# -- kind_correlation.py ----------------------------------------------------------------------------------


def figures(**ap50):
    """Figures of kinds with ten boxes each."""
    rows = {kind: {"images": 10, "boxes": 10, "ap50": value} for kind, value in ap50.items()}
    return {kind: row | {"false_positives_per_image": 0.0} for kind, row in rows.items()}


def models_rows(script, real_of):
    pooled = script("kind_correlation").POOLED
    return [
        {
            "model": f"m{n}",
            "simulated": figures(**{pooled: n / 10, "far": n / 10}),
            "real": figures(**{pooled: real_of(n), "far": 0.5, "none": None}),
        }
        for n in range(5)
    ]


@pytest.mark.parametrize(("real_of", "shown"), [(lambda n: n**2, "1.00"), (lambda n: -n, "-1.00")])
def test_the_order_of_models_is_compared_not_their_figures(script, real_of, shown):
    program = script("kind_correlation")
    lines = list(program.table(models_rows(script, real_of)))
    assert f"| AP50, all images | 5 | {shown} |" in "\n".join(lines)
    assert "| AP50, far | 5 | - | - |" in "\n".join(lines), "all real ones are equal"


def test_an_order_of_few_models_is_refused(script, tmp_path):
    program = script("kind_correlation")
    with pytest.raises(UsageError, match="3 models say nothing"):
        program.run(program.Correlation(("a", "b", "c", "c"), tmp_path, (tmp_path,), tmp_path / "rows"))


def test_figures_are_those_of_each_kind(script):
    program = script("kind_correlation")
    found = Outcome((100, 100), BOX, BOX, np.array([0.9]))
    missed = Outcome((100, 100), BOX, np.zeros((0, 4)), np.zeros(0))
    empty = Outcome((100, 100), np.zeros((0, 4)), BOX, np.array([0.9]))
    items = [
        Item("desk", str(n), Path(), np.zeros((0, 4)), kinds=kinds)
        for n, kinds in enumerate([("far",), ("far", "cube"), ("none", "cube")])
    ]
    by_kind = program.figures_of([found, missed, empty], items, 0.5)
    assert by_kind["far"]["ap50"] == pytest.approx(0.5, abs=0.01) and by_kind["far"]["boxes"] == 2
    assert by_kind["none"] == {"images": 1, "boxes": 0, "ap50": None, "false_positives_per_image": 1.0}
    assert program.mean_of_kinds(by_kind) == pytest.approx((0.5 + by_kind["cube"]["ap50"]) / 2, abs=0.01)


# -- kind_ablation.py -------------------------------------------------------------------------------------


def test_each_row_leaves_out_what_it_is_named_after(script, tmp_path, monkeypatch):
    program = script("kind_ablation")
    sessions = {
        "sim-a": {"kinds": ["screen-off"]},
        "sim-b": {"kinds": ["cube"]},
        "sim-c": {"kinds": ["third-person", "touching"]},
        "room-x-a": {"kinds": ["low-light"], "backgrounds": "x"},
    }
    for images, (session, about) in product(
        (tmp_path / "images", tmp_path / "images-no-looks"), sessions.items()
    ):
        write_session(images, session, about)
        write_label(images, session, "0", np.zeros((0, 4)), (8, 8))
        (images / "images" / session).mkdir(parents=True)
        cv2.imwrite(str(images / "images" / session / "0.jpg"), np.zeros((8, 8, 3), np.uint8))
        write_splits(images, dict.fromkeys(sessions, "train"))
    taken = []
    monkeypatch.setattr(program, "capture", taken.append)
    asked = program.KindAblation(tmp_path, photographs=tmp_path)
    kept = {
        name: {path.name for path in (program.data_without(asked, name) / "images").iterdir()}
        for name in program.ROWS
    }
    whole = {"sim-a", "sim-b", "sim-c", "room-x-a"}
    for name in ("all", *program.LEFT_OUT):
        assert kept[name] == whole
    assert kept["looks"] == whole and kept["photographs"] == whole - {"room-x-a"}
    assert {(c.without, c.data.name) for c in taken} == {((), "images"), (("looks",), "images-no-looks")}
    assert kept["things"] == whole - {"sim-b"} and kept["views"] == {"sim-a", "sim-b"}
    assert len(program.ROWS) == 8 and set(program.VARIETY) == set().union(*program.LEFT_OUT.values())
    assert (program.data_without(asked, "all") / "images" / "sim-a" / "0.jpg").exists()


def test_the_table_says_what_each_group_is_worth(script):
    program = script("kind_ablation")
    real = figures(**{program.POOLED: 0.5})
    rows = [
        {"without": name, "seed": seed, "simulated": figures(far=far, edge=0.8), "real": real}
        for name, far in (("all", 0.9), ("views", 0.6))
        for seed in (0, 1)
    ]
    lines = program.table(json.loads(json.dumps(rows))).splitlines()
    assert lines[2].startswith("| nothing | 2 | 0.850 (0.850 to 0.850) |") and lines[3].startswith(
        "| views | 2 | 0.700"
    )
    assert lines[3].endswith("| far -0.30, edge +0.00 |")


# -- image_statistics.py ----------------------------------------------------------------------------------


def test_statistics_are_those_of_images_that_are_known(script):
    program = script("image_statistics")
    flat = np.full((360, 640, 3), (100, 100, 140), np.uint8)
    of_flat = program.figures(flat)
    assert of_flat["contrast"] == 0 and of_flat["blue - red"] == 40 and of_flat["green cast"] == -20
    assert of_flat["black, %"] == of_flat["white, %"] == 0 and of_flat["gradient"] == of_flat["noise"] == 0
    halves = np.zeros((360, 640, 3), np.uint8)
    halves[:, 320:] = 255
    of_halves = program.figures(halves)
    assert of_halves["black, %"] == of_halves["white, %"] == 50 and of_halves["saturation"] == 0
    assert of_halves["gradient"] == pytest.approx(255 / 639) and of_halves["tails"] > 100
    noisy = np.clip(flat + np.random.default_rng(0).normal(0, 6, flat.shape), 0, 255).astype(np.uint8)
    assert 2 < program.figures(noisy)["noise"] < 6 and program.figures(noisy)["sharpness, %"] > 50
    assert program.figures(cv2.resize(halves, (1280, 720)))["white, %"] == pytest.approx(50, abs=0.5)


def test_what_is_off_is_named_the_worst_first(script):
    program = script("image_statistics")
    rng = np.random.default_rng(1)

    def rows(noise, mean, black):
        values = np.array([noise, mean, black]) + rng.normal(0, 1, (200, 3))
        return [dict(zip(("noise", "mean", "black, %"), map(float, row), strict=True)) for row in values]

    real = rows(0, 0, 0)
    assert program.verdict("a", rows(1.5, -3, 0.1), real).startswith("- a: mean -3.") and "noise +1." in (
        program.verdict("a", rows(1.5, -3, 0.1), real)
    )
    assert program.verdict("b", rows(0.1, 0.1, 0.1), real) == "- b: nothing is off"


def test_sheets_show_each_kind_beside_the_real_images_of_it(script, tmp_path):
    program = script("image_statistics")

    def items(folder, kind, sessions, images, grey):
        made = []
        for number in range(images):
            path = tmp_path / f"{folder}-{number}.png"
            path.write_bytes(program.encode_png(np.full((36, 64, 3), grey, np.uint8)))
            made.append(Item(f"{number % sessions}", path.stem, path, np.zeros((0, 4)), (kind,)))
        return made

    simulated = [*items("a", "cube", 30, 60, 50), *items("b", "far", 30, 60, 60)]
    assert len({item.session for item in program.varied(simulated[:60], 25)}) == 25
    assert len(program.varied(items("c", "cube", 2, 7, 0), 25)) == 7
    sheets = dict(program.sheets_of_kinds(simulated, items("d", "cube", 1, 7, 200)))
    assert sheets["far"].shape == (5 * 180, 5 * 320, 3)
    cube = sheets["cube"]
    assert cube.shape == (5 * 180, 2 * 5 * 320 + 12, 3)
    assert (cube[:, : 5 * 320] == 50).all() and (cube[:180, 5 * 320 + 12 :] == 200).all()
    assert (cube[2 * 180 :, 5 * 320 + 12 :] == 0).all()
