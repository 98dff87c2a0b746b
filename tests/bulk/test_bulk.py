"""Images drawn in bulk: an ordinary dataset, the same each time, continued where it was broken off."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vector_tl.bulk.run import draw, plan_of
from vector_tl.bulk.settings import BulkSettings
from vector_tl.capture.plan import plans_left
from vector_tl.capture.sessions import read_all
from vector_tl.data.dataset import load_dataset, mask_path, read_session, session_path
from vector_tl.data.images import read_mask
from vector_tl.data.kinds import read_kinds
from vector_tl.errors import UsageError
from vector_tl.sim.world.held_out import is_held_out


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    data = tmp_path_factory.mktemp("bulk") / "data"
    options = {"images_per_room": 3, "kinds": ("mixed",), "masks": True, "negative_share": 0.34}
    return BulkSettings(data, count=6, seed=12, val=0.5, test=0.0, **options)


@pytest.fixture(scope="module")
def drawn(settings):
    return draw(settings)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.[jpt][pnx][gt]")}


def test_the_images_are_a_dataset_with_boxes_kinds_and_masks(settings, drawn):
    items = load_dataset(settings.data, "train").items + load_dataset(settings.data, "val").items
    assert drawn["kept"] == len(items) == 6 and drawn["sessions"] == 2
    assert drawn["seen"] <= 3 * drawn["kept"]  # most impossible arrangements are refused undrawn
    kinds = read_kinds(settings.data)
    for item in items:
        height, width = item.image().shape[:2]
        mask = read_mask(mask_path(settings.data, item.session, item.name))
        boxes = item.boxes_xyxy((width, height)).round().astype(int).tolist()
        extents = [
            cv2.boundingRect((mask == number).astype(np.uint8)) for number in np.unique(mask) if number
        ]
        assert sorted(boxes) == sorted([x, y, x + w, y + h] for x, y, w, h in extents)
        assert ("none" in kinds[item.session, item.name]) == (not boxes)
    assert {len(item.boxes_xyxy((640, 360))) > 0 for item in items} == {True, False}


def test_what_is_drawn_again_is_the_same_and_what_is_there_stays(settings, drawn):
    before = contents(settings.data)
    assert draw(settings)["kept"] == 6 and contents(settings.data) == before
    last = max(read_all(settings.data, "simulator"))
    about = json.loads(session_path(settings.data, last).read_text())
    session_path(settings.data, last).unlink()  # as a killed process leaves it
    lost = next(path for path in before if last in path.name and path.suffix == ".jpg")
    (settings.data / lost).unlink()
    draw(settings)
    assert contents(settings.data) == before
    assert read_session(settings.data, last)["shots"] == about["shots"]


@pytest.mark.fast
def test_no_room_is_also_one_of_captures(tmp_path):
    settings = BulkSettings(tmp_path, count=9, seed=4)
    (theirs, *_), _ = plans_left(settings.as_capture())
    ours = [plan_of(settings, number) for number in range(3)]
    assert theirs.world not in {plan.world for plan in ours} and len({plan.world for plan in ours}) == 3
    assert [plan.first for plan in ours] == [0, 4, 8]
    more = replace(settings, count=900)
    assert [plan_of(more, number) for number in range(3)] == ours


@pytest.mark.fast
def test_rooms_to_measure_by_are_held_out_and_in_split_test(tmp_path):
    settings = BulkSettings(tmp_path, count=9, seed=4, kinds=("far",), held_out=True, negatives=True)
    plan = plan_of(settings, 2)
    assert is_held_out(plan.world) and plan.negatives == 1.0
    assert settings.as_capture().split_shares == (0.0, 0.0, 1.0)
    in_training = plan_of(replace(settings, held_out=False), 2)
    assert not is_held_out(in_training.world) and in_training.session != plan.session


@pytest.mark.fast
def test_wrong_settings_are_refused(tmp_path):
    for wrong in ({"count": 0}, {"images_per_room": 0}, {"kinds": ("nothing",)}, {"moving": 2.0}):
        with pytest.raises(UsageError):
            draw(BulkSettings(tmp_path, **({"count": 1} | wrong)))
