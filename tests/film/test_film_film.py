"""Films: every frame once, the same one on both sides, at the true pace, in a form that browsers play."""

import contextlib
import random
import resource
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from vector_tl.data.recording import RecordingWriter
from vector_tl.errors import UsageError, UserError
from vector_tl.film.encode import FilmWriter
from vector_tl.film.film import film
from vector_tl.film.footage import open_footage
from vector_tl.film.overlay import pane, pane_size
from vector_tl.film.pace import LONGEST_PAUSE_S, Pacer, camera_times_s, own_fps
from vector_tl.film.reel import captions
from vector_tl.film.settings import FilmSettings
from vector_tl.film.stage import Stage, frame_layout
from vector_tl.film.tally import Seen, Tally
from vector_tl.film.theme import THEMES
from vector_tl.robot.base import Frame


@dataclass
class Fixed:
    """A detector that always sees the same boxes."""

    boxes_xyxy: np.ndarray
    init: str = "coco"
    name: str = "fixed"

    def __call__(self, image, threshold=0.5):
        self.scores = np.linspace(0.9, 0.6, len(self.boxes_xyxy), dtype=np.float32)
        return self


def none(init: str = "coco", name: str = "none") -> Fixed:
    return Fixed(np.zeros((0, 4), np.float32), init, name)


def numbered(number: int, size_wh=(320, 180)) -> np.ndarray:
    """An image that carries its number as ten black or white blocks; (H, W, 3)."""
    width, height = size_wh
    image = np.full((height, width, 3), 120, np.uint8)
    for bit in range(10):
        image[height // 3 : 2 * height // 3, bit * width // 10 : (bit + 1) * width // 10] = 255 * (
            number >> bit & 1
        )
    return image


def number_of(shown: np.ndarray) -> int:
    """The number that a pane (H, W, 3) shows."""
    height, width = shown.shape[:2]
    middles = [shown[height // 2, int((bit + 0.5) * width / 10)].mean() for bit in range(10)]
    return sum((value > 127) << bit for bit, value in enumerate(middles))


def record(path: Path, times_s: list[float]) -> Path:
    with RecordingWriter(path) as writer:
        for index, t_s in enumerate(times_s):
            jpeg = cv2.imencode(".jpg", numbered(index), [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            writer.frame(Frame(index, round(t_s * 1000), t_s, jpeg))
            if index == 2:
                writer.event(t_s, "a Vector 400 mm away: approaching")
    return path


def make(source: Path, out: Path, left=None, right=None, **settings) -> dict:
    settings.setdefault("no_report", True)
    return film(FilmSettings(source, "l", "r", out, **settings), left or none("scratch"), right or none())


def panes_of(path: Path, count: int = 2, shape: str = "wide", image_wh=(320, 180)) -> list[tuple[int, ...]]:
    """The numbers that the panes of each frame of a film show."""
    with av.open(str(path)) as container:
        numbers = []
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            layout = frame_layout(image_wh, count, shape, image.shape[1])
            numbers.append(tuple(number_of(within(cell.pane.of(image), image_wh)) for cell in layout.cells))
        return numbers


def within(pane: np.ndarray, image_wh: tuple[int, int]) -> np.ndarray:
    """The image in the middle of a pane that is wider or higher."""
    height, width = pane.shape[:2]
    scale = min(width / image_wh[0], height / image_wh[1])
    x, y = round(width - scale * image_wh[0]) // 2, round(height - scale * image_wh[1]) // 2
    return pane[y : height - y, x : width - x]


def jittered(count: int, fps: float, seed: int = 0) -> list[float]:
    drawn = random.Random(seed)
    return [50 + index / fps + drawn.uniform(-0.3, 0.3) / fps for index in range(count)]


@pytest.mark.parametrize("fps", [5, 15, 29.97])
def test_no_frame_is_lost_or_doubled_and_both_sides_show_the_same(tmp_path, fps):
    result = make(record(tmp_path / "run.mcap", jittered(60, fps)), tmp_path / "film.mp4")
    assert panes_of(tmp_path / "film.mp4") == [(index, index) for index in range(60)]
    assert (
        result["frames"] == 60
        and result["fps"] == pytest.approx(fps, rel=0.02)
        and result["size_wh"] == [1280, 720]
    )
    assert result["seconds"] == pytest.approx(60 / fps, rel=0.02) and result["film"] == str(
        tmp_path / "film.mp4"
    )


def test_a_camera_that_stutters_loses_no_frame(tmp_path):
    drawn, times = random.Random(7), [0.0]
    for _ in range(119):  # now and then a pause, and what was held back after it at once
        times.append(times[-1] + drawn.choice([0.002, 0.004, 0.066, 0.066, 0.066, 0.068, 0.21, 0.33]))
    result = make(record(tmp_path / "run.mcap", times), tmp_path / "film.mp4")
    pairs = panes_of(tmp_path / "film.mp4")
    shown = [pair for pair, before in zip(pairs, [None, *pairs]) if pair != before]
    assert shown == [(index, index) for index in range(120)] and result["models"][0]["images"] == 120
    assert result["seconds"] == pytest.approx(times[-1], abs=1.0)


@pytest.mark.fast
def test_a_gap_is_shown_as_long_as_it_was(tmp_path):
    times = [index / 10 for index in range(10)] + [2 + index / 10 for index in range(10)]
    make(record(tmp_path / "run.mcap", times), tmp_path / "film.mp4")
    shown = [left for left, _ in panes_of(tmp_path / "film.mp4")]
    assert shown == [*range(10), *[9] * 10, *range(10, 20)]


@pytest.mark.fast
@pytest.mark.parametrize("fps, count", [(7.5, 15), (30.0, 59), (15.0, 30)])
def test_another_rate_keeps_the_pace(tmp_path, fps, count):
    result = make(
        record(tmp_path / "run.mcap", [index / 15 for index in range(30)]), tmp_path / "film.mp4", fps=fps
    )
    shown = [left for left, _ in panes_of(tmp_path / "film.mp4")]
    assert abs(result["frames"] - count) <= 1 and shown == sorted(shown)
    assert all(
        abs(number / 15 - index / fps) <= 1 / min(fps, 15) + 1e-6 for index, number in enumerate(shown)
    )


@pytest.mark.fast
def test_browsers_play_it(tmp_path):
    make(record(tmp_path / "run.mcap", [index / 15 for index in range(20)]), tmp_path / "film.mp4")
    data = (tmp_path / "film.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat"), "fast start"
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        assert (
            stream.codec_context.name,
            stream.codec_context.pix_fmt,
            stream.average_rate,
            stream.frames,
        ) == ("h264", "yuv420p", 15, 20)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.fast
def test_footage_of_each_kind(tmp_path):
    from_recording = make(
        record(tmp_path / "run.mcap", [index / 15 for index in range(12)]), tmp_path / "a.mp4"
    )
    folder = tmp_path / "images" / "deeper"
    folder.mkdir(parents=True)
    for index in range(12):
        cv2.imwrite(str(folder / f"p{index}.png"), numbered(index))
    (folder / "notes.txt").write_text("no image")
    from_folder = make(tmp_path / "images", tmp_path / "b.mp4")
    assert panes_of(tmp_path / "b.mp4") == [(index, index) for index in range(12)] and (
        from_folder["fps"],
        from_folder["seconds"],
    ) == (2, 6)
    from_video = make(tmp_path / "a.mp4", tmp_path / "c.mp4")
    assert from_video["frames"] == from_recording["frames"] == 12 and from_video["fps"] == 15
    (tmp_path / "jpeg_without_suffix").write_bytes((folder / "p3.png").read_bytes())
    assert make(tmp_path / "jpeg_without_suffix", tmp_path / "d.mp4")["frames"] == 1 and panes_of(
        tmp_path / "d.mp4"
    ) == [(3, 3)]


@pytest.mark.fast
def test_what_a_film_of_a_folder_leaves_out_is_said(tmp_path, caplog):
    folder = tmp_path / "images"
    folder.mkdir()
    stills = [Image.new("RGB", (64, 48), color) for color in ("red", "green")]
    stills[0].save(folder / "still.png")
    stills[0].save(folder / "moving.gif", save_all=True, append_images=stills[1:], duration=400)
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").write_text("no image")
    assert make(folder, tmp_path / "film.mp4")["frames"] == 1
    assert [line for line in caplog.messages if line.startswith("Left out")] == [
        "Left out, as no single image: empty.jpg, moving.gif; film videos and animations each by itself."
    ]


@pytest.mark.fast
def test_a_cut_recording_becomes_a_film_up_to_there(tmp_path):
    whole = record(tmp_path / "run.mcap", [index / 15 for index in range(30)])
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.5)])
    result = make(cut, tmp_path / "film.mp4")
    assert 8 <= result["frames"] < 30


@pytest.mark.fast
def test_nothing_is_overwritten_and_nothing_left_behind(tmp_path):
    source, out = record(tmp_path / "run.mcap", [0, 0.1, 0.2]), tmp_path / "film.mp4"
    out.write_bytes(b"mine")
    with pytest.raises(UserError, match="overwrite"):
        make(source, out)

    def broken(image, threshold=0.5):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(source, out, left=broken, overwrite=True)
    assert out.read_bytes() == b"mine" and sorted(path.name for path in tmp_path.iterdir()) == [
        "film.mp4",
        "run.mcap",
    ]
    assert make(source, out, overwrite=True)["frames"] == 3


@pytest.mark.fast
@pytest.mark.parametrize("content", [None, b"", b"just some text that is no video at all", "folder"])
def test_input_that_shows_nothing(tmp_path, content):
    source = tmp_path / "input"
    if content == "folder":
        source.mkdir()
        (source / "a.txt").write_text("x")
    elif content is not None:
        source.write_bytes(content)
    with pytest.raises(UserError):
        make(source, tmp_path / "film.mp4")
    assert not (tmp_path / "film.mp4").exists()


@pytest.mark.fast
@pytest.mark.parametrize("wrong", [{"out": Path("film.avi")}, {"fps": 0}, {"threshold": 1.5}, {"width": 10}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(UsageError):
        FilmSettings(
            **({"input": Path("a"), "left": "l", "right": "r", "out": Path("f.mp4")} | wrong)
        ).check()


@pytest.mark.fast
@pytest.mark.parametrize(
    "left, right, words",
    [
        (none("scratch"), none("coco"), ("from scratch", "transfer")),
        (none("scratch"), none("models/other.safetensors"), ("from scratch", "transfer")),
        (none("coco", "a"), none("coco", "b"), ("transfer: a", "transfer: b")),
    ],
)
def test_captions(left, right, words):
    assert captions([left, right]) == list(words)


@pytest.mark.fast
@pytest.mark.parametrize("size_wh", [(640, 360), (1024, 768), (500, 900), (33, 1000), (1000, 33)])
@pytest.mark.parametrize("width", [1280, 641, 1920])
def test_panes_of_a_pair_are_even(size_wh, width):
    pane_wh = pane_size(size_wh, width / 2)
    assert (
        all(value % 2 == 0 for value in pane_wh)
        and abs(2 * pane_wh[0] - width) <= 3
        and pane_wh[1] <= pane_wh[0]
    )


@pytest.mark.fast
@pytest.mark.parametrize("size_wh", [(640, 360), (1024, 768), (500, 900), (33, 1000), (1000, 33)])
@pytest.mark.parametrize(
    "count, shape, width",
    [
        (1, "wide", 1280),
        (2, "wide", 641),
        (3, "wide", 1920),
        (4, "wide", 320),
        (2, "square", 1080),
        (3, "square", 500),
    ],
)
def test_every_place_lies_in_the_frame_and_none_on_another(size_wh, count, shape, width):
    layout = frame_layout(size_wh, count, shape, width)
    assert all(value % 2 == 0 for value in layout.size_wh) and abs(layout.size_wh[0] - width) <= 1
    assert layout.size_wh[0] / layout.size_wh[1] == pytest.approx(16 / 9 if shape == "wide" else 1, abs=0.02)
    taken = np.zeros((layout.size_wh[1], layout.size_wh[0]), int)
    for cell in layout.cells:
        for place in (cell.caption, cell.pane, cell.strip, cell.counts):
            assert place.w > 0 and place.h > 0 and place.of(taken).shape == (place.h, place.w)
            place.of(taken)[:] += 1
    layout.foot.of(taken)[:] += 1
    assert taken.max() == 1
    seen = [Seen(np.array([[0, 0, *size_wh]], np.float32), np.array([0.9]))] * count
    stage = Stage(layout, THEMES["light"], [("x" * 90, "y" * 200)] * count, list(range(count)), 5)
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    assert stage.draw(0, image, seen, [Tally() for _ in seen], "a line " * 90, "1.0 s").shape == (
        *taken.shape,
        3,
    )


@pytest.mark.fast
def test_boxes_are_drawn_where_they_are():
    image = np.zeros((180, 320, 3), np.uint8)
    drawn = pane(image, np.array([[100, 60, 200, 120]], np.float32), np.array([0.9]), (640, 360), (255, 0, 0))
    red = np.argwhere((drawn[..., 0] > 200) & (drawn[..., 1] < 60))
    low, high = red[red[:, 0] > 130].min(0), red.max(0)
    assert (low[1], high[1], high[0]) == pytest.approx((200, 399, 239), abs=3)
    empty = pane(image, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), (640, 360), (255, 0, 0))
    assert not empty[..., 0].any()


@pytest.mark.fast
@pytest.mark.parametrize("fps", [4.7, 15, 30])
@pytest.mark.parametrize("lost", [0.0, 0.2])
def test_the_own_rate_is_found_behind_jitter_and_gaps(fps, lost):
    drawn = random.Random(1)
    times = [
        t for index, t in enumerate(jittered(300, fps, 2)) if index in (0, 299) or drawn.random() >= lost
    ]
    assert float(own_fps(times)) == pytest.approx(fps, rel=0.03)
    assert own_fps([1.0]) == own_fps([]) == Fraction(2)


@pytest.mark.fast
@pytest.mark.parametrize(
    "rows, used",
    [
        ([(10.0, 1.0), (10.09, 1.07), (10.13, 1.13)], [1.0, 1.07, 1.13]),
        ([(10.0, 5.0), (10.1, 0.1), (10.2, 0.2)], [10.0, 10.1, 10.2]),  # the robot was started anew
        ([(10.0, 1.0), (20.0, 1.1)], [10.0, 20.0]),  # stamps that stood still
        ([], []),
    ],
)
def test_the_robots_stamps_are_used_when_they_make_sense(rows, used):
    assert camera_times_s(rows) == used


@pytest.mark.fast
def test_an_endless_pause_is_shortened():
    pacer = Pacer(Fraction(10))
    assert [pacer.slot(t) for t in (5.0, 5.1, 5000.0)] == [0, 1, 1 + int(10 * LONGEST_PAUSE_S)]


@pytest.mark.fast
def test_a_recording_without_frames_is_refused(tmp_path):
    RecordingWriter(tmp_path / "empty.mcap").close()
    with pytest.raises(UserError, match="no camera frames"):
        open_footage(tmp_path / "empty.mcap")


def timed_video(path: Path, times_s: list[float]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, t_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(numbered(number), "rgb24")
            frame.pts, frame.time_base = round(1000 * t_s), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("times_s", "seconds", "max_frames"),
    [
        ([k / 25 if k < 25 else 5 + (k - 25) / 25 for k in range(50)], 6.0, 150),
        ([0.0, 0.04, 0.08, 14.0, 14.04, 14.08], 14.12, 353),  # a pause longer than a recording's is kept
        ([k / 120 for k in range(120)], 1.0, 62),
        ([k / 8 for k in range(8)] + [1 + k / 40 for k in range(40)], 2.0, 120),
    ],
    ids=["a pause", "a long pause", "120 a second", "slow, then fast"],
)
def test_a_film_lasts_as_long_as_its_video(tmp_path, times_s, seconds, max_frames):
    result = make(timed_video(tmp_path / "v.mp4", times_s), tmp_path / "film.mp4", cards=False)
    assert result["seconds"] == pytest.approx(seconds, abs=0.07) and result["frames"] <= max_frames
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert float(container.duration / av.time_base) == pytest.approx(seconds, abs=0.07)


def test_a_film_of_an_animated_image_lasts_as_long_as_it_does(tmp_path):
    frames = [Image.fromarray(numbered(k)) for k in range(3)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 100, 1800])
    result = make(path, tmp_path / "film.mp4", cards=False)
    assert result["seconds"] == pytest.approx(2.0, abs=0.05)


def test_a_film_that_the_disk_refuses_is_refused_for_each_frame_and_leaves_nothing(tmp_path):
    """Frames wait in another thread; FFmpeg crashes where it is given one after its header was refused."""
    image, before = np.zeros((36, 64, 3), np.uint8), resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = FilmWriter(tmp_path / "f.mp4", Fraction(10), (64, 36))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # as a full disk, without being root
    try:
        for _ in range(60):  # the encoder keeps the first ones
            with contextlib.suppress(UserError):
                writer.write(image)
        for _ in range(3):
            with pytest.raises(UserError, match="Cannot write the film"):
                writer.write(image)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    writer.abandon()
    assert list(tmp_path.iterdir()) == []
