"""scripts/models and what it calls: what is drawn, joined and trained, and that nothing is done twice."""

import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vector_tl.bulk import away
from vector_tl.capture.arrange import is_negative
from vector_tl.data import dataset
from vector_tl.data.kinds import add_kinds, read_kinds
from vector_tl.errors import UserError
from vector_tl.nets import checkpoint, model_file
from vector_tl.nets.build import build

ROOT = Path(__file__).parents[2]


def program(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / "trials" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


draw_images, average_models = program("draw_images"), program("average_models")


@pytest.fixture
def script(tmp_path):
    """Runs a copy of scripts/models, whose programs only note how they were called."""
    repo = tmp_path / "repo"
    for folder in ("scripts", ".venv/bin", "data/labels/a", "data/images/a"):
        (repo / folder).mkdir(parents=True)
    (repo / "data/labels/a/1.txt").write_text("")
    shutil.copy(ROOT / "scripts" / "models", repo / "scripts" / "models")
    note = (
        f'#!/bin/bash\n[ "$1" = -c ] && exit 1\n(printf "%s " "${{0##*/}}" "$@"; echo) >> {tmp_path}/calls\n'
    )
    for name in ("scripts/setup", ".venv/bin/vector-tl", ".venv/bin/python"):
        (repo / name).write_text(note)
        (repo / name).chmod(0o755)

    def run(*words: str) -> tuple[int, list[str]]:
        (tmp_path / "calls").write_text("")
        done = subprocess.run([repo / "scripts" / "models", *words], capture_output=True, cwd=tmp_path)
        return done.returncode, (tmp_path / "calls").read_text().splitlines()

    return run


@pytest.mark.fast
@pytest.mark.parametrize("form", [["--images", "20000"], ["--images=20000"]])
def test_what_the_script_calls(script, tmp_path, form):
    (tmp_path / "my photos").mkdir()
    code, calls = script(*form, "out", "my photos")
    out, photos = tmp_path / "out", tmp_path / "my photos"
    assert code == 0 and [" ".join(call.split()[:2]) for call in calls] == [
        "setup", "vector-tl capture", "python scripts/trials/room_images.py",
        "vector-tl train", "vector-tl train", "python scripts/trials/draw_images.py",
        "vector-tl train", "vector-tl train",
        "python scripts/trials/average_models.py",
    ]  # fmt: skip
    transfer, scratch, long, fine = (call for call in calls if call.startswith("vector-tl train"))
    assert scratch.replace("scratch", "transfer") == transfer.replace("--init coco", "--init transfer")
    assert (
        f"--backgrounds {out}/without {photos} --background-share 0.25" in transfer
        and "mosaic" not in transfer
    )
    assert f"draw_images.py {out} 20000 --beside data --photographs {photos}" in calls[5]
    assert f"--init best --data {out}/data-20000 --steps 12501" in long and "--mosaic 0.3" in long
    assert (
        f"--init {out}/long-20000.safetensors" in fine and "--steps 6251" in fine and "--cutout 0.15" in fine
    )
    assert all("--resume" in call for call in (transfer, scratch, long, fine))
    assert f"{out}/fine-20000.safetensors best --candidates 1:0 2:1 1:1" in calls[8]


@pytest.mark.fast
def test_the_old_form_and_wrong_words(script, tmp_path):
    (tmp_path / "photos").mkdir(), (tmp_path / "rooms").mkdir()
    code, calls = script("out", "photos", "rooms")
    assert code == 0 and calls[3].count(f"--negatives {tmp_path}/rooms") == 1 and "draw_images.py" in calls[5]
    assert f"{tmp_path}/out 4800 " in calls[5]
    assert script("out")[0] == 0
    for wrong in ([], ["out", "--images", "many"], ["out", "--images"], ["out", "--what"], list("abcd")):
        assert script(*wrong) == (2, [])


@pytest.mark.fast
@pytest.mark.parametrize("photographs", [None, Path("photos")])
def test_portions_grow_with_the_count(photographs):
    few, many = (draw_images.portions(count, photographs) for count in (4800, 20_000))
    for portions, count in ((few, 4800), (many, 20_000)):
        assert count <= sum(portion.count for portion in portions) < count + 3
        assert len({portion.seed for portion in portions}) == len(portions)
        # four images of a room at most, so there are as many rooms as a quarter of the images
        words = portions[0].command(Path("drawn"))
        assert words[words.index("--images-per-room") + 1] == "4"
    later = {portion.name: portion for portion in many}
    for portion in few:
        after = later[portion.name]
        assert (after.seed, after.options) == (portion.seed, portion.options) and after.count >= portion.count
    assert any("--backgrounds" in portion.options for portion in many) == (photographs is not None)


@pytest.mark.fast
@pytest.mark.parametrize("images_per_room", [2, 3, 4, 6])
def test_the_val_rooms_of_a_portion_hold_images_without_a_vector_too(tmp_path, images_per_room):
    portion = draw_images.portions(4800, None, images_per_room)[0]
    words = portion.command(tmp_path)
    share, val = (float(words[words.index(word) + 1]) for word in ("--negative-share", "--val"))
    rooms = [str(number) for number in range(portion.count // images_per_room)]
    splits = dataset.extend_splits(tmp_path, rooms, (1 - val, val, 0.0))
    negative = {"train": [], "val": []}
    for image in range(len(rooms) * images_per_room):
        negative[splits[rooms[image // images_per_room]]].append(is_negative(image, share))
    assert all(0.12 <= sum(some) / len(some) <= 0.28 for some in negative.values()), negative


CAPTURE = """
import sys, pathlib
folder, count, die = pathlib.Path(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
folder.mkdir(parents=True, exist_ok=True)
for number in range(count):
    if not (folder / str(number)).exists():
        (folder / str(number)).write_text("")
        with (folder / "drawn-images").open("a") as log: log.write(f"{number}\\n")
    if number == 1 and die.exists():
        sys.exit("the disk is full")
"""


@pytest.fixture
def quick_capture(monkeypatch, tmp_path):
    """Instead of `vector-tl capture`: files, each noted when drawn; it breaks off while `die` is there."""

    def command(self, folder):
        return [
            sys.executable,
            "-c",
            CAPTURE,
            str(folder / self.name),
            str(self.count),
            str(tmp_path / "die"),
        ]

    monkeypatch.setattr(draw_images.Portion, "command", command)
    monkeypatch.setattr(draw_images, "POLL_S", 0.02)
    return tmp_path / "die"


@pytest.mark.fast
def test_a_broken_off_drawing_continues_and_draws_nothing_twice(quick_capture, tmp_path):
    wanted = [draw_images.Portion(f"mixed-{seed}", seed, 4, ()) for seed in range(3)]
    quick_capture.write_text("")
    with pytest.raises(UserError, match="the disk is full"):
        draw_images.draw(wanted, tmp_path / "drawn", jobs=2)
    quick_capture.unlink()
    draw_images.draw(wanted, tmp_path / "drawn", jobs=2)
    more = [draw_images.Portion("mixed-2", 2, 6, ())]  # of a larger count
    draw_images.draw([*wanted[:2], *more], tmp_path / "drawn", jobs=2)
    draw_images.draw([*wanted[:2], *more], tmp_path / "drawn", jobs=2)
    drawn = [(tmp_path / "drawn" / f"mixed-{seed}" / "drawn-images").read_text().split() for seed in range(3)]
    assert [len(lines) for lines in drawn] == [4, 4, 6] and all(len(set(some)) == len(some) for some in drawn)


DRAW = """
import pathlib, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if words["--seed"] == "8":
    sys.exit("there is no such folder")
data = pathlib.Path(words["--data"])
for name in ("images/s/0.jpg", "labels/s/0.txt", "sessions/.capture.lock", "splits.json"):
    (data / name).parent.mkdir(parents=True, exist_ok=True)
    (data / name).write_text(name + words["--count"])
"""


@pytest.mark.fast
def test_what_a_cluster_drew_is_written_here(tmp_path, monkeypatch):
    """Its jobs one after another in this process, by what they would be sent; files instead of drawing."""

    def in_turn(job, arguments, where):
        assert where.cluster == "auto"
        for number, argument in enumerate(arguments):
            asked.append(argument)
            yield number, pickle.loads(pickle.dumps(job(pickle.loads(pickle.dumps(argument)))))

    asked: list[away.Drawing] = []
    monkeypatch.setattr(draw_images, "as_done", in_turn)
    monkeypatch.setattr(draw_images, "HOW", ())
    monkeypatch.setattr(away, "BULK", (sys.executable, "-c", DRAW))
    wanted = [draw_images.Portion(f"ordinary-{seed}", seed, 2, ()) for seed in (6, 7)]
    for _ in range(2):  # the second time nothing is left to do
        draw_images.draw_on_cluster(wanted, tmp_path, "auto")
    assert len(asked) == 2
    names = {
        str(path.relative_to(tmp_path / "ordinary-7")) for path in (tmp_path / "ordinary-7").rglob("*.*")
    }
    assert names == {"images/s/0.jpg", "labels/s/0.txt", "splits.json", "drawn.json"}
    assert (tmp_path / "ordinary-6/images/s/0.jpg").read_text() == "images/s/0.jpg2"
    with pytest.raises(UserError, match="no such folder"):
        draw_images.draw_on_cluster([draw_images.Portion("mixed-8", 8, 2, ())], tmp_path, "auto")
    assert not (tmp_path / "mixed-8").exists()


def add(folder: Path, session: str, split: str) -> None:
    dataset.write_item(folder, session, "0", b"an image", np.zeros((0, 4)), (64, 36))
    dataset.write_splits(folder, dataset.read_splits(folder) | {session: split})


@pytest.mark.fast
def test_datasets_are_joined_without_another_copy(tmp_path):
    one, two, both = tmp_path / "one", tmp_path / "two", tmp_path / "both"
    add(one, "kitchen", "train"), add(two, "desk", "val")
    add_kinds(two, {("desk", "0"): ["clutter"]})
    for _ in range(2):  # what a broken-off one left stays
        draw_images.join([one, two], both)
    assert dataset.read_splits(both) == {"kitchen": "train", "desk": "val"}
    assert read_kinds(both) == {("desk", "0"): ("clutter",)}
    image = dataset.image_path(both, "desk", "0")
    assert os.path.samefile(image, dataset.image_path(two, "desk", "0"))
    add(two, "kitchen", "test")
    with pytest.raises(UserError, match="both have a session kitchen"):
        draw_images.join([one, two], tmp_path / "other")


def test_of_several_averages_the_best_on_validation_sessions_is_written(tmp_path, monkeypatch):
    add(tmp_path / "data", "kitchen", "val")
    for name, seed in (("fine", 1), ("before", 2)):
        about = {"seed": seed, "sessions": [name], "learned_from": [name]}
        checkpoint.save(
            tmp_path / f"{name}.safetensors", build("ssd300_mobilenet_v1", "scratch", seed), about
        )
    heights = iter([(0.5, 0.3), (0.6, 0.5), (0.6, 0.4)])
    monkeypatch.setattr(average_models, "keep_images", lambda items: items)
    monkeypatch.setattr(average_models, "run_model", lambda network, images: [])
    monkeypatch.setattr(average_models, "average_precision", lambda outcomes: next(heights))
    asked = average_models.AverageModels(
        tmp_path / "best.safetensors",
        (str(tmp_path / "fine.safetensors"), str(tmp_path / "before.safetensors")),
        tmp_path / "data",
        candidates=("1:0", "2:1", "1:1"),
    )
    result = average_models.main(asked)
    assert result["weights"] == [2, 1] and len(result["candidates"]) == 3
    about = model_file.read_metadata(asked.out)
    assert about["learned_from"] == ["before", "fine"] and about["metrics"]["val_ap50_95"] == 0.5
    assert json.dumps(result)
