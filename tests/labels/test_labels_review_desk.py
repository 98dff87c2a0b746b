"""Decisions on labels: saved before the answer, undone after a restart, carried out once after a crash."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vector_tl.data import dataset
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.labels import review
from vector_tl.labels.journal import DecisionJournal
from vector_tl.labels.review import Conflict, Desk, Effort, NotThere
from vector_tl.labels.review_queue import Queue, agreement
from vector_tl.labels.suggestions import MODEL, put_suggestion, read_suggestions, suggestion

pytestmark = pytest.mark.fast

SIZE = (64, 48)
BOX = np.array([[8, 8, 32, 24]])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))[1].tobytes()
    for name in ("a", "b", "c d é"):
        dataset.write_item(tmp_path, "s", name, jpeg, None, SIZE)
    dataset.write_item(tmp_path, "t", "labelled", jpeg, BOX, SIZE)
    put_suggestion(tmp_path, "s", "a", suggestion(MODEL, "m", "d", 0.5, 0.4, BOX, [0.7]), SIZE)
    put_suggestion(tmp_path, "s", "b", suggestion(MODEL, "m", "d", 0.5, 0.9, np.zeros((0, 4)), []), SIZE)
    put_suggestion(tmp_path, "t", "labelled", suggestion(MODEL, "m", "d", 0.5, 0.1, BOX + 14, [0.9]), SIZE)
    return tmp_path


@pytest.fixture
def desk(data):
    desk = Desk(data)
    yield desk
    desk.close()


def save(
    desk: Desk, name: str = "a", boxes=BOX, tab: str = "one", session: str = "s", action: str = "save"
) -> dict:
    return desk.decide(
        session, name, desk.state(session, name).version, action, boxes, tab, Effort(2.0, 1, 0, 1)
    )


def label(data: Path, name: str = "a", session: str = "s") -> str | None:
    path = dataset.label_path(data, session, name)
    return path.read_text() if path.exists() else None


def tree(folder: Path, *without: str) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.relative_to(folder).parts[0] not in without
    }


def test_saved_at_once_and_undone_after_a_restart(data):
    before = tree(data, "review")
    desk = Desk(data)
    save(desk)
    assert label(data) == "0 0.312500 0.333333 0.375000 0.333333\n"
    assert read_suggestions(data, "s", "a")[0][0].decided
    save(desk, "b", np.zeros((0, 4)))
    assert label(data, "b") == ""
    desk.close()
    desk = Desk(data)
    assert desk.pace() == {
        "decisions": 2,
        "seconds_median": 2.0,
        "actions_suggested": 2.0,
        "actions_unsuggested": None,
    }
    assert desk.undo("another tab") == {"session": "s", "name": "b", "undone": "save"}
    assert desk.undo("another tab")["name"] == "a"
    with pytest.raises(UserError, match="nothing to undo"):
        desk.undo("another tab")
    assert tree(data, "review") == before
    desk.close()


def test_a_tab_undoes_its_own_decisions_only(desk, data):
    save(desk, "a", tab="one")
    save(desk, "b", tab="two")
    assert desk.undo("one")["name"] == "a"
    with pytest.raises(UserError, match="nothing to undo"):
        desk.undo("one")
    assert label(data, "b") is not None


def test_what_another_tab_decided_is_not_written_over(desk, data):
    seen = desk.state("s", "a").version
    save(desk, tab="one")
    with pytest.raises(Conflict):
        desk.decide("s", "a", seen, "save", np.zeros((0, 4)), "two", Effort())
    assert label(data).startswith("0 ")


def test_a_label_changed_by_hand_stays(desk, data):
    save(desk)
    write_atomic(dataset.label_path(data, "s", "a"), "")
    with pytest.raises(Conflict):
        desk.undo("one")
    assert label(data) == ""


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_turned_image_is_shown_upright_by_every_browser(desk, data, form):
    image = Image.new("RGB", (64, 48), "white")
    image.paste("black", (0, 0, 64, 24))  # lying: dark above; upright: dark on the right
    turn = Image.Exif()
    turn[0x0112] = 6
    image.save(dataset.image_path(data, "s", "turned", f".{form.lower()}"), form, exif=turn)
    with Image.open(io.BytesIO(desk.scaled("s", "turned", 640)[0])) as shown:
        assert shown.size == tuple(desk.size_wh("s", "turned")) == (48, 64)
        assert not shown.getexif().get(0x0112)
        assert shown.getpixel((5, 30))[0] > 200 and shown.getpixel((43, 30))[0] < 50


def test_bin_and_back(desk, data):
    before = tree(data, "review")
    save(desk, "labelled", None, session="t", action="bin")
    assert (data / "bin" / "images" / "t" / "labelled.jpg").exists() and (
        data / "bin" / "labels" / "t" / "labelled.txt"
    ).exists()
    assert not (data / "images" / "t" / "labelled.jpg").exists() and label(data, "labelled", "t") is None
    assert [row["name"] for row in Queue(data).listed("bin", None)["images"]] == ["labelled"]
    with pytest.raises(UserError, match="bring it back"):
        save(desk, "labelled", session="t")
    assert desk.scaled("t", "labelled", 640)[1] == "image/jpeg"
    save(desk, "labelled", None, session="t", action="restore")
    assert tree(data, "review") == before
    save(desk, "labelled", None, session="t", action="bin")
    desk.undo("one")
    assert tree(data, "review") == before


def test_nothing_in_the_bin_is_written_over(desk, data):
    save(desk, action="bin")
    dataset.write_item(data, "s", "a", b"\xff\xd8\xff another", None, SIZE)
    with pytest.raises(UserError, match="another image"):
        save(desk, action="bin")
    assert len(list((data / "bin" / "images" / "s").iterdir())) == 1


def test_keep_leaves_the_label_to_the_letter(data):
    odd = "0 0.5 0.5 0.25 0.25\r\n\r\n"
    dataset.label_path(data, "t", "labelled").write_bytes(odd.encode())
    desk = Desk(data)
    save(desk, "labelled", None, session="t", action="keep")
    assert dataset.label_path(data, "t", "labelled").read_bytes() == odd.encode()
    assert Queue(data).listed("disagreement", None)["images"] == []  # it was looked at
    save(desk, "labelled", BOX, session="t")
    desk.undo("one")
    assert dataset.label_path(data, "t", "labelled").read_bytes() == odd.encode()
    with pytest.raises(UserError, match="no label to keep"):
        save(desk, "b", None, action="keep")
    desk.close()


@pytest.mark.parametrize(
    "boxes", [[[70, 2, 90, 20]], [[1, 1, 1.00001, 1.00001]], [[8, 8, 32, 24], [-9, -9, -1, -1]]]
)
def test_a_box_that_would_vanish_is_refused(desk, data, boxes):
    before = tree(data)
    with pytest.raises(UserError, match="outside the image"):
        save(desk, boxes=np.array(boxes))
    assert tree(data) == before


@pytest.mark.parametrize("action", ["save", "bin", "undo"])
@pytest.mark.parametrize("step", ["before", "in the middle", "after"])
def test_a_decision_cut_off_by_a_crash_is_carried_out_once(data, monkeypatch, action, step):
    """The process ends after the journal's line: before, amid and after the changes on disk."""

    class Killed(BaseException):
        pass

    def killed(*_args, **_kwargs):
        raise Killed

    desk = Desk(data)
    save(desk)
    if step == "before":
        monkeypatch.setattr(desk, "_carry_out", killed)
    elif step == "after":
        monkeypatch.setattr(desk.journal, "done", killed)
    elif action == "bin":  # the image has not moved yet
        monkeypatch.setattr(review.os, "replace", killed)
    else:  # the label is written, its suggestion not yet marked
        monkeypatch.setattr(review, "mark", killed)
    with pytest.raises(Killed):
        desk.undo("one") if action == "undo" else save(
            desk, "b", BOX if action == "save" else None, action=action
        )
    monkeypatch.undo()
    desk.close()
    again = Desk(data)
    if action == "undo":
        assert label(data) is None and not read_suggestions(data, "s", "a")[0][0].decided
    elif action == "save":
        assert label(data, "b") and read_suggestions(data, "s", "b")[0][0].decided
    else:
        assert again.state("s", "b").binned and not dataset.image_path(data, "s", "b").exists()
    assert again.journal.cut_off() is None
    again.close()
    entries = [json.loads(line) for line in (data / "review" / "journal.jsonl").read_text().splitlines()]
    assert [e["n"] for e in entries if "n" in e] == [1, 2]


def test_a_crash_is_not_made_good_over_later_work_by_hand(data):
    desk = Desk(data)
    save(desk)
    desk.close()
    path = data / "review" / "journal.jsonl"
    path.write_text(path.read_text().replace('{"done": 1}\n', ""))
    write_atomic(dataset.label_path(data, "s", "a"), "")
    Desk(data).close()
    assert label(data) == ""


def test_a_torn_line_is_passed_over(data):
    desk = Desk(data)
    save(desk)
    desk.close()
    path = data / "review" / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n": 2, "time": "20')
    desk = Desk(data)
    save(desk, "b")
    desk.close()
    journal = DecisionJournal(path)
    assert list(journal.decisions) == [1, 2] and journal.cut_off() is None
    journal.close()


def test_a_full_disk_changes_nothing(desk, data, monkeypatch):
    before = tree(data, "review")

    def full(*_args):
        raise UserError("Cannot write: No space left on device.")

    monkeypatch.setattr(review, "write_atomic", full)
    with pytest.raises(UserError, match="nothing was changed"):
        save(desk)
    monkeypatch.undo()
    assert tree(data, "review") == before
    desk.close()
    again = Desk(data)  # and nothing is made good later
    assert tree(data, "review") == before
    save(again)
    again.close()


def test_one_review_at_a_time(desk, data):
    with pytest.raises(UserError, match="Another vector-tl label review"):
        Desk(data)


def test_the_most_doubtful_come_first(data):
    queue = Queue(data)
    listed = queue.listed("all", None)
    assert [row["name"] for row in listed["images"]] == ["b", "a", "labelled", "c d é"]
    assert listed["counts"] == {"unlabelled": 3, "suggested": 2, "disagreement": 1, "all": 4, "bin": 0}
    assert [row["name"] for row in queue.listed("disagreement", None)["images"]] == ["labelled"]
    assert [row["name"] for row in queue.listed("unlabelled", "t")["images"]] == []
    write_atomic(
        dataset.label_path(data, "s", "b"), "garbage\n"
    )  # seen although the queue has read the folder before
    listed = queue.listed("unlabelled", None)
    assert [row["name"] for row in listed["images"]] == ["b", "a", "c d é"]


def test_a_broken_label_or_image_is_shown_with_the_reason(desk, data):
    write_atomic(dataset.label_path(data, "s", "b"), b"\xff\xfe\x00")
    shown = desk.item("s", "b")
    assert "not a text file" in shown["problem"] and not shown["labelled"]
    with pytest.raises(UserError, match="not a text file"):
        save(desk, "b", None, action="keep")
    save(desk, "b")
    assert desk.item("s", "b")["problem"] is None
    desk.undo("one")
    assert dataset.label_path(data, "s", "b").read_bytes() == b"\xff\xfe\x00"
    dataset.image_path(data, "s", "a").write_bytes(b"\xff\xd8\xff")
    shown = desk.item("s", "a")
    assert shown["size_wh"] is None and "not a readable image" in shown["problem"]
    with pytest.raises(UserError):
        save(desk)
    save(desk, action="bin")
    with pytest.raises(NotThere):
        desk.item("s", "nowhere")


def test_carry_gives_suggestions_and_undo_takes_them_back(desk, data):
    save(desk)
    carried = desk.carry("s", "a")
    assert [at["name"] for at in carried["carried"]] == ["b", "c d é"] and carried[
        "frames"
    ] == 2  # the images are the same
    assert label(data, "b") is None
    desk.undo("one")
    assert [s.source for s in read_suggestions(data, "s", "b")[0]] == [MODEL]
    with pytest.raises(UserError, match="no box"):
        desk.carry("s", "a")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([], [], 1),
        ([[0, 0, 1, 1]], [], 0),
        ([[0, 0, 1, 1]], [[0, 0, 1, 1]], 1),
        ([[0, 0, 2, 1], [5, 5, 6, 6]], [[5, 5, 6, 6], [0, 0, 1, 1]], 0.5),
    ],
)
def test_agreement(a, b, expected):
    assert agreement(np.array(a, float).reshape(-1, 4), np.array(b, float).reshape(-1, 4)) == pytest.approx(
        expected
    )
