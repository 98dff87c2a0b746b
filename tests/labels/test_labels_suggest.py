"""Suggestions: kept apart from labels, replaced only by their own source, boxes carried through frames."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.data import dataset
from vector_tl.detect.interface import Detections
from vector_tl.errors import UsageError, UserError
from vector_tl.labels.review_settings import SuggestSettings
from vector_tl.labels.suggest import suggest
from vector_tl.labels.suggest_carry import carry
from vector_tl.labels.suggestions import (
    CARRIED,
    MODEL,
    Suggestion,
    doubt,
    drop_all_carried,
    drop_carried,
    mark,
    put_suggestion,
    read_suggestions,
    suggestion,
    suggestions_path,
)


def scene(x: float, y: float, size: float = 40, seed: int = 3) -> np.ndarray:
    """An image (180, 320, 3) with a mottled square at x, y on mottled ground."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(
        rng.integers(60, 120, (18, 32, 3), np.uint8), (320, 180), interpolation=cv2.INTER_CUBIC
    )
    thing = rng.integers(0, 256, (8, 8, 3), np.uint8)
    transform = np.float32([[size / 8, 0, x], [0, size / 8, y]])
    mask = cv2.warpAffine(np.full((8, 8), 255, np.uint8), transform, (320, 180), flags=cv2.INTER_NEAREST)
    return np.where(
        mask[..., None] > 0, cv2.warpAffine(thing, transform, (320, 180), flags=cv2.INTER_NEAREST), ground
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for index in range(6):
        jpeg = cv2.imencode(".jpg", scene(50 + 12 * index, 60 + 4 * index, 40 + 2 * index)[:, :, ::-1])[
            1
        ].tobytes()
        boxes = None if index else np.array([[50, 60, 90, 100]])
        dataset.write_item(tmp_path, "s", f"{index:03d}", jpeg, boxes, (320, 180))
    return tmp_path


def one(by: str = "m", digest: str = "a" * 64, score: float = 0.9, source: str = MODEL) -> Suggestion:
    return suggestion(source, by, digest, 0.5, 0.2, np.array([[1, 2, 30, 40]]), [score])


@pytest.mark.fast
@pytest.mark.parametrize(
    ("scores", "threshold", "expected"),
    [
        ([], 0.5, 0),
        ([0.5], 0.5, 1),
        ([1.0], 0.5, 0),
        ([0.0], 0.5, 0),
        ([0.99, 0.45], 0.5, 0.9),
        ([0.75], 0.5, 0.5),
        ([0.98], 0.98, 1),
    ],
)
def test_doubt_is_nearness_to_the_threshold(scores, threshold, expected):
    assert doubt(scores, threshold) == pytest.approx(expected)


@pytest.mark.fast
def test_a_source_replaces_only_its_own_undecided_suggestion(tmp_path):
    size = (320, 180)
    put_suggestion(tmp_path, "s", "n", one("m"), size)
    put_suggestion(tmp_path, "s", "n", one("other"), size)
    put_suggestion(tmp_path, "s", "n", one("000", "", source=CARRIED), size)
    put_suggestion(tmp_path, "s", "n", one("m", "b" * 64, 0.7), size)  # the model was trained again
    found, size_wh = read_suggestions(tmp_path, "s", "n")
    assert size_wh == size and [(s.by, s.digest[:1]) for s in found] == [
        ("other", "a"),
        ("000", ""),
        ("m", "b"),
    ]
    mark(tmp_path, "s", "n", [found[2].id], decided=True)
    assert not put_suggestion(tmp_path, "s", "n", one("m", "b" * 64, 0.7), size)  # answered before
    assert put_suggestion(tmp_path, "s", "n", one("m", "c" * 64), size)
    assert [(s.by, s.digest[:1], s.decided) for s in read_suggestions(tmp_path, "s", "n")[0]] == [
        ("other", "a", False),
        ("000", "", False),
        ("m", "b", True),
        ("m", "c", False),
    ]
    drop_carried(tmp_path, "s", "n", "000")
    assert [s.by for s in read_suggestions(tmp_path, "s", "n")[0]] == ["other", "m", "m"]


@pytest.mark.fast
@pytest.mark.parametrize("by", ["000", 'küche "1"', "\udcff"])
def test_what_was_carried_from_an_image_is_taken_back_in_its_whole_session(tmp_path, by):
    for name in "ab":
        put_suggestion(tmp_path, "s", name, one(by, "", source=CARRIED), (320, 180))
        put_suggestion(tmp_path, "s", name, one("m"), (320, 180))
    put_suggestion(tmp_path, "s", "c", one("0", "", source=CARRIED), (320, 180))
    suggestions_path(tmp_path, "s", "d").write_text(f"broken {json.dumps(by)}")
    drop_all_carried(tmp_path, "s", by)
    left = [[s.by for s in read_suggestions(tmp_path, "s", name)[0]] for name in "abc"]
    assert left == [["m"], ["m"], ["0"]]


@pytest.mark.fast
def test_none_is_a_suggestion_too_and_weak_boxes_are_kept_aside(tmp_path):
    put_suggestion(tmp_path, "s", "n", suggestion(MODEL, "m", "d", 0.5, 0.1, np.zeros((0, 4)), []), (10, 10))
    assert read_suggestions(tmp_path, "s", "n")[0][0].boxes_xyxy.shape == (0, 4)
    put_suggestion(tmp_path, "s", "n", one(score=0.4), (10, 10))
    assert read_suggestions(tmp_path, "s", "n")[0][-1].boxes_xyxy.shape == (0, 4)
    assert read_suggestions(tmp_path, "s", "missing") == ([], (1, 1))


@pytest.mark.fast
@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"size_wh": [0, 1], "suggestions": []}',
        '{"size_wh": [9, 9], "suggestions": [{"source": 1}]}',
        "\xff",
    ],
)
def test_broken_files_are_told_in_a_sentence(tmp_path, content):
    path = suggestions_path(tmp_path, "s", "n")
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match="delete it"):
        read_suggestions(tmp_path, "s", "n")


class KnownDetector:
    """Sees the square wherever it is brightest; stands for a network in these tests."""

    name, threshold = "known", 0.6

    def batch(self, images, threshold):
        assert threshold <= 0.05
        scores = np.float32([0.9, 0.4, 0.1])
        return [
            Detections(np.float32([[10, 10, 60, 60], [100, 100, 130, 130], [0, 0, 9, 9]]), scores)
            for _ in images
        ]


@pytest.fixture
def known_model(monkeypatch, tmp_path):
    path = tmp_path / "known.safetensors"
    path.write_bytes(b"weights")
    monkeypatch.setattr("vector_tl.detect.detector.load", lambda *_: KnownDetector())
    return str(path)


def test_by_model_suggestions_lie_apart_from_labels(data, known_model):
    (data / "images" / "s" / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    labels_before = dataset.digest(data)
    result = suggest(SuggestSettings(data=data, model=known_model))
    assert (result["images"], result["boxes"], result["answered"], result["unreadable"]) == (6, 6, 0, 1)
    assert dataset.digest(data) == labels_before
    (found,), size_wh = read_suggestions(data, "s", "003")
    assert (
        size_wh == (320, 180)
        and found.boxes_xyxy.tolist() == [[10, 10, 60, 60]]
        and [box[4] for box in found.boxes] == [0.9, 0.4]
    )
    assert found.doubt == pytest.approx(0.4 / 0.6, abs=1e-3)
    mark(data, "s", "003", [found.id], decided=True)
    again = suggest(SuggestSettings(data=data, model=known_model, session="s"))
    assert (again["images"], again["answered"]) == (5, 1)
    assert json.loads(suggestions_path(data, "s", "003").read_text())["suggestions"][0]["decided"]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, UsageError),
        ({"carry": 0}, UsageError),
        ({"model": "m", "threshold": 1.5}, UsageError),
        ({"carry": 1, "session": "none"}, UserError),
        ({"model": "no such model"}, UserError),
        ({"model": "m", "data": Path("nowhere")}, UserError),
    ],
)
def test_wrong_requests(data, settings, kind):
    with pytest.raises(kind):
        suggest(SuggestSettings(**({"data": data} | settings)))


@pytest.mark.fast
def test_carried_boxes_follow_a_thing_that_moves_and_grows():
    frames = [scene(50 + 12 * i, 60 + 4 * i, 40 + 2 * i) for i in range(6)]
    found = list(carry(frames[0], np.array([[50, 60, 90, 100]]), frames[1:]))
    assert len(found) == 5
    assert np.abs(found[-1].boxes_xyxy[0] - [110, 80, 160, 130]).max() < 5
    assert (found[-1].confidence > 0.45).all() and (np.diff([at.confidence[0] for at in found]) <= 0).all()


@pytest.mark.fast
@pytest.mark.parametrize(
    ("boxes", "frames"),
    [
        (np.zeros((0, 4)), [scene(50, 60)]),
        ([[50, 60, 90, 100]], []),
        ([[50, 60, 90, 100]], [np.zeros((90, 160, 3), np.uint8)]),  # another size
        ([[50, 60, 90, 100]], [np.full((180, 320, 3), 90, np.uint8)]),  # nothing there
        ([[50, 60, 52, 61]], [scene(50, 60)]),  # too small to know again
    ],
)
def test_nothing_to_carry(boxes, frames):
    assert list(carry(scene(50, 60), np.asarray(boxes, np.float64), frames)) == []


@pytest.mark.fast
def test_carrying_stops_at_images_that_cannot_be_read(data):
    cut = dataset.image_path(data, "s", "003")
    cut.write_bytes(cut.read_bytes()[:300])
    assert suggest(SuggestSettings(data=data, carry=10))["images"] == 2
    assert read_suggestions(data, "s", "004")[0] == []
    first = dataset.image_path(data, "s", "000")
    first.write_bytes(b"")
    result = suggest(SuggestSettings(data=data, carry=10))
    assert (result["images"], result["unreadable"]) == (0, 1)


@pytest.mark.fast
def test_carrying_stops_at_labelled_images(data):
    dataset.write_label(data, "s", "004", np.zeros((0, 4)), (320, 180))
    result = suggest(SuggestSettings(data=data, carry=10))
    assert (result["images"], result["model"]) == (3, None)
    (found,), _ = read_suggestions(data, "s", "003")
    assert found.source == CARRIED and found.by == "000" and not found.decided
    assert read_suggestions(data, "s", "004")[0] == read_suggestions(data, "s", "005")[0] == []
