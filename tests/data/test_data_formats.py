"""One list of formats and one decoder: what a camera, a phone or a tool writes is read alike, or named."""

import io
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from vector_tl.data import dataset
from vector_tl.data.images import decode_image, image_size, is_image_file
from vector_tl.data.media import media_files, open_media, read_frames, video_fps

SOFT = cv2.resize(np.random.default_rng(1).integers(0, 255, (9, 16, 3), dtype=np.uint8), (64, 36))
GRAY = np.asarray(Image.fromarray(SOFT).convert("L"))


def saved(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


RGB, GRAYS = Image.fromarray(SOFT), np.repeat(GRAY[..., None], 3, axis=2)
MODES = {
    "CMYK JPEG": (saved(RGB.convert("CMYK"), "JPEG", quality=95), SOFT, 12),
    "grey PNG of 16 bits": (saved(Image.fromarray(GRAY.astype(np.uint16) * 257), "PNG"), GRAYS, 1),
    "a camera's 12 bits in 16": (saved(Image.fromarray(GRAY.astype(np.uint16) * 16), "PNG"), GRAYS, 2),
    "RGB PNG of 16 bits": (
        cv2.imencode(".png", SOFT[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
        SOFT,
        1,
    ),
    "palette": (saved(RGB.convert("P"), "PNG"), np.asarray(RGB.convert("P").convert("RGB")), 0),
    "palette GIF": (saved(RGB.convert("P"), "GIF"), np.asarray(RGB.convert("P").convert("RGB")), 0),
    "1 bit": (saved(RGB.convert("1"), "PNG"), np.asarray(RGB.convert("1").convert("RGB")), 0),
    "alpha": (saved(RGB.convert("RGBA"), "PNG"), SOFT, 0),
    "TIFF of fractions up to 255": (saved(Image.fromarray(GRAY.astype(np.float32)), "TIFF"), GRAYS, 1),
    "TIFF of shares": (saved(Image.fromarray((GRAY / 255).astype(np.float32)), "TIFF"), GRAYS, 1),
    "TIFF by LZW": (saved(RGB, "TIFF", compression="tiff_lzw"), SOFT, 0),
    "TIFF of 16 bits": (saved(Image.fromarray(GRAY.astype(np.uint16) * 257), "TIFF"), GRAYS, 1),
    "TIFF in CMYK": (saved(RGB.convert("CMYK"), "TIFF"), SOFT, 2),
    "WebP": (saved(RGB, "WEBP", lossless=True), SOFT, 0),
    "AVIF": (saved(RGB, "AVIF", quality=95, subsampling="4:4:4"), SOFT, 25),
    "JPEG 2000": (saved(RGB, "JPEG2000"), SOFT, 1),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_looks_as_it_did(name, tmp_path):
    data, right, within = MODES[name]
    image = decode_image(data, name)
    assert image.shape == (36, 64, 3) and image.dtype == np.uint8 and image_size(data, name) == (64, 36)
    far = np.abs(image.astype(int) - right)
    assert far.mean() < 5 if name == "AVIF" else far.max() <= within
    (tmp_path / "named.jpg").write_bytes(data)
    assert is_image_file(tmp_path / "named.jpg") and open_media(tmp_path / "named.jpg").kind == "image"


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_turn_is_as_pillow_shows_it(turn, form):
    from PIL import ImageOps

    exif = RGB.getexif()
    exif[0x0112] = turn
    data = saved(RGB, form, exif=exif, quality=95)
    with Image.open(io.BytesIO(data)) as image:
        right = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    mine = decode_image(data, form)
    assert mine.shape == right.shape == (*image_size(data, form)[::-1], 3)
    assert np.abs(mine.astype(int) - right).mean() < 3


def animation(path: Path, form: str, durations_ms: list[int]) -> Path:
    frames = [Image.fromarray(np.roll(SOFT, 5 * k, axis=1)) for k in range(len(durations_ms))]
    frames[0].save(path, form, save_all=True, append_images=frames[1:], duration=durations_ms)
    return path


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animated_image_is_a_video(tmp_path, form):
    path = animation(tmp_path / f"a.{form.lower()}", form, [100, 100, 2000, 100])
    assert not is_image_file(path) and media_files(tmp_path) == [path]
    media = open_media(path)
    assert media.kind == "video" and media.seconds == pytest.approx(2.3)
    assert [round(frame.t_s, 3) for frame in media.frames()] == [0, 0.1, 0.2, 2.2]
    assert video_fps(media) == 10
    assert len(list(read_frames((path,)))) == 4


def test_an_image_of_one_frame_is_an_image(tmp_path):
    for form in ("GIF", "WEBP", "PNG"):
        (tmp_path / "a").write_bytes(saved(RGB, form))
        assert is_image_file(tmp_path / "a") and open_media(tmp_path / "a").kind == "image"


def test_a_phones_names(tmp_path):
    """Formats by content: an AVIF named HEIC, a JPEG named PNG; and the dataset lists them."""
    session = tmp_path / "images" / "s"
    session.mkdir(parents=True)
    for name, form in (("a.HEIC", "AVIF"), ("b.avif", "AVIF"), ("c.png", "JPEG"), ("d.JFIF", "JPEG")):
        (session / name).write_bytes(saved(RGB, form))
    assert [key[1] for key in dataset.list_images(tmp_path)] == ["a", "b", "c", "d"]
    assert all(frame.error is None for frame in read_frames((tmp_path,)))


def video(path: Path, times_s: list[float], size=(64, 36)) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, t_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(np.roll(SOFT, 3 * number, axis=1), "rgb24")
            frame.pts, frame.time_base = round(1000 * t_s), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


RATES = {
    "steady 25": ([k / 25 for k in range(50)], 25),
    "steady 29.97": ([k / 29.97 for k in range(60)], 29.97),
    "a pause": ([k / 25 if k < 25 else 5 + (k - 25) / 25 for k in range(50)], 25),
    "slow, then fast": ([k / 5 for k in range(15)] + [3 + k / 30 for k in range(60)], 30),
    "120 a second": ([k / 120 for k in range(120)], 60),
    "one frame a second": ([float(k) for k in range(5)], 1),
    "one frame in seven seconds": ([0.0, 7.0, 14.0], 10),
    "slow and uneven": ([0.0, 3.0, 4.0, 9.0], 10),
}


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_video_whose_times_begin_late_is_as_long_as_its_frames(suffix, tmp_path):
    media = open_media(video(tmp_path / f"v{suffix}", [5 + k / 10 for k in range(10)]))
    assert media.seconds == pytest.approx(1.0, abs=0.07)


@pytest.mark.parametrize("name", RATES)
def test_the_rate_of_a_video_is_that_of_its_frames(name, tmp_path):
    times_s, fps = RATES[name]
    media = open_media(video(tmp_path / "v.mp4", times_s))
    assert float(video_fps(media)) == pytest.approx(fps, rel=0.03)
    assert [frame.t_s for frame in media.frames()] == pytest.approx(times_s, abs=0.002)
