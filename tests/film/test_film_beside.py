"""What is made beside a film: each side alone, more than two, cards, poster, GIF, labels, the page."""

import io
import json
import re
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from test_film_film import Fixed, make, none, number_of, numbered, panes_of, record

from vector_tl.data.recording import RecordingWriter
from vector_tl.errors import UsageError, UserError
from vector_tl.film.cards import _counts
from vector_tl.film.encode import write_gif
from vector_tl.film.film import film
from vector_tl.film.run_timelines import Curve, curve_timeline, mode_timeline, score_timeline
from vector_tl.film.settings import FilmSettings
from vector_tl.film.stage import frame_layout
from vector_tl.film.tally import Tally, judge
from vector_tl.find.settings import FindSettings
from vector_tl.robot.base import Frame
from vector_tl.web.pages import command_line

BOX = np.array([[100, 60, 200, 120]], np.float32)
TIMES = [index / 15 for index in range(20)]


def story(path: Path, frames: int = 30) -> Path:
    """A recording with all that a run leaves."""
    with RecordingWriter(path, {"serial": "00e20100", "truth": True}) as writer:
        for index in range(frames):
            jpeg = cv2.imencode(".jpg", numbered(index))[1].tobytes()
            frame = Frame(index, round(index * 1000 / 15), 7 + index / 15, jpeg)
            writer.frame(frame)
            writer.detections(frame, BOX[: index // 15], np.full(min(index // 15, 1), 0.8, np.float32))
            writer.wheels(
                frame.received_s,
                index,
                -index,
                True,
                "search" if index < 15 else "approach",
                (400 - index, 3) if index > 15 else None,
            )
            writer.truth(frame, BOX, 401.0 - index, 2.5)
            if index == 15:
                writer.event(frame.received_s, "a Vector <400 mm> away: approaching")
        writer.result({"found": True, "time_to_found_s": 2.0, "stops": [{"t_s": 1, "reason": "cliff"}]})
    return path


@pytest.mark.fast
def test_each_side_alone_shows_the_same_frames(tmp_path):
    result = make(record(tmp_path / "run.mcap", TIMES), tmp_path / "film.mp4", singles=True, width=640)
    assert result["singles"] == [str(tmp_path / "film-left.mp4"), str(tmp_path / "film-right.mp4")]
    for path in result["singles"]:
        assert panes_of(Path(path), 1) == [(index,) for index in range(20)]
    with pytest.raises(UserError, match="film-left.mp4"):
        (tmp_path / "film.mp4").unlink()
        make(tmp_path / "run.mcap", tmp_path / "film.mp4", singles=True)


@pytest.mark.fast
@pytest.mark.parametrize("shape, more", [("square", 0), ("wide", 1), ("wide", 2), ("square", 2)])
def test_all_panes_show_the_same_frame_in_every_shape(tmp_path, shape, more):
    source = record(tmp_path / "run.mcap", TIMES[:12])
    settings = FilmSettings(
        source,
        "l",
        "r",
        tmp_path / "film.mp4",
        also=("x", "y")[:more],
        shape=shape,
        width=720,
        no_report=True,
        theme="light",
    )
    result = film(settings, none("scratch"), none(), tuple(none(name="m") for _ in range(more)))
    assert panes_of(tmp_path / "film.mp4", 2 + more, shape) == [(index,) * (2 + more) for index in range(12)]
    assert [model["side"] for model in result["models"]] == ["left", "right", "also1", "also2"][: 2 + more]


@pytest.mark.fast
def test_cards_come_before_and_after_and_are_not_counted(tmp_path):
    result = make(record(tmp_path / "run.mcap", TIMES), tmp_path / "film.mp4", cards=True, width=640)
    begin, end = (round(seconds * 15) for seconds in result["cards_s"])
    pairs = panes_of(tmp_path / "film.mp4")
    assert result["frames"] == 20 and result["seconds"] == pytest.approx(20 / 15, abs=0.01)
    assert len(pairs) == begin + 20 + end and pairs[begin : begin + 20] == [
        (index, index) for index in range(20)
    ]


@pytest.mark.fast
def test_poster_and_gif(tmp_path):
    seen = Fixed(BOX)
    picked = lambda image, threshold=0.5: seen(image) if number_of(image) == 13 else none()(image)  # noqa: E731
    result = make(
        record(tmp_path / "run.mcap", TIMES),
        tmp_path / "film.mp4",
        right=picked,
        poster=tmp_path / "p.png",
        gif=tmp_path / "g.gif",
        width=640,
    )
    poster = np.asarray(Image.open(tmp_path / "p.png"))
    assert number_of(frame_layout((320, 180), 2, "wide", 640).cells[0].pane.of(poster)) == 13, (
        "the frame in which they differ"
    )
    gif = Image.open(tmp_path / "g.gif")
    assert (
        gif.n_frames == pytest.approx(20 / 15 * 10, abs=2)
        and gif.size == (640, 360)
        and result["gif"]["bytes"] == (tmp_path / "g.gif").stat().st_size
    )
    size = result["gif"]["bytes"]
    smaller = write_gif(tmp_path / "film.mp4", tmp_path / "small.gif", max_bytes=size // 2)
    assert smaller["bytes"] <= size // 2 and smaller["size_wh"][0] < 640
    with pytest.raises(UserError, match="smallest"):
        write_gif(tmp_path / "film.mp4", tmp_path / "no.gif", max_bytes=500)
    assert not (tmp_path / "no.gif").exists()


def test_sites_for_posts_take_it(tmp_path):
    drawn = np.random.default_rng(0)
    folder = tmp_path / "noise"
    folder.mkdir()
    for index in range(24):
        cv2.imwrite(str(folder / f"{index}.png"), drawn.integers(0, 256, (180, 320, 3), dtype=np.uint8))
    make(folder, tmp_path / "film.mp4", fps=24)
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.profile, stream.codec_context.pix_fmt) == (
            "High",
            "yuv420p",
        ) and not container.streams.audio
        keys = [
            packet.pts * packet.time_base
            for packet in container.demux(stream)
            if packet.size and packet.is_keyframe
        ]
        assert container.bit_rate < 12_000_000, "noise at its worst stays below the limit"
    assert keys[0] == 0 and all(later - sooner <= 2 for sooner, later in zip(keys, keys[1:]))


@pytest.mark.fast
def test_true_and_false_positives_from_labels(tmp_path):
    images, labels = tmp_path / "set" / "images" / "s", tmp_path / "set" / "labels" / "s"
    images.mkdir(parents=True), labels.mkdir(parents=True)
    for index, label in enumerate(["0 0.46875 0.5 0.3125 0.33333\n", "0 0.1 0.1 0.1 0.1\n", "", None]):
        cv2.imwrite(str(images / f"p{index}.png"), numbered(index))
        if label is not None:
            (labels / f"p{index}.txt").write_text(label)
    for source in (tmp_path / "set", images):
        left, right = make(source, tmp_path / "film.mp4", none(), Fixed(BOX), overwrite=True)["models"]
        assert (
            left["true_positives"],
            left["false_negatives"],
            left["false_positives"],
            left["labelled_images"],
            left["recall"],
        ) == (0, 2, 0, 3, 0.0)
        assert (
            right["true_positives"],
            right["false_negatives"],
            right["false_positives"],
            right["recall"],
        ) == (1, 1, 2, 0.5)
    beside = tmp_path / "clip.labels"
    beside.mkdir()
    (beside / "000003.txt").write_text("0 0.46875 0.5 0.3125 0.33333\n")
    record(tmp_path / "clip.mcap", TIMES[:5])
    (model, _) = make(tmp_path / "clip.mcap", tmp_path / "film.mp4", Fixed(BOX), overwrite=True)["models"]
    assert (model["labelled_images"], model["true_positives"], model["false_positives"]) == (1, 1, 0)
    (beside / "000003.txt").write_text("0 nonsense\n")
    with pytest.raises(UserError, match="000003.txt"):
        make(tmp_path / "clip.mcap", tmp_path / "film.mp4", overwrite=True)


@pytest.mark.fast
@pytest.mark.parametrize(
    "boxes, truth, true, missed",
    [
        ([], [], [], 0),
        ([], [[0, 0, 9, 9]], [], 1),
        ([[0, 0, 9, 9]], [], [False], 0),
        ([[0, 0, 9, 9], [0, 0, 10, 9]], [[0, 0, 9, 9]], [True, False], 0),
        ([[0, 0, 3, 3]], [[0, 0, 9, 9]], [False], 1),
    ],
)
def test_judgement(boxes, truth, true, missed):
    scores = np.linspace(0.9, 0.6, len(boxes), dtype=np.float32)
    seen = judge(
        np.array(boxes, np.float32).reshape(-1, 4),
        scores,
        np.array(truth, np.float32).reshape(-1, 4),
        (20, 20),
    )
    assert seen.true.tolist() == true and len(seen.missed_xyxy) == missed
    tally = Tally()
    tally.add(0.5, seen)
    assert (tally.found, tally.missed, tally.false_alarms) == (
        sum(true),
        missed,
        len(true) - sum(true),
    ) and json.dumps(tally.figures())


@pytest.mark.fast
def test_the_page_of_a_film(tmp_path):
    result = make(
        story(tmp_path / "run.mcap"),
        tmp_path / "film.mp4",
        Fixed(BOX, "scratch"),
        width=640,
        singles=True,
        no_report=False,
    )
    assert result["report"] == str(tmp_path / "film-film" / "index.html")
    page = Path(result["report"]).read_text()
    assert re.findall(r'(?:src|href)="([^"]+)"', page) == ["film.mp4", "film-left.mp4", "film-right.mp4"], (
        "nothing from elsewhere"
    )
    assert (
        "://" not in page
        and (tmp_path / "film-film" / "film.mp4").read_bytes() == (tmp_path / "film.mp4").read_bytes()
    )
    for word in (
        "what it did",
        "estimated",
        "wheels",
        "vector-tl film",
        "Python",
        "a Vector &lt;400 mm&gt; away",
        "found",
        "cliff",
        "in 30 of 30 frames",
    ):
        assert word in page, word
    with pytest.raises(UserError, match="index.html"):
        make(tmp_path / "run.mcap", tmp_path / "other.mp4", no_report=False, report=tmp_path / "film-film")
    moved = shutil.move(tmp_path / "film-film", tmp_path / "elsewhere")
    assert (Path(moved) / "index.html").exists() and (Path(moved) / "film.mp4").exists()


@pytest.mark.fast
@pytest.mark.parametrize("word", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_nothing_on_a_page_is_taken_for_markup(tmp_path, word):
    folder = tmp_path / "images"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), numbered(1))
    result = make(
        folder,
        tmp_path / "film.mp4",
        none(name=word),
        none(name=word),
        no_report=False,
        title=word,
        width=320,
    )
    assert word not in Path(result["report"]).read_text()


@pytest.mark.fast
def test_timelines_of_little():
    assert mode_timeline("modes", [], 3).spans == []
    assert score_timeline("none", [], [], 3, "red").note == "in 0 of 0 frames"
    assert curve_timeline("distance", "mm", [Curve("estimated", [], "red")], 3).lines == []
    points = [(0, 179), (0.1, -179), (0.2, -178)]
    jump = curve_timeline("bearing", "degrees", [Curve("true", points, "red", True)], 3)
    assert len(jump.lines) == 2, "no line across where an angle goes round"
    long = score_timeline("long", [i / 15 for i in range(9000)], [i % 2 for i in range(9000)], 600, "red")
    assert len(long.area) < 60_000


@pytest.mark.fast
@pytest.mark.parametrize(
    "name, settings, words",
    [
        (
            "film",
            FilmSettings(Path("a b.mcap"), "l", "r", Path("o.mp4")),
            "film 'a b.mcap' --left l --right r --out o.mp4",
        ),
        (
            "film",
            FilmSettings(Path("a"), "l", "r", Path("o.mp4"), ("x", "y"), cards=True),
            "film a --left l --right r --out o.mp4 --also x y --cards",
        ),
        (
            "find",
            FindSettings(world=3, lockstep=True, record=Path("r.mcap")),
            "find --world 3 --lockstep --record r.mcap",
        ),
    ],
)
def test_how_to_run_it_again(name, settings, words):
    import shlex

    from vector_tl.cli import parse

    line = command_line(name, settings, positional="input")
    assert line == f"vector-tl {words}" and parse(name, shlex.split(line)[2:])[0] == settings


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong", [{"poster": Path("p.bmp")}, {"gif": Path("g.png")}, {"also": ("a", "b", "c")}]
)
def test_settings_beside_that_make_no_sense(wrong):
    with pytest.raises(UsageError):
        FilmSettings(Path("a"), "l", "r", Path("f.mp4"), **wrong).check()


@pytest.mark.fast
def test_a_still_is_a_jpeg_when_so_named(tmp_path):
    make(
        record(tmp_path / "run.mcap", TIMES[:3]), tmp_path / "film.mp4", poster=tmp_path / "p.jpg", width=320
    )
    assert Image.open(io.BytesIO((tmp_path / "p.jpg").read_bytes())).format == "JPEG"


@pytest.mark.fast
def test_the_first_sight_of_a_vector_is_one_that_is_there():
    box, elsewhere = np.float32([[10, 10, 60, 60]]), np.float32([[200, 200, 260, 260]])
    tally = Tally()
    tally.add(0.5, judge(elsewhere, np.float32([0.9]), box, (320, 240)))
    tally.add(1.0, judge(box, np.float32([0.9]), box, (320, 240)))
    assert tally.figures()["first_seen_s"] == 1.0 and tally.figures()["false_positives"] == 1
    assert _counts(tally) == "1 of 2 found, 1 false alarm, first after 1.0 s"
    unlabelled = Tally()
    unlabelled.add(0.5, judge(elsewhere, np.float32([0.9]), None, (320, 240)))
    assert unlabelled.figures()["first_seen_s"] == 0.5
