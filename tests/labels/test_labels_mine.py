"""Mining: what a model wrongly sees becomes images without a Vector, after one look, and only once."""

import json
import threading
import urllib.request
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from support import chromium
from support.for_all import assert_for_all
from vector_tl.cli import parse
from vector_tl.data import dataset
from vector_tl.detect.interface import Detections
from vector_tl.errors import UsageError, UserError
from vector_tl.labels import mine as mining
from vector_tl.labels.check import check
from vector_tl.labels.mine import known_hashes, mine
from vector_tl.labels.mine_look import look_app
from vector_tl.labels.mine_settings import MineSettings
from vector_tl.labels.settings import CheckSettings
from vector_tl.web.report import Illustration
from vector_tl.web.server import LocalServer

RED, GREEN = (220, 30, 30), (30, 160, 30)


def room(seed: int, color: tuple[int, int, int] | None = RED) -> np.ndarray:
    """An image (180, 320, 3) of a mottled room, with a square of a colour or none in it."""
    small = np.random.default_rng(seed).integers(60, 130, (9, 16, 3), np.uint8)
    image = cv2.resize(small, (320, 180), interpolation=cv2.INTER_NEAREST)
    if color is not None:
        image[100:140, 200:250] = color
    return image


class RedIsAVector:
    """Takes a red square for a Vector, the surer the redder; stands for a network in these tests."""

    name, arch, init, threshold = "red", "none", "none", 0.8

    def __call__(self, image, threshold=None):
        red = image[110:130, 210:240].reshape(-1, 3).mean(axis=0)
        score = np.float32([(red[0] - red[1]) / 255])
        boxes = np.float32([[200, 100, 250, 140]])
        sure = score > (self.threshold if threshold is None else threshold)
        return Detections(boxes[sure], score[sure])


@pytest.fixture(autouse=True)
def model(monkeypatch):
    monkeypatch.setattr("vector_tl.detect.detector.load", lambda *_: RedIsAVector())


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


@pytest.fixture
def photos(tmp_path):
    """Three rooms with something red, one of them twice, and two without."""
    folder = tmp_path / "photos"
    for seed in range(3):
        write(folder / f"red{seed}.png", room(seed))
    write(folder / "red1 again.jpg", room(1))
    write(folder / "green.png", room(7, GREEN))
    write(folder / "empty.png", room(8, None))
    return folder


@pytest.mark.fast
def test_the_command_as_a_person_types_it():
    settings, as_json = parse("label mine", ["best", "--data", "d", "kitchen", "hall.mp4", "--yes", "--json"])
    wanted = MineSettings("best", (Path("kitchen"), Path("hall.mp4")), Path("d"), yes=True)
    assert as_json and settings == wanted and not MineSettings("best", (Path("kitchen"),)).yes


@pytest.mark.fast
def test_what_a_model_wrongly_sees_becomes_a_session_to_train_on(tmp_path, photos):
    data = tmp_path / "data"
    result = mine(MineSettings("red", (photos,), data, yes=True))
    assert {key: result[key] for key in ("looked_at", "candidates", "kept")} == {
        "looked_at": 6,
        "candidates": 3,
        "kept": 3,
    }
    assert dataset.read_splits(data) == {"mined": "train"}
    items = dataset.load_dataset(data, "train").items
    assert len(items) == 3 and all(item.boxes_norm.shape == (0, 4) for item in items)
    originals = {path.read_bytes() for path in photos.iterdir()}
    assert all(item.image_path.read_bytes() in originals for item in items)
    about = dataset.read_session(data, "mined")
    assert about["model"] == "red" and {image["source"][:3] for image in about["images"].values()} == {"red"}
    assert check(CheckSettings(data))["problems"] == []


@pytest.mark.fast
def test_a_second_run_adds_only_what_is_new(tmp_path, photos):
    data = tmp_path / "data"
    asked = MineSettings("red", (photos,), data, yes=True)
    mine(asked)
    before = {path: path.read_bytes() for path in (data / "images").rglob("*.*")}
    assert mine(asked) == {"looked_at": 6, "candidates": 0, "kept": 0}
    assert dataset.read_splits(data) == {"mined": "train"}
    write(photos / "new.png", room(20))
    again = mine(MineSettings("red", (photos,), data, yes=True, split="val"))
    assert (again["candidates"], again["kept"]) == (1, 1)
    assert dataset.read_splits(data) == {"mined": "train", "mined-2": "val"}
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.fast
def test_the_surest_come_first_and_weak_ones_only_when_asked(tmp_path):
    photos = tmp_path / "photos"
    for seed, red in enumerate((255, 200, 90)):
        write(photos / f"{red}.png", room(seed, (red, 20, 20)))
    one = mine(MineSettings("red", (photos,), tmp_path / "one", yes=True, count=1))
    sources = dataset.read_session(tmp_path / "one", "mined")["images"].values()
    assert one["kept"] == 1 and [image["source"] for image in sources] == ["255.png"]
    assert mine(MineSettings("red", (photos,), tmp_path / "half", yes=True))["kept"] == 2
    assert mine(MineSettings("red", (photos,), tmp_path / "all", yes=True, threshold=0.1))["kept"] == 3


@pytest.mark.fast
def test_frames_of_a_video_are_apart_and_differ(tmp_path):
    film = tmp_path / "room.mp4"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for index in range(40):  # 4 s: two rooms, 2 s each
            frame = av.VideoFrame.from_ndarray(room(index // 20), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    result = mine(MineSettings("red", (film,), tmp_path / "data", yes=True))
    assert (result["looked_at"], result["kept"]) == (8, 2)  # every half second; each room once
    images = dataset.read_session(tmp_path / "data", "mined")["images"].values()
    assert sorted(image["frame"] // 20 for image in images) == [0, 1]
    assert (tmp_path / "data" / "images" / "mined" / "0001.jpg").is_file()


@pytest.mark.fast
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"inputs": ()}, UsageError),
        ({"inputs": (Path("no such folder"),)}, UserError),
        ({"threshold": 1.5}, UsageError),
        ({"count": 0}, UsageError),
        ({"session": "../away"}, UserError),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(tmp_path, photos, change, error):
    asked = {"model": "red", "inputs": (photos,), "data": tmp_path / "data", "yes": True} | change
    with pytest.raises(error):
        mine(MineSettings(**asked))
    assert not (tmp_path / "data").exists()


@pytest.mark.fast
def test_nothing_is_overwritten_and_the_dataset_is_no_input(tmp_path, photos):
    data = tmp_path / "data"
    dataset.write_item(data, "mined", "0001", b"mine", None, (1, 1))
    mine(MineSettings("red", (photos,), data, yes=True))
    assert (data / "images" / "mined" / "0001.jpg").read_bytes() == b"mine"
    assert len(list((data / "images" / "mined-2").iterdir())) == 3
    with pytest.raises(UserError, match="choose another --session"):
        mine(MineSettings("red", (photos,), data, yes=True, session="mined"))
    with pytest.raises(UsageError, match="part of the dataset"):
        mine(MineSettings("red", (data / "images" / "mined-2",), data, yes=True))


@pytest.mark.fast
def test_what_was_refused_is_not_shown_again(tmp_path, photos, monkeypatch):
    data, shown = tmp_path / "data", []

    def keep_first(images, *_):
        shown.append(len(images))
        return {0}

    monkeypatch.setattr(mining, "look", keep_first)
    result = mine(MineSettings("red", (photos,), data))
    assert (result["candidates"], result["kept"], len(known_hashes(data))) == (3, 1, 3)
    assert mine(MineSettings("red", (photos,), data)) == {"looked_at": 6, "candidates": 0, "kept": 0}
    assert shown == [3]


@pytest.mark.fast
def test_a_look_that_is_broken_off_adds_nothing(tmp_path, photos, monkeypatch):
    monkeypatch.setattr(mining, "look", lambda *_: None)
    assert mine(MineSettings("red", (photos,), tmp_path / "data"))["kept"] == 0
    assert not (tmp_path / "data").exists()


def shown(count: int) -> list[Illustration]:
    return [Illustration("data:image/gif;base64,R0lGODlhAQABAAAAACw=", f"room {n}") for n in range(count)]


@pytest.fixture
def served():
    decided, done = [], threading.Event()
    app = look_app(shown(3), "red", lambda kept: (decided.append(kept), done.set()))
    server = LocalServer(app, "Open the address.")
    with server.in_thread("mine"):
        yield server, decided, done


@pytest.mark.fast
def test_the_page_shows_all_and_takes_one_decision(served):
    server, decided, _ = served
    with urllib.request.urlopen(server.url + "start") as answer:
        started = json.load(answer)
    assert started["model"] == "red" and [i["caption"] for i in started["images"]] == [
        "room 0",
        "room 1",
        "room 2",
    ]

    def post(body):
        data, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
        return urllib.request.urlopen(urllib.request.Request(server.url + "decide", data, kind))

    for wrong in ({}, {"keep": [3]}, {"keep": ["0"]}, {"keep": [True]}):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            post(wrong)
    assert decided == []
    with post({"keep": [2, 0]}) as answer:
        assert json.load(answer) == {"kept": 2}
    assert decided == [{0, 2}]


@pytest.mark.skipif(chromium.CHROMIUM is None, reason="no Chromium here to open the page in")
def test_a_click_leaves_an_image_out(served):
    server, decided, done = served
    browser = chromium.Chromium()
    try:
        page = browser.open(server.url)
        page.wait("document.querySelectorAll('#images button').length === 3")
        assert_for_all(page, "mine")
        page.click("#images button:nth-child(2)")
        page.wait("document.getElementById('add').textContent === 'Add 2 images'")
        page.click("#add")
        assert done.wait(10) and decided == [{0, 2}]
        page.wait("document.getElementById('about').textContent.startsWith('2 images will be added')")
    finally:
        browser.close()
