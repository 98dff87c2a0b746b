"""A robot's session: keep, drop, undo, keys and the page; killed at any step and resumed."""

import io
import json
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from vector_tl import files
from vector_tl.capture import robot_session
from vector_tl.capture.board import KEYS, CaptureBoard, Status
from vector_tl.capture.driving import Driver
from vector_tl.capture.page_server import served
from vector_tl.capture.recorder import SessionRecorder
from vector_tl.capture.robot_session import RobotSession
from vector_tl.capture.sessions import describe, only_capture
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.terminal import rendered
from vector_tl.data import dataset
from vector_tl.data.coverage import Coverage
from vector_tl.data.dataset import read_session
from vector_tl.data.images import decode_or_none
from vector_tl.errors import UsageError, UserError
from vector_tl.robot.base import Frame
from vector_tl.robot.fake import FakeVector

pytestmark = pytest.mark.fast

SERIAL = "00e20100"


def jpeg_of(number: int) -> bytes:
    image = np.full((360, 640, 3), 90, np.uint8)
    cv2.rectangle(image, (60 + number * 41 % 500, 100), (130 + number * 41 % 500, 190), (250, 250, 250), -1)
    return cv2.imencode(".jpg", image)[1].tobytes()


def shot_of(frame: Frame, xyxy=None) -> dict:
    return describe(frame, decode_or_none(frame.jpeg)) | {"xyxy": xyxy}


def taken(number: int, **more) -> tuple[Frame, dict]:
    frame = Frame(number, number * 66, number * 0.066, jpeg_of(number))
    return frame, shot_of(frame, **more)


def settings_for(folder, **more) -> CaptureSettings:
    return CaptureSettings(**{"robot": SERIAL, "data": folder, "count": 5} | more)


def open_recorder(folder, **more) -> SessionRecorder:
    return SessionRecorder.open(settings_for(folder, **more), FakeVector(serial=SERIAL))


def tree(folder) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_keep_drop_undo(tmp_path):
    recorder = open_recorder(tmp_path)
    names = [recorder.keep_image(*taken(n, xyxy=[[1.0, 2.0, 30.0, 40.0]]), labelled=True) for n in range(3)]
    image, label = (
        path_of(tmp_path, recorder.session, names[2]) for path_of in (dataset.image_path, dataset.label_path)
    )
    there = image.read_bytes(), label.read_bytes()
    assert (
        recorder.drop_image()["name"] == names[2]
        and not image.exists()
        and not label.exists()
        and len(recorder.shots) == 2
    )
    assert dataset.image_path(tmp_path / "bin", recorder.session, names[2]).read_bytes() == there[0]
    assert (
        recorder.undo()[0] == "dropped"
        and (image.read_bytes(), label.read_bytes()) == there
        and len(recorder.shots) == 3
    )
    what, shot = recorder.undo()
    assert (what, shot["name"]) == ("kept", names[2]) and not image.exists() and not label.exists()
    assert (
        recorder.keep_image(*taken(9), labelled=False) == f"{recorder.session}-0003"
    )  # a name is never used twice
    while recorder.undo():
        pass
    assert recorder.shots == [] and recorder.drop_image() is None
    recorder.finish(True)
    assert not (tmp_path / f"sessions/{recorder.session}.json").exists()


@pytest.mark.parametrize("die_at", range(34))
def test_killed_between_any_two_steps(tmp_path, monkeypatch, die_at):
    """Every write and move is counted; the process dies before number `die_at`."""
    steps = iter(range(1000))

    def mortal(work):
        def do(*arguments, **options):
            if next(steps) == die_at:
                raise KeyboardInterrupt
            return work(*arguments, **options)

        return do

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "write_atomic", mortal(dataset.write_atomic))
        patch.setattr(files.os, "replace", mortal(files.os.replace))
        kept: dict[str, bytes] = {}
        try:
            recorder = open_recorder(tmp_path)
            for n in range(4):
                kept[recorder.keep_image(*taken(n, xyxy=[]), labelled=True)] = jpeg_of(n)
            kept.pop(recorder.shots[-1]["name"])
            recorder.drop_image()
            recorder.undo()
            kept[recorder.shots[-1]["name"]] = jpeg_of(3)
        except KeyboardInterrupt:
            pass
    again = open_recorder(tmp_path)
    for name, content in kept.items():
        assert dataset.image_path(tmp_path, again.session, name).read_bytes() == content
    images = {path.stem for path in (tmp_path / "images").rglob("*.jpg")}
    assert (
        {shot["name"] for shot in again.shots}
        == images
        == {path.stem for path in (tmp_path / "labels").rglob("*.txt")}
    )
    everything = images | {path.stem for path in (tmp_path / "bin").rglob("*.jpg")}
    again.keep_image(*taken(50), labelled=False)
    assert again.shots[-1]["name"] not in everything


@pytest.mark.parametrize("suffix", [".json", ".jpg", ".txt"])
def test_a_full_disk_leaves_the_session_as_it_was(tmp_path, monkeypatch, suffix):
    recorder = open_recorder(tmp_path)
    recorder.keep_image(*taken(1, xyxy=[]), labelled=True)
    before = tree(tmp_path)
    failed = []

    def full(path, data, work=files.write_atomic):
        if path.suffix == suffix and not failed:
            failed.append(path)
            raise UserError(f"Cannot write {path}: No space left on device.")
        work(path, data)

    monkeypatch.setattr(dataset, "write_atomic", full)
    with pytest.raises(UserError, match="No space"):
        recorder.keep_image(*taken(2, xyxy=[]), labelled=True)
    assert failed and tree(tmp_path) == before
    recorder.keep_image(*taken(3, xyxy=[]), labelled=True)
    assert len(recorder.shots) == 2 == len(list(tmp_path.rglob("*.txt")))


def test_which_session_goes_on(tmp_path):
    first = open_recorder(tmp_path)
    first.keep_image(*taken(1), labelled=False)
    assert open_recorder(tmp_path).session == first.session  # it did not end
    first.finish(True)
    named = open_recorder(tmp_path, session="kitchen")
    named.keep_image(*taken(2), labelled=False)
    assert open_recorder(tmp_path, session="kitchen").shots == named.shots
    with pytest.raises(UserError, match="choose another --session"):
        open_recorder(tmp_path, session="kitchen", negatives=True)
    with pytest.raises(UserError, match="choose another --session"):
        SessionRecorder.open(settings_for(tmp_path, session="kitchen"), FakeVector(serial="00e20199"))
    (tmp_path / "images/imported").mkdir()
    with pytest.raises(UserError, match="not captured by vector-tl"):
        open_recorder(tmp_path, session="imported")
    with pytest.raises(UserError):
        open_recorder(tmp_path, session="../elsewhere")


def test_two_captures_into_one_dataset(tmp_path):
    with only_capture(tmp_path):
        before = tree(tmp_path)
        with pytest.raises(UserError, match="Another capture"), only_capture(tmp_path):
            pass
        assert tree(tmp_path) == before
    with only_capture(tmp_path):
        pass


class Scripted(CaptureBoard):
    """Somebody who presses keys at given frames."""

    def __init__(self, keys: dict[int, str]):
        super().__init__()
        self.keys, self.verdicts = keys, []

    def post(self, status, jpeg=None):
        super().post(status, jpeg)
        self.verdicts.append(status.verdict)
        if key := self.keys.get(status.seen):
            self.press(KEYS[key])


def watched(folder, keys=None, images=jpeg_of, **more) -> tuple[dict, Scripted, FakeVector]:
    frames = iter(range(10_000))
    robot = FakeVector(serial=SERIAL, render=lambda pose, head: images(next(frames)))
    live = Scripted(keys or {})
    return RobotSession(settings_for(folder, **more), robot, live).take_images(), live, robot


def test_keys_keep_drop_undo_pause_quit_and_drive(tmp_path):
    result, live, robot = watched(
        tmp_path,
        {3: "p", 6: "k", 8: " ", 12: "x", 14: "u", 16: "w", 20: "r", 25: "q"},
        images=lambda n: jpeg_of(n // 5),
        count=100,
    )
    assert live.verdicts[4:6] == ["paused", "paused"] and "kept" in live.verdicts[6:8]
    assert 26 <= result["seen"] <= 27 and result["kept"] >= 3 and live.look()[0].over
    assert any(left > 0 and right > 0 for _, left, right in robot.commands) and robot.commands[-1][1:] == (
        0.0,
        0.0,
    )
    assert robot.head_angle_rad > 0 and result["camera_fps"] == pytest.approx(15.0, rel=0.02)


def test_negatives_are_labelled_and_a_finished_session_is_left_alone(tmp_path):
    result, _, _ = watched(tmp_path, negatives=True, novelty=0.0, count=4)
    labels = list((tmp_path / "labels").rglob("*.txt"))
    assert len(labels) == result["kept"] == 4 and not any(path.read_bytes() for path in labels)
    before = tree(tmp_path)
    watched(tmp_path, negatives=True, novelty=0.0, count=4, session="other")
    after = tree(tmp_path)
    assert all(
        after[path] == content for path, content in before.items() if path not in ("splits.json", "data.yaml")
    )
    assert read_session(tmp_path, "other")["whole"]


def test_a_model_tells_places_and_refuses_negatives_with_a_vector(tmp_path):
    class Detector:
        name = "eager"
        boxes = [(100.0, 100.0, 160.0, 160.0)]

        def __call__(self, image):
            return type("Found", (), {"boxes_xyxy": np.array(self.boxes, np.float32).reshape(-1, 4)})

    frames = iter(range(999))
    robot = FakeVector(serial=SERIAL, render=lambda pose, head: jpeg_of(next(frames)))
    result = RobotSession(settings_for(tmp_path, count=3), robot, detector=Detector()).take_images()
    shots = read_session(tmp_path, result["session"])["shots"]
    assert [shot["xyxy_by"] for shot in shots] == ["eager"] * 3 and not list(
        tmp_path.rglob("*.txt")
    )  # what a model says is no label
    assert result["coverage"]["place"]["left"] == 3 and result["coverage"]["heading"]["unknown"] == 3
    live = Scripted({20: "q"})
    settings = settings_for(tmp_path, count=3, negatives=True, session="n")
    result = RobotSession(settings, robot, live, detector=Detector()).take_images()
    assert result["kept"] == 0 and set(live.verdicts) == {"eager sees a Vector"}


def test_dumping_is_not_choosing(tmp_path):
    result, live, _ = watched(tmp_path, {60: "q"}, images=lambda n: jpeg_of(n // 20), count=100)
    assert result["kept"] == 4 and live.verdicts.count("nothing new") > 50
    assert result["hint"] == "" and result["coverage"]["distance"]["unknown"] == 4


def test_driving_stops_by_itself_and_before_things():
    robot = FakeVector()
    robot.next_frame(), robot.state()
    driver = Driver(robot)
    assert driver.press("keep") is None and driver.press("forward") == "forward"
    for _ in range(8):
        robot.next_frame()
        driver.tick()
    assert robot.commands[-1][1:] == (0.0, 0.0) and robot.pose[0] > 5
    robot.range_mm = 50.0
    robot.next_frame()
    assert "50 mm ahead" in driver.press("forward") and driver.press("back") == "back"


def test_terminal_view_is_drawn():
    from rich.console import Console

    console = Console(width=120, record=True, file=io.StringIO())
    coverage = Coverage()
    console.print(
        rendered(
            Status(
                kept=3,
                goal=685,
                hint="Capture more images from behind.",
                coverage=coverage.table(),
                lacking={"heading": ["back"]},
                camera_fps=14.9,
            )
        )
    )
    text = console.export_text()
    assert (
        "3/685" in text
        and "more images from behind" in text
        and "back 0" in text
        and "14.9 fps" in text
        and "unknown" in text
    )


def ask(url, body=None, host=None):
    headers = {"Content-Type": "application/json"} | ({"Host": host} if host else {})
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_page_is_behind_its_token_and_takes_keys(capsys):
    live = CaptureBoard()
    with served(live) as url:
        assert url in capsys.readouterr().err and url.startswith("http://127.0.0.1:")
        assert ask(url)[0] == 200 and ask(url + "live.js")[0] == 200 and ask(url + "camera")[0] == 404
        live.post(Status(kept=7, hint="Capture more images from behind."), b"\xff\xd8jpeg")
        assert json.loads(ask(url + "status")[1])["kept"] == 7 and ask(url + "camera")[1] == b"\xff\xd8jpeg"
        assert (
            ask(url + "press", {"action": "keep"})[0] == 200
            and ask(url + "press", {"action": "explode"})[0] == 400
            and ask(url + "press", {"action": "k" * 70_000})[0] == 413
            and ask(url + "press", ["keep"])[0] == 400
        )
        assert live.pressed() == ["keep"]
        root = url.rsplit("/", 2)[0]
        assert (
            ask(root + "/")[0] == 401
            and ask(root + "/wrong/status")[0] == 401
            and ask(url + "status", host="evil.example")[0] == 403
        )
        assert ask(url + "../run.py")[0] == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": SERIAL},
        {"robot": "sim", "target": SERIAL},
        {"target": "00e20101", "negatives": True},
        {"robot": "sim", "page": True},
        {"robot": "sim", "model": "transfer"},
        {"novelty": 2.0},
        {"reach_mm": 50.0},
        {"val": 0.7, "test": 0.5},
    ],
)
def test_settings_that_contradict(tmp_path, wrong):
    with pytest.raises(UsageError):
        settings_for(tmp_path, **wrong).check()


@pytest.mark.fast
def test_a_robot_that_stands_still_hears_that_it_must_move(tmp_path, monkeypatch):
    monkeypatch.setattr(robot_session, "STILL_S", 0.2)
    hints = []

    class Noting(CaptureBoard):
        def post(self, status, jpeg=None):
            super().post(status, jpeg)
            hints.append(status.hint)

    robot = FakeVector(serial=SERIAL, render=lambda pose, head: jpeg_of(0))  # always the same image
    settings = settings_for(tmp_path, count=5, negatives=True, seconds=1.0)
    assert RobotSession(settings, robot, Noting()).take_images()["kept"] == 1
    assert "nothing new" not in hints[0]
    assert "carry or turn this robot" in hints[-1] or "carry or turn this robot" in hints[-2]
