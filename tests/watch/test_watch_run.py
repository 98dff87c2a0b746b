"""`vector-tl watch`: what it shows, keeps and records, without a robot and without a browser."""

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from support.hostile import image_bytes
from vector_tl.data.dataset import list_images, read_session, read_splits
from vector_tl.data.media import read_frames
from vector_tl.detect.interface import Detections
from vector_tl.errors import UsageError, UserError
from vector_tl.watch import run
from vector_tl.watch.board import Board, Look, Moment
from vector_tl.watch.keeping import Keeper
from vector_tl.watch.media_source import MediaSource
from vector_tl.watch.page_server import served
from vector_tl.watch.run import Viewing, describe, watch
from vector_tl.watch.settings import WatchSettings
from vector_tl.watch.sight import Sight
from vector_tl.watch.sources import open_source

pytestmark = pytest.mark.fast
BOX = Detections(np.array([[10, 20, 60, 80]], np.float32), np.array([0.9], np.float32))
NONE = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


class Sees:
    """A detector that always sees the same."""

    init, engine, threshold = "coco", "none", 0.5

    def __init__(self, name="right", found=BOX):
        self.name, self._found = name, found

    def __call__(self, image, threshold=None):
        return self._found


class Here:
    """A source that gives one image after another, `count` of them."""

    name, kind, word = "here", "webcam", "watch-webcam0"

    def __init__(self, count=10**9):
        self.left = count

    def look(self):
        if not self.left:
            raise StopIteration
        self.left -= 1
        jpeg = image_bytes(size_wh=(64, 48))
        return Sight(cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1), cv2.COLOR_BGR2RGB), jpeg)


def a_view(folder, source, **settings):
    given = WatchSettings("0", data=folder / "data", runs=folder / "runs", **{"max_fps": 120.0} | settings)
    board = Board({"source": source.name, "models": [{"name": "left"}, {"name": "right"}]})
    keeper = Keeper(source, given.data, given.runs)
    return Viewing(given, source, [Sees("left", NONE), Sees()], board, keeper), board, keeper


def test_keys_keep_images_and_record(tmp_path):
    view, board, keeper = a_view(tmp_path, source := Here())
    turns = iter(["", "keep", "record", "", "keep", "record", "", "quit"])
    view.run(lambda: board.press(next(turns, "")))
    keeper.close()
    result = view.result()
    kept = sorted((tmp_path / "data").glob("images/*/*"))
    assert [str(path) for path in kept] == result["images"]
    (session,) = {path.parent.name for path in kept}
    assert [path.name for path in kept] == [f"{session}-0000.jpg", f"{session}-0001.jpg"]
    assert session.startswith("watch-webcam0-2")
    assert kept[0].read_bytes() == source.look().jpeg  # as it came
    assert not list((tmp_path / "data").glob("labels/*/*"))  # nobody has labelled them
    about = read_session(tmp_path / "data", session)
    assert about["source"] == "watch" and about["whole"] and len(about["shots"]) == 2
    assert read_splits(tmp_path / "data") == {session: "train"} and len(list_images(tmp_path / "data")) == 2
    (recording,) = map(Path, result["recordings"])
    frames = list(read_frames((recording,)))
    assert recording.parent == tmp_path / "runs"
    assert frames and not any(f.error for f in frames)  # a disk that lags leaves some out
    assert "right saw a Vector in" in describe(result)


def test_nothing_is_ever_overwritten(tmp_path):
    for _ in range(2):  # within a second, so that the name by the time is taken
        view, board, keeper = a_view(tmp_path, Here())
        turns = iter(["", "keep", "record", "", "quit"])
        view.run(lambda turns=turns, board=board: board.press(next(turns, "")))
        keeper.close()
    assert len(list((tmp_path / "data").glob("images/*/*.jpg"))) == 2
    assert len(list((tmp_path / "runs").glob("*.mcap"))) == 2


def test_a_full_disk_ends_the_recording_and_not_the_view(tmp_path):
    view, board, keeper = a_view(tmp_path, Here())
    (tmp_path / "data").write_text("a file where the dataset should be")
    turns = iter(["", "keep", "", "quit"])
    view.run(lambda: board.press(next(turns, "")))
    assert not keeper.images and "data" in board.said and view.result()["frames"] >= 2


def test_a_held_image_stays(tmp_path):
    view, board, _ = a_view(tmp_path, Here())
    numbers = []
    turns = iter(["", "", "", "hold", "", "", "hold", "", "", "quit"])

    def turn():
        numbers.append(board.moment.number if board.moment else 0)
        board.press(next(turns, ""))

    view.run(turn)
    assert numbers[4] == numbers[5] == numbers[6] and numbers[-1] > numbers[6]


def test_it_ends_by_the_clock_and_with_its_source(tmp_path):
    view, board, _ = a_view(tmp_path, Here(count=3))
    view.run(lambda: None)
    assert board.ended == "here has ended" and view.result()["frames"] == 3
    view, board, _ = a_view(tmp_path, Here(), seconds=0.05)
    view.run(lambda: None)
    assert board.ended == "time is up"


def test_a_folder_is_shown_again_and_again_or_once(tmp_path, monkeypatch):
    monkeypatch.setattr("vector_tl.watch.media_source.IMAGE_S", 0.02)
    for name in ("a10.jpg", "a2.jpg"):
        (tmp_path / name).write_bytes(image_bytes(size_wh=(64, 48)))
    (tmp_path / "broken.jpg").write_bytes(b"no image")

    def shown(again, most):
        source, names = MediaSource(tmp_path, again), []
        while len(names) < most:
            try:
                sight = source.look()
            except StopIteration:
                break
            names += [sight.about] if sight else []
        return names

    assert set(shown(True, 5)) == {"a2.jpg", "a10.jpg"}
    assert shown(False, 5)[-1] == "a10.jpg"


def test_what_cannot_be_watched_says_what_to_do(tmp_path, monkeypatch):
    for name in ("broken.jpg", "another.jpg"):
        (tmp_path / name).write_bytes(b"no image")
    cases = {"99": "Webcam 99", str(tmp_path / "gone"): "name a webcam", str(tmp_path): "can be shown"}
    cases |= {"screen": "screen", "00e20199": "sdk_config.ini"}
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for source, words in cases.items():
        with pytest.raises(UserError, match=words), open_source(WatchSettings(source)):
            pass


@pytest.mark.parametrize("wrong", [{"max_fps": 0}, {"threshold": 2}, {"seconds": 0}, {"page_port": -1}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(UsageError):
        WatchSettings("0", **wrong).check()


def test_the_page_gets_the_image_and_both_models_boxes(capsys):
    board = Board({"source": "here", "models": [{"name": "left"}, {"name": "right"}]})
    sight = Here().look()
    board.post(Moment(1, sight, (Look(NONE, 1.0), Look(BOX, 2.0))))
    with served(board) as url:
        place = urlsplit(url)
        assert place.hostname == "127.0.0.1"

        def ask(method, path, body=None):
            link = http.client.HTTPConnection(place.hostname, place.port, timeout=5)
            link.request(method, path, body, {"Content-Type": "application/json"})
            return link.getresponse()

        assert ask("GET", "/stream").status == 401  # without the token
        answer = ask("GET", f"{place.path}stream")
        sizes = np.frombuffer(answer.read(8), ">u4")
        news = json.loads(answer.read(int(sizes[0])))
        assert answer.read(int(sizes[1])) == sight.jpeg
        assert [len(look["boxes"]) for look in news["looks"]] == [0, 1] and news["size_wh"] == [64, 48]
        assert ask("POST", f"{place.path}press", '{"action": "keep"}').status == 200
        assert ask("POST", f"{place.path}press", '{"action": "drive"}').status == 400
        assert board.pressed() == ["keep"]


def test_the_command_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "load", lambda model, device: Sees(model))
    (tmp_path / "a.jpg").write_bytes(image_bytes(size_wh=(64, 48)))
    settings = WatchSettings(str(tmp_path / "a.jpg"), once=True, data=tmp_path / "d", runs=tmp_path / "r")
    result = watch(settings)
    assert result["frames"] == 1 and [model["seen"] for model in result["models"]] == [1, 1]
    assert not (tmp_path / "d").exists() and not (tmp_path / "r").exists()


def test_the_window_draws_both(monkeypatch):
    from vector_tl.watch.window import HEAD_PX, PANE_PX, Window, drawn

    board = Board({"models": [{"name": "left"}, {"name": "right"}]})
    image = drawn(Moment(1, Here().look(), (Look(NONE, 1.0), Look(BOX, 2.0))), board)
    assert image.shape == (HEAD_PX + PANE_PX * 48 // 64, 2 * PANE_PX, 3)
    left, right = image[HEAD_PX:, :PANE_PX], image[HEAD_PX:, PANE_PX:]
    assert (left != right).any()  # the box
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="no screen"):
        Window()
