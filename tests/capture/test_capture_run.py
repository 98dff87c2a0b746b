"""Capture sessions against a robot and a ground-truth channel that live in memory."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from support.small_table import SmallTable, settings_for, tree
from vector_tl.capture.ground_truth import clear_boxes
from vector_tl.capture.plan import plans_left
from vector_tl.capture.robot_session import RobotSession
from vector_tl.capture.run import capture
from vector_tl.capture.settings import MAX_SEED, ROOMS_PER_SEED
from vector_tl.capture.simulated_session import take_session
from vector_tl.data import dataset
from vector_tl.data.dataset import read_session
from vector_tl.data.images import decode_or_none, read_mask
from vector_tl.errors import UsageError, UserError
from vector_tl.robot.base import Frame, NoFreshFrame
from vector_tl.robot.sim_features import HELD_OUT_WORLDS


def run(settings, world=None) -> SmallTable:
    world = world or SmallTable()
    while plans := plans_left(settings)[0]:
        for plan in plans:
            dataset.extend_splits(settings.data, [plan.session], settings.split_shares)
            take_session(settings.data, plan, world)
    return world


def test_a_dataset_is_complete_and_has_its_share_of_negatives(tmp_path):
    world = run(settings_for(tmp_path))
    data = dataset.load_dataset(tmp_path, "all")
    sessions = {item.session for item in data.items}
    assert len(data.items) == 40 and data.unlabelled == 0 and sessions == {f"sim-0-{i:03d}" for i in range(4)}
    assert sum(len(item.boxes_norm) == 0 for item in data.items) == 6
    assert {len(item.boxes_norm) for item in data.items} <= {0, 1, 2}
    assert dataset.read_splits(tmp_path) == {
        "sim-0-000": "train",
        "sim-0-001": "train",
        "sim-0-002": "val",
        "sim-0-003": "train",
    }
    assert "sim-0-002" in (tmp_path / "data.yaml").read_text()
    assert world.driven > 5
    about = read_session(tmp_path, "sim-0-002")
    assert about["whole"] and about["world"] == 2 and len(about["shots"]) == 10 and about["seen"] >= 10
    assert (
        about["robot"] == world.serial
        and about["intrinsics"]["size_wh"] == [640, 360]
        and about["wirepod_vector_sdk"]
        and about["vector_tl"]
    )


@pytest.mark.fast
def test_same_seed_same_labels_other_seed_other_sessions(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(settings_for(tmp_path / name, count=12, seed=seed))
    assert dataset.digest(tmp_path / "a") == dataset.digest(tmp_path / "b") != dataset.digest(tmp_path / "c")
    before = tree(tmp_path / "a")
    run(settings_for(tmp_path / "a", count=12, seed=1))
    after = tree(tmp_path / "a")
    assert {
        path: data
        for path, data in after.items()
        if path in before and path not in ("splits.json", "data.yaml")
    }.items() <= before.items()
    assert len(dataset.load_dataset(tmp_path / "a", "all").items) == 24


@pytest.mark.fast
def test_where_only_labels_are_a_capture_makes_no_more_images_than_asked_for(tmp_path):
    """As in a clone of a repository, whose labels are those of many sessions."""
    run(settings_for(tmp_path, count=36))
    for image in tmp_path.glob("images/*/*.jpg"):
        image.unlink()
    run(settings_for(tmp_path, count=12))
    assert len(list(tmp_path.glob("images/*/*.jpg"))) == 12
    run(settings_for(tmp_path, count=36))
    assert len(list(tmp_path.glob("images/*/*.jpg"))) == 36


@pytest.mark.fast
def test_a_second_capture_goes_on_and_keeps_what_is_there(tmp_path):
    run(settings_for(tmp_path, count=12))
    before = tree(tmp_path)
    assert plans_left(settings_for(tmp_path, count=12))[0] == []
    run(settings_for(tmp_path, count=20))
    after = tree(tmp_path)
    assert len(dataset.load_dataset(tmp_path, "all").items) == 20
    assert all(
        after[path] == data for path, data in before.items() if path not in ("splits.json", "data.yaml")
    )


@pytest.mark.fast
@pytest.mark.parametrize("frames", [0, 1, 5, 17, 29, 40])
def test_interrupted_and_resumed_loses_nothing(tmp_path, frames):
    settings = settings_for(tmp_path, count=24)
    with pytest.raises(KeyboardInterrupt):
        run(settings, SmallTable(fail_after=frames))
    before = {path: data for path, data in tree(tmp_path).items() if path.endswith((".jpg", ".txt"))}
    assert not [path for path in before if path.endswith(".part")]
    run(settings)
    after = tree(tmp_path)
    assert all(after[path] == data for path, data in before.items())
    run(settings_for(tmp_path / "whole", count=24))
    assert {path: data for path, data in after.items() if path.startswith("labels")} == {
        path: data for path, data in tree(tmp_path / "whole").items() if path.startswith("labels")
    }


def test_an_image_whose_label_was_not_written_yet_is_taken_again(tmp_path):
    settings = settings_for(tmp_path, count=6)
    with pytest.raises(KeyboardInterrupt):
        run(settings, SmallTable(fail_after=8))
    taken = len(list((tmp_path / "images/sim-0-000").glob("*.jpg")))
    orphan = dataset.image_path(tmp_path, "sim-0-000", f"sim-0-000-{taken:03d}")
    orphan.write_bytes(b"half")
    run(settings)
    assert (
        decode_or_none(orphan.read_bytes()) is not None
        and len(dataset.load_dataset(tmp_path, "all").items) == 6
    )


@pytest.mark.fast
def test_a_clone_without_images_gets_them_again_and_they_must_agree(tmp_path):
    settings = settings_for(tmp_path, count=6)
    run(settings)
    labels = dataset.digest(tmp_path)
    for path in (tmp_path / "images").rglob("*.jpg"):
        path.unlink()
    run(settings)
    assert dataset.digest(tmp_path) == labels and len(dataset.load_dataset(tmp_path, "all").items) == 6
    for path in (tmp_path / "images").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(UserError, match="differs from what the simulator"):
        run(settings, SmallTable(shift_px=3.0))
    assert dataset.digest(tmp_path) == labels


@pytest.mark.fast
def test_taken_again_an_image_is_not_judged_again(tmp_path):
    """On another computer a pixel may be drawn otherwise, and must not decide for another image."""
    settings = settings_for(tmp_path, count=12)
    run(settings)
    labels = dataset.digest(tmp_path)
    for path in (tmp_path / "images").rglob("*.jpg"):
        path.unlink()
    elsewhere = SmallTable()
    boxes = elsewhere._boxes
    elsewhere._boxes = lambda: [box | {"visible_px": 149} for box in boxes()]  # too little to be clear
    run(settings, elsewhere)
    assert dataset.digest(tmp_path) == labels and len(dataset.load_dataset(tmp_path, "all").items) == 12


@pytest.mark.fast
@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([], 0),
        ([((0, 0, 16, 16), 150)], 1),
        ([((0, 0, 15, 200), 3000)], None),
        ([((0, 0, 200, 15), 3000)], None),
        ([((0, 0, 50, 50), 149)], None),
        ([((0, 0, 50, 50), 900), ((90, 0, 95, 50), 200)], None),
        ([((0, 0, 50, 50), 900), ((90, 0, 195, 50), 200)], 2),
        ([((0, 0, 100, 100), 5000), ((80, 20, 180, 90), 4000)], 2),
        ([((0, 0, 100, 100), 5000), ((70, 20, 120, 70), 900)], None),
    ],
)
def test_too_little_of_a_vector_is_neither_positive_nor_negative(boxes, count):
    found = clear_boxes([{"xyxy": list(xyxy), "visible_px": visible} for xyxy, visible in boxes])
    assert found is None if count is None else found.shape == (count, 4) and found.dtype == np.float32


@pytest.mark.fast
def test_a_room_without_place_says_so(tmp_path):
    world = SmallTable()
    world.place = lambda vectors: (_ for _ in ()).throw(UserError("no"))
    with pytest.raises(UserError, match="another --seed"):
        run(settings_for(tmp_path, count=3), world)


@pytest.mark.fast
def test_broken_provenance_is_named(tmp_path):
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions/sim-0-000.json").write_text("{")
    with pytest.raises(UserError, match="sim-0-000.json"):
        plans_left(settings_for(tmp_path))


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"images_per_session": 0},
        {"negative_share": 1.5},
        {"moving": -0.1},
        {"seed": -1},
        {"seconds": 0.0},
        {"masks": True, "robot": "00e20100"},
    ],
)
def test_settings_out_of_range(wrong, tmp_path):
    with pytest.raises(UsageError):
        replace(settings_for(tmp_path), **wrong).check()


class Camera(SmallTable):
    """A robot that only sends frames: new ones, the same ones, broken ones, none, and then Ctrl-C."""

    def ground_truth(self):
        return None

    def next_frame(self, after_id=None, timeout_s=1.0):
        self.image_id += 1
        kind = self.image_id % 4
        if kind == 3 or (self.fail_after and self.image_id > self.fail_after):
            raise NoFreshFrame("none") if kind == 3 else KeyboardInterrupt
        image = np.full((360, 640, 3), 40, np.uint8)
        cv2.circle(image, (60 + 37 * (self.image_id // 4) % 560, 180), 60, (250, 250, 250), -1)
        jpeg = b"\xff\xd8 broken" if kind == 2 else cv2.imencode(".jpg", image)[1].tobytes()
        return Frame(self.image_id, self.image_id * 66, 0.0, jpeg)


@pytest.mark.fast
@pytest.mark.parametrize(("count", "fail_after", "kept"), [(4, None, 4), (100, 20, 6), (100, 0.5, 0)])
def test_a_robot_gives_an_unlabelled_session_of_new_frames(tmp_path, count, fail_after, kept):
    result = RobotSession(
        settings_for(tmp_path, count=count, robot="00e20100"), Camera(fail_after=fail_after)
    ).take_images()
    assert (
        result["kept"] == kept == len(list(tmp_path.rglob("*.jpg")))
        and result["seen"] >= kept
        and result["sessions"] == bool(kept)
    )
    assert not list(tmp_path.rglob("*.txt"))
    for path in tmp_path.glob("sessions/*.json"):
        about = json.loads(path.read_text())
        assert about["robot"] == "00e20100" and len(about["shots"]) == kept and about["whole"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """What the real simulator (plain camera), its sockets and the genuine SDK make of 14 images."""
    pytest.importorskip("anki_vector", reason="the SDK is not installed")
    folder = tmp_path_factory.mktemp("simulated")
    settings = settings_for(
        folder, count=14, images_per_session=7, camera="plain", negative_share=0.3, masks=True
    )
    return settings, capture(settings)


def test_capture_through_the_sdk(simulated):
    settings, result = simulated
    assert set(result) == {"sessions", "kept", "seen", "seconds", "coverage", "hint"}
    assert (result["sessions"], result["kept"]) == (2, 14) and result["seen"] >= 14
    data = dataset.load_dataset(settings.data, "all")
    assert len(data) == 14 and sum(len(item.boxes_norm) == 0 for item in data.items) == 4
    for item in data.items:
        assert item.image().shape == (360, 640, 3)
    shots = [
        shot
        for session in ("sim-0-000", "sim-0-001")
        for shot in read_session(settings.data, session)["shots"]
    ]
    assert len({shot["distance_mm"] for shot in shots}) > 10 and all(
        80 < shot["distance_mm"] < 2500 for shot in shots
    )
    again = capture(settings)
    assert {key: again[key] for key in ("sessions", "kept", "seen")} == {
        key: result[key] for key in ("sessions", "kept", "seen")
    }


def test_masks_show_what_the_boxes_enclose(simulated):
    settings, _ = simulated
    for item in dataset.load_dataset(settings.data, "all").items:
        mask = read_mask(dataset.mask_path(settings.data, item.session, item.name))
        assert mask.shape == (360, 640)
        seen = [cv2.boundingRect((mask == number).view(np.uint8)) for number in np.unique(mask[mask > 0])]
        enclosed = sorted((x, y, x + width, y + height) for x, y, width, height in seen)
        labelled = np.array(sorted(item.boxes_xyxy((640, 360)).tolist())).reshape(-1, 4)
        np.testing.assert_allclose(np.array(enclosed).reshape(-1, 4), labelled, atol=0.01)


def test_the_same_seed_gives_the_same_bytes(simulated, tmp_path):
    settings, _ = simulated
    capture(replace(settings, data=tmp_path))
    first, second = (
        {path: data for path, data in tree(folder).items() if not path.startswith("sessions")}
        for folder in (settings.data, tmp_path)
    )
    assert first == second


def test_held_out_sessions_are_in_rooms_of_their_own_and_all_in_test(tmp_path):
    settings = settings_for(tmp_path, held_out=True, count=20, seed=3)
    run(settings)
    assert dataset.read_splits(tmp_path) == {"held-out-3-000": "test", "held-out-3-001": "test"}
    about = read_session(tmp_path, "held-out-3-001")
    assert about["world"] == HELD_OUT_WORLDS + 300_001 and about["whole"]
    run(settings_for(tmp_path, count=12, seed=3))
    assert read_session(tmp_path, "sim-3-000")["world"] == 300_000


@pytest.mark.parametrize(
    "options", [{"backgrounds": "rooms"}, {"camera": "plain"}, {"robot": "00e20100"}, {"without": ("light",)}]
)
def test_held_out_rooms_are_drawn_ones_and_no_seed_reaches_them_by_itself(tmp_path, options):
    with pytest.raises(UsageError, match="held-out"):
        settings_for(tmp_path, held_out=True, **options).check()
    with pytest.raises(UsageError, match="--seed"):
        settings_for(tmp_path, seed=MAX_SEED).check()
    assert MAX_SEED * ROOMS_PER_SEED == HELD_OUT_WORLDS
