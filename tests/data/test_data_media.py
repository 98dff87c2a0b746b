"""What counts as an input, whatever it is called."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vector_tl.data.media import read_frames
from vector_tl.data.recording import RecordingWriter
from vector_tl.errors import UserError
from vector_tl.robot.base import Frame

pytestmark = pytest.mark.fast

RED_OVER_BLUE = np.concatenate(
    [np.full((24, 64, 3), (200, 30, 30), np.uint8), np.full((24, 64, 3), (30, 30, 200), np.uint8)]
)


def encoded(suffix: str = ".jpg") -> bytes:
    return cv2.imencode(suffix, RED_OVER_BLUE[..., ::-1])[1].tobytes()


def write_video(path: Path, frames: int = 3, turned_deg: int = 0) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if turned_deg:
            stream.set_display_rotation(turned_deg)
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(RED_OVER_BLUE, format="rgb24")))
        container.mux(stream.encode())


def write_recording(path: Path, jpegs: list[bytes]) -> None:
    with RecordingWriter(path) as writer:
        for i, jpeg in enumerate(jpegs):
            writer.frame(Frame(jpeg=jpeg, image_id=i + 7, robot_time_ms=i * 66, received_s=i * 0.066))


def is_red_over_blue(image: np.ndarray) -> bool:
    (r1, _, b1), (r2, _, b2) = image[5, 30], image[40, 30]
    return image.dtype == np.uint8 and min(r1, b2) > 150 and max(b1, r2) < 90


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a", "a.mp4", "a.txt"])
@pytest.mark.parametrize("form", [".jpg", ".png", ".bmp"])
def test_a_image_under_any_name(name, form, tmp_path):
    (tmp_path / name).write_bytes(encoded(form))
    (source,) = read_frames((tmp_path / name,))
    assert (source.index, source.error) == (0, None)
    assert is_red_over_blue(source.image)


@pytest.mark.parametrize("name", ["film.mp4", "film.jpg", "film"])
def test_a_video_under_any_name(name, tmp_path):
    write_video(tmp_path / name)
    sources = list(read_frames((tmp_path / name,)))
    assert [s.index for s in sources] == [0, 1, 2]
    assert all(s.error is None and is_red_over_blue(s.image) for s in sources)


def test_a_phones_video_stands_upright(tmp_path):
    """Stored lying, with a quarter turn counterclockwise (90) noted: red, stored above, is shown left."""
    write_video(tmp_path / "film.mp4", turned_deg=90)
    image = next(iter(read_frames((tmp_path / "film.mp4",)))).image
    assert image.shape == (64, 48, 3)
    assert image[30, 5, 0] > 150 and image[30, 40, 2] > 150


@pytest.mark.parametrize("name", ["run.mcap", "run.mp4"])
def test_a_recording_under_any_name(name, tmp_path):
    write_recording(tmp_path / name, [encoded(), b"broken", encoded()])
    sources = list(read_frames((tmp_path / name,)))
    assert [s.index for s in sources] == [0, 1, 2]
    assert [s.error for s in sources] == [
        None,
        f"Frame 1 of {tmp_path / name} is not a readable image; take it again or delete it.",
        None,
    ]


def test_a_recording_cut_off_or_empty_is_told_after_its_frames(tmp_path):
    write_recording(tmp_path / "run.mcap", [encoded()] * 3)
    data = (tmp_path / "run.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(data[: data.rindex(b"image_id")])
    *frames, last = read_frames((tmp_path / "cut.mcap",))
    assert all(s.image is not None for s in frames)
    assert last.image is None and "cut off" in last.error
    write_recording(tmp_path / "empty.mcap", [])
    (source,) = read_frames((tmp_path / "empty.mcap",))
    assert "without camera frames" in source.error


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("cut.jpg", encoded()[:300], "damaged or incomplete"),
        ("cut.png", encoded(".png")[:60], "damaged or incomplete"),
        ("cut", encoded()[:300], "damaged or incomplete"),
        ("empty.jpg", b"", "cannot be read as"),
        ("text.jpg", b"hello " * 90, "cannot be read as"),
        ("text.txt", b"hello " * 90, "cannot be read as"),  # FFmpeg would draw it as a terminal
        ("noise.mp4", bytes(range(256)) * 9, "cannot be read as"),
        (
            "list.mp4",
            b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n",
            "cannot be read as",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_and_the_others_go_on(name, data, error, tmp_path):
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good").write_bytes(encoded())
    bad, good = read_frames((tmp_path / name, tmp_path / "good"))
    assert bad.image is None and error in bad.error and bad.path == tmp_path / name
    assert good.error is None


def test_a_damaged_video_gives_what_comes_before(tmp_path):
    write_video(tmp_path / "film.mp4", frames=40)
    data = (tmp_path / "film.mp4").read_bytes()
    (tmp_path / "film.mp4").write_bytes(data[: len(data) // 2])
    *_, last = read_frames((tmp_path / "film.mp4",))
    assert last.image is None and last.error


def test_a_folder_gives_its_images_in_order_and_passes_over_the_rest(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.jpg", "a.png", "deep/c"):
        (tmp_path / name).write_bytes(encoded())
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    for name in ("splits.json", "a.txt", ".hidden.jpg", "SOURCE.md"):
        (tmp_path / name).write_bytes(b"0 0.5 0.5 0.1 0.1\n")
    sources = list(read_frames((tmp_path,)))
    assert [s.path.name for s in sources] == ["a.png", "b.jpg", "broken.jpg", "c"]
    assert [s.error is None for s in sources] == [True, True, False, True]


@pytest.mark.parametrize("content", [None, "labels.txt"])
def test_a_folder_without_images(content, tmp_path):
    if content:
        (tmp_path / content).write_text("0 .5 .5 .1 .1")
    with pytest.raises(UserError, match="holds no images"):
        read_frames((tmp_path,))


def test_a_missing_input_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "good.jpg").write_bytes(encoded())
    with pytest.raises(UserError, match="There is no .*other"):
        read_frames((tmp_path / "good.jpg", tmp_path / "other"))
