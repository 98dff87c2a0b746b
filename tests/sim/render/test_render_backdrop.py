"""Vectors in front of photographs."""

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vector_tl.capture.run import capture
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data.dataset import load_dataset
from vector_tl.data.kinds import KNOWN_KINDS
from vector_tl.errors import UserError
from vector_tl.sim.render.backdrop import BackdropCamera
from vector_tl.sim.render.conditions import COLOR
from vector_tl.sim.render.plate import Plate, by_folder, looks_down, photographs
from vector_tl.sim.render.sightings import is_thing
from vector_tl.sim.render.surround import ROOM_MM, furnished, surround
from vector_tl.sim.world.clutter import SIZES
from vector_tl.sim.world.room import make_room
from vector_tl.sim.world.scene import Moment, VectorPose

VIEWER, FAR = VectorPose(0, 0, 0), VectorPose(220, 20, 2.0)


def photograph(path, size_wh=(640, 360), color=(150, 120, 90)):
    """A wall above a floor, with a bright window on the left."""
    width, height = size_wh
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2], image[height // 2 :] = color, tuple(c // 2 for c in color)
    image[: height // 3, : width // 4] = 255
    cv2.imwrite(str(path), image[..., ::-1])
    return path


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    photograph(folder / "a.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    photograph(folder / "tiny.png", (64, 36))
    camera = BackdropCamera(folder)
    yield camera
    camera.close()


def shoot(camera, *vectors, seed=0):
    shot = camera.shoot(Moment(vectors), np.random.default_rng(seed))
    return shot, cv2.cvtColor(
        cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
    ).astype(int)


@pytest.mark.fast
def test_the_photograph_stays_and_the_vector_stands_in_its_box(camera, caplog):
    for seed in range(3):
        camera.enter(make_room(seed))
        assert camera.name == "a.png", "what cannot be read or is too small is left out"
    _, empty = shoot(camera, VIEWER)
    shot, image = shoot(camera, VIEWER, FAR)
    (box,) = shot.boxes
    x1, y1, x2, y2 = map(int, box.xyxy)
    changed = np.abs(image - empty).max(axis=2) > 40
    rows, columns = np.nonzero(changed[:330])
    assert x1 - 3 <= columns.min() and columns.max() <= x2 + 3 and y1 - 3 <= rows.min()
    assert changed[y1:y2, x1:x2].mean() > 0.4
    assert np.abs(image[: y1 - 10] - (150, 120, 90))[:, 200:].max() < 12, "far from it the wall is as it was"
    assert {"broken.jpg", "tiny.png"} <= {
        word for record in caplog.records for word in record.getMessage().replace("/", " ").split()
    } or not caplog.records
    assert shot.background == "a.png"
    assert shoot(camera, VIEWER, FAR)[0].jpeg == shot.jpeg, "the same for the same seed"


@pytest.mark.fast
def test_light_comes_from_where_the_photograph_is_bright(tmp_path):
    plate = Plate(cv2.imread(str(photograph(tmp_path / "p.png")))[..., ::-1], (640, 360))
    across, light = plate.lamp()
    assert across < -0.5 and (light > 0.3).all() and plate.own
    assert not Plate(np.zeros((480, 640, 3), np.uint8), (640, 360)).own
    assert plate.floor_color() == pytest.approx(np.square(np.array([75, 60, 45]) / 255), abs=0.02)


@pytest.mark.fast
def test_a_folder_without_photographs_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no images"):
        BackdropCamera(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"no image")
    camera = BackdropCamera(tmp_path)
    with pytest.raises(UserError, match="None of the photographs"):
        camera.enter(make_room(0))
    camera.close()


def test_a_capture_before_photographs_is_labelled_and_says_which(tmp_path):
    (tmp_path / "kitchen").mkdir()
    photograph(tmp_path / "kitchen" / "a.png")
    photograph(tmp_path / "kitchen" / "b.jpg", (800, 600))
    settings = CaptureSettings(
        data=tmp_path / "data",
        count=4,
        images_per_session=2,
        backgrounds=tmp_path / "kitchen",
        negative_share=0.0,
    )
    result = capture(settings)
    assert result["kept"] == 4
    data = load_dataset(tmp_path / "data", "all")
    assert {item.session for item in data.items} == {"room-kitchen-0-000", "room-kitchen-0-001"} and all(
        len(item.boxes_norm) for item in data.items
    )
    about = [json.loads(path.read_text()) for path in sorted((tmp_path / "data" / "sessions").glob("*.json"))]
    assert [{shot["background"] for shot in one["shots"]} for one in about] == [
        {"a.png"},
        {"b.jpg"},
    ] and about[0]["backgrounds"] == "kitchen"


def test_the_head_stands_as_it_did_for_the_photograph(tmp_path):
    """A raised head sees the ground's Vectors lower; the pose that the world gives does not count."""
    lower_edges = []
    for head_rad in (None, 0.0, 0.2):
        folder = tmp_path / str(head_rad)
        (folder / "images" / "mine").mkdir(parents=True)
        photograph(folder / "images" / "mine" / "a.png")
        if head_rad is not None:
            (folder / "sessions").mkdir()
            shot = {"name": "a", "size_wh": [640, 360], "brightness": 100.0, "head_rad": head_rad}
            (folder / "sessions" / "mine.json").write_text(json.dumps({"shots": [shot]}))
        camera = BackdropCamera(folder)
        camera.enter(make_room(1))
        shot, _ = shoot(camera, VectorPose(0, 0, 0, head_angle_rad=-0.3), FAR)
        lower_edges.append(shot.boxes[0].xyxy[3])
        camera.close()
    assert lower_edges[0] == lower_edges[1]
    assert (
        60 < lower_edges[2] - lower_edges[1] < 100
    )  # 353 px to the radian in the middle; the lens rises with the head too


@pytest.mark.fast
def test_photographs_of_one_folder_come_in_order_and_of_several_evenly(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        photograph(tmp_path / f"{name}.png", (320, 240))
    flat = BackdropCamera(tmp_path)
    try:
        names = [flat._readable(seed)[0].name for seed in range(7)]
    finally:
        flat.close()
    assert names == ["a.png", "b.png", "c.png", "a.png", "b.png", "c.png", "a.png"], "as it always was"
    for room, count in (("kitchen", 6), ("hall", 1)):
        (tmp_path / room).mkdir()
        for number in range(count):
            photograph(tmp_path / room / f"{number}.png", (320, 240))
    several = BackdropCamera(tmp_path)
    try:
        drawn = [several._readable(seed)[0] for seed in range(18)]
    finally:
        several.close()
    assert [
        sum(path.parent.name == room for path in drawn) for room in ("kitchen", "hall", tmp_path.name)
    ] == [
        6,
        6,
        6,
    ]
    assert len({path for path in drawn if path.parent.name == "kitchen"}) == 6
    assert [len(some) for some in by_folder(photographs(tmp_path))] == [3, 1, 6]


@pytest.mark.fast
def test_ground_looks_down_and_a_wall_above_a_floor_does_not(tmp_path):
    wall = cv2.imread(str(photograph(tmp_path / "p.png")))[..., ::-1]
    ground = np.random.default_rng(0).normal(120, 20, (300, 300, 3)).clip(0, 255).astype(np.uint8)
    assert looks_down(ground) and not looks_down(wall)


@pytest.mark.fast
def test_a_phones_box_encloses_the_vector_that_it_filmed_before_ground(tmp_path):
    rough = np.random.default_rng(0).normal(150, 6, (300, 300, 3)).clip(0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "ground.png"), rough)
    camera = BackdropCamera(tmp_path)
    try:
        camera.enter(make_room(2, ("third-person",)))
        assert not camera._plate.own
        (_, empty), (shot, image) = shoot(camera, VIEWER), shoot(camera, VIEWER, FAR)
    finally:
        camera.close()
    (box,) = shot.boxes
    x1, y1, x2, y2 = map(int, box.xyxy)
    assert image[y1:y2, x1:x2].mean() < 0.75 * empty[y1:y2, x1:x2].mean()
    inside = np.s_[y1 + (y2 - y1) // 3 : y2 - (y2 - y1) // 3, x1 + (x2 - x1) // 3 : x2 - (x2 - x1) // 3]
    assert image[inside].mean() < 90


def test_the_things_of_a_rooms_kinds_stand_among_the_vectors_before_the_photograph(tmp_path):
    photograph(tmp_path / "a.png")
    room = make_room(5, ("occluded",))
    thing = max((some for some in room.obstacles if some.kind in SIZES), key=lambda some: some.height_mm)
    reach_mm = math.hypot(thing.half_x_mm, thing.half_y_mm)
    viewer = VectorPose(thing.x_mm - 260, thing.y_mm, 0.0)
    hidden = VectorPose(thing.x_mm + reach_mm + 50, thing.y_mm, math.pi)
    camera = BackdropCamera(tmp_path)
    try:
        camera.enter(replace(room, obstacles=(), kinds=("ordinary",)))
        free, without = shoot(camera, viewer, hidden)
        camera.enter(replace(room, obstacles=(thing,)))
        shot, image = shoot(camera, viewer, hidden)
        again, _ = shoot(camera, viewer, hidden)
        camera.enter(replace(room, obstacles=(), kinds=("ordinary",)))
        assert shoot(camera, viewer, hidden)[0].jpeg == free.jpeg, "of a room before nothing stays"
    finally:
        camera.close()
    assert shot.jpeg == again.jpeg
    assert not is_thing(free.ids).any() and is_thing(shot.ids).sum() > 5000
    assert (shot.ids == 2).sum() < 0.6 * (free.ids == 2).sum(), "it hides much of the Vector"
    assert [seen.kind for seen in shot.seen.things] == [thing.kind]
    assert all(vector.hidden > 0.4 for vector in shot.seen.vectors)
    far = cv2.dilate((shot.ids > 0).astype(np.uint8), np.ones((81, 81), np.uint8)) == 0
    assert far[:150].any() and np.abs(image - without)[:150][far[:150]].max() < 12, "the wall stays"


@pytest.mark.fast
def test_ground_around_a_thing_is_darker_and_reaches_the_walls():
    room = make_room(5, ("occluded",))
    plate = Plate(np.full((360, 640, 3), 120, np.uint8), (640, 360))
    empty = surround(room, plate)
    decor = furnished(empty, room)
    corners = decor.ground[:, :2]
    assert np.abs(corners).max(axis=0) == pytest.approx([ROOM_MM, ROOM_MM])
    triangles = decor.ground[:, :3].reshape(-1, 3, 3)
    sides = triangles[:, 1:] - triangles[:, :1]
    area_mm2 = np.abs(np.cross(sides[:, 0], sides[:, 1])[:, 2]).sum() / 2
    assert area_mm2 == pytest.approx((2 * ROOM_MM) ** 2, rel=1e-4), "without a gap, nothing twice"
    assert decor.ground[:, COLOR].min() < 0.5 * empty.ground[0, COLOR].min()
    assert furnished(empty, make_room(5)) is empty


@pytest.mark.fast
def test_every_kind_may_be_asked_for_in_front_of_photographs(tmp_path):
    for kind in KNOWN_KINDS:
        CaptureSettings(data=tmp_path, count=1, backgrounds=tmp_path, kinds=(kind,)).check()


def test_looks_can_be_left_out_before_a_photograph_too(tmp_path):
    photograph(tmp_path / "a.png")
    dressed, plain = (BackdropCamera(tmp_path, without=without) for without in ((), ("looks",)))
    try:
        for camera in (dressed, plain):
            camera.enter(make_room(12, ("ordinary",)))
        shots = [shoot(camera, VIEWER, FAR)[0] for camera in (dressed, plain)]
        assert shots[0].jpeg != shots[1].jpeg
    finally:
        dressed.close()
        plain.close()
