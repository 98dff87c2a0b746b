"""A film that teaches: cards, legend, slow start, the first find, captions; other films have none of it."""

import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vector_tl.data.recording import RecordingWriter
from vector_tl.errors import UserError
from vector_tl.film.film import film
from vector_tl.film.footage import Footage, FootageFrame
from vector_tl.film.loop import FilmMoment
from vector_tl.film.overlay import pane
from vector_tl.film.settings import FilmSettings
from vector_tl.film.stage import LEGEND_UNITS, Stage, frame_layout
from vector_tl.film.tally import Seen, Tally
from vector_tl.film.teaching import FREEZE_S, SLOW_S, before_training, doubts_of
from vector_tl.film.teaching_cards import result_words
from vector_tl.film.theme import THEMES
from vector_tl.film.uncertainty import share_interval
from vector_tl.film.webvtt import Captions
from vector_tl.poll.films import YELLOW, _Blind, render
from vector_tl.robot.base import Frame

pytestmark = pytest.mark.fast
FPS, FRAMES, FIRST = 10, 60, 30  # the first find is at 3 s
SIZE_WH = (320, 180)
BOX = np.array([[100, 60, 180, 120]], np.float32)
NOTHING = np.zeros((0, 4), np.float32)


class Sees:
    """A detector that sees the Vector from one of its images on."""

    def __init__(self, init: str, since: int):
        self.init, self.name, self.threshold, self._since = init, init, 0.5, since

    def __call__(self, image_rgb, threshold=0.5):
        number = round(float(image_rgb[5:15, 5:15].mean()) / 4)
        boxes_xyxy = BOX if number >= self._since else NOTHING
        return Seen(boxes_xyxy, np.full(len(boxes_xyxy), 0.9, np.float32))


@pytest.fixture
def source(tmp_path) -> Path:
    """A recording whose images carry their number as a grey, and a Vector in each."""
    path = tmp_path / "run.mcap"
    with RecordingWriter(path, about={"truth": True}) as writer:
        for index in range(FRAMES):
            image = np.full((SIZE_WH[1], SIZE_WH[0], 3), 4 * index, np.uint8)
            jpeg = cv2.imencode(".jpg", image)[1].tobytes()
            frame = Frame(index, index * 1000 // FPS, index / FPS, jpeg)
            writer.frame(frame)
            writer.truth(frame, BOX, 400.0, 0.0)
            writer.wheels(index / FPS, 0, 0, True, "search" if index < FIRST else "approach")
    return path


def make(source: Path, out: Path, **settings) -> dict:
    asked = FilmSettings(source, "l", "r", out, no_report=True, **settings)
    return film(asked, Sees("scratch", FRAMES), Sees("coco", FIRST))


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def cues_of(path: Path) -> list[tuple[float, float, str]]:
    found = re.findall(r"(\d\d):(\d\d):([\d.]+) --> (\d\d):(\d\d):([\d.]+)\n(.+)\n", path.read_text())
    seconds = [[int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in (c[:3], c[3:6])] for c in found]
    return [(begin_s, end_s, cue[6]) for (begin_s, end_s), cue in zip(seconds, found, strict=True)]


def test_it_starts_slowly_stands_at_the_first_find_and_has_captions_that_fit(source, tmp_path):
    result = make(source, tmp_path / "film.mp4", teach=True, singles=True)
    before_s, after_s = result["cards_s"]
    assert result["frames"] == FRAMES and result["seconds"] == FRAMES / FPS
    assert result["teaching"]["extra_s"] == pytest.approx(SLOW_S + FREEZE_S, abs=0.01)
    whole_s = before_s + result["seconds"] + SLOW_S + FREEZE_S + after_s
    for path in (result["film"], *result["singles"]):
        assert frames_of(Path(path)) == pytest.approx(whole_s * FPS, abs=1)
    cues = cues_of(tmp_path / "film.vtt")
    assert cues[0][:2] == (0, before_s) and cues[-1][1] == pytest.approx(whole_s, abs=0.1)
    assert all(end_s == begin_s for (_, end_s, _), (begin_s, _, _) in zip(cues, cues[1:]))
    first_s = before_s + FIRST / FPS + SLOW_S
    assert [(round(begin_s, 2), words) for begin_s, _, words in cues[1:-1]] == [
        (before_s, "searching"),
        (first_s, "The first find: by transfer"),
        (round(first_s + FREEZE_S + 1 / FPS, 2), "approaching"),
    ]
    assert "no image at all" in cues[0][2] and "photographs" in cues[0][2]
    assert "found 0 of 60" in cues[-1][2] and "simulated room" in cues[-1][2]


def test_other_films_last_as_long_as_their_source_and_have_no_captions(source, tmp_path):
    make(source, tmp_path / "film.mp4")
    assert frames_of(tmp_path / "film.mp4") == FRAMES and not list(tmp_path.glob("*.vtt"))


def test_captions_are_not_overwritten(source, tmp_path):
    (tmp_path / "film.vtt").write_text("mine")
    with pytest.raises(UserError, match="overwrite"):
        make(source, tmp_path / "film.mp4", teach=True)
    assert (tmp_path / "film.vtt").read_text() == "mine" and not (tmp_path / "film.mp4").exists()


def test_the_films_of_a_poll_stay_blind(source, tmp_path):
    """No card, no line, no count, no mark of right or wrong, no captions, nothing that lasts longer."""
    folder = tmp_path / "poll"
    folder.mkdir()
    detectors = [Sees("scratch", FRAMES), Sees("coco", FIRST)]
    names, facts = render(source, folder, detectors)
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert [frames_of(folder / name) for name in names] == [FRAMES, FRAMES] == [facts["frames"]] * 2
    view = _Blind([], SIZE_WH[0])
    view.size_wh = SIZE_WH
    image_rgb = np.full((SIZE_WH[1], SIZE_WH[0], 3), 200, np.uint8)
    shown = FootageFrame(3.0, image_rgb, "a line", "a caption", truth_xyxy=BOX + 90)
    seen = Seen(BOX, np.array([0.9]))
    left, right = view.draw(FilmMoment(30, 3.0, shown), [seen, Seen(NOTHING, np.zeros(0))])
    assert (left == pane(image_rgb, BOX, seen.scores, SIZE_WH, YELLOW)).all() and (right == image_rgb).all()
    assert view.stands(30, 31) == 1


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("shape, count", [("wide", 2), ("square", 2), ("wide", 4)])
def test_the_legend_has_its_place_and_hides_nothing(theme, shape, count):
    layout = frame_layout((640, 360), count, shape, None, LEGEND_UNITS)
    stage = Stage(layout, THEMES[theme], [("model", "")] * count, list(range(count)), 60)
    bare = stage._base.copy()
    stage.explain()
    rows = np.nonzero((stage._base != bare).any(axis=(1, 2)))[0]
    columns = np.nonzero((stage._base != bare).any(axis=(0, 2)))[0]
    assert layout.foot.y < rows.min() and rows.max() < layout.size_wh[1]
    assert layout.pad <= columns.min() and columns.max() < layout.size_wh[0] - layout.pad
    for cell in layout.cells:
        assert cell.counts.y + cell.counts.h <= layout.foot.y + 1


def test_marks_are_known_without_their_colour():
    """A false alarm is crossed out and its bar striped: red and orange are alike to some."""
    image_rgb = np.full((SIZE_WH[1], SIZE_WH[0], 3), 200, np.uint8)
    box = BOX[0].astype(int)
    middle = image_rgb[(box[1] + box[3]) // 2, (box[0] + box[2]) // 2].copy()
    for true, crossed in ((True, False), (False, True)):
        drawn = pane(image_rgb, BOX, np.array([0.9]), SIZE_WH, (255, 159, 67), np.array([true]))
        assert (drawn[(box[1] + box[3]) // 2, (box[0] + box[2]) // 2] != middle).any() == crossed
    layout = frame_layout((640, 360))
    changes = []
    for true in (True, False):
        stage = Stage(layout, THEMES["dark"], [("m", "")] * 2, [0, 1], 2)
        seen = Seen(BOX, np.array([0.99]), np.array([true]))
        tally = Tally()
        frame = stage.draw(0, image_rgb, [seen] * 2, [tally] * 2, "", "")
        strip = layout.cells[0].strip.of(frame)[:, 20].astype(int)
        changes.append(int((np.abs(np.diff(strip, axis=0)).sum(1) > 100).sum()))
    assert changes[0] <= 3 and changes[1] > 10


def tally_of(found: list[int], there: list[int], fps: float = FPS) -> Tally:
    tally = Tally()
    for index, (hits, shown) in enumerate(zip(found, there, strict=True)):
        boxes = np.repeat(BOX, hits, axis=0)
        missed = np.repeat(BOX, shown - hits, axis=0)
        tally.add(index / fps, Seen(boxes, np.full(hits, 0.9), np.ones(hits, bool), missed))
    return tally


@pytest.mark.parametrize(
    "found, there, words",
    [
        ([0, 0, 1, 1], [1, 1, 1, 1], "found the other robot in 50 % of the frames so far"),
        ([0, 0, 1, 1], [0, 0, 1, 1], "found the other robot in 100 % of the frames that show it so far"),
        ([0, 0], [0, 0], "the other robot was in no frame so far"),
    ],
)
def test_counts_in_plain_words(found, there, words):
    assert tally_of(found, there).words() == words


def test_counts_without_labels_promise_nothing():
    tally = Tally()
    tally.add(0.0, Seen(BOX, np.array([0.9])))
    assert tally.words() == "reported a robot in 100 % of the frames so far"
    assert "nobody has checked" in result_words(tally)


def test_uncertainty_of_a_share():
    """Frames of a second go together: as sure as seconds, not as frames."""
    seconds = np.random.default_rng(1).random(40) < 0.5
    found = np.repeat(seconds, 15).astype(int)
    times_s, there = np.arange(600) / 15, np.ones(600, int)
    low, high = share_interval(times_s, found, there)
    share = seconds.mean()
    by_seconds = 1.96 * (share * (1 - share) / 40) ** 0.5
    assert low == pytest.approx(share - by_seconds, abs=0.03)
    assert high == pytest.approx(share + by_seconds, abs=0.03)
    assert share_interval(times_s[:60], found[:60], there[:60]) is None  # 4 s
    assert share_interval(times_s, found, np.zeros(600, int)) is None
    assert share_interval([], [], []) is None


def test_what_a_model_had_seen_before_and_what_a_film_does_not_show(tmp_path):
    assert "random numbers" in before_training("scratch", "from scratch", "on the left")
    assert "80,000 everyday photographs" in before_training("coco", "transfer", "on the right")
    assert "another model" in before_training("models/best.safetensors", "best", "above")
    footage = Footage(tmp_path, FPS, lambda: iter(()))
    assert "one film of one place" in doubts_of(footage)
    assert "real rooms" in doubts_of(Footage(tmp_path, FPS, lambda: iter(()), simulated=True))


def test_webvtt():
    captions = Captions()
    for text, seconds in (("a < b --> c", 1.5), ("a < b --> c", 0.5), ("", 1.0), ("x\n\ny", 3600.25)):
        captions.add(text, seconds)
    assert captions.webvtt() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\na &lt; b --&gt; c\n\n00:00:03.000 --> 01:00:03.250\nx\ny\n"
    )
