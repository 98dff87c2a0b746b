"""One limit for pixels, frames, hours and archives: asked before decoding, the same in every command."""

import io
import struct
import subprocess
import sys
import zlib

import av
import numpy as np
import pytest
from PIL import Image

from vector_tl import limits
from vector_tl.data.images import decode_image, image_about, image_size, read_image, read_mask
from vector_tl.data.media import open_media, read_frames
from vector_tl.data.recording import RecordingWriter
from vector_tl.errors import UsageError, UserError
from vector_tl.robot.base import Frame

pytestmark = pytest.mark.fast

NOISE = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
RAISE = r"make it smaller or, if you trust it, set {}=\d+ for this command\.$"


def encoded(form: str, image: np.ndarray = NOISE, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, **options)
    return file.getvalue()


def zeros(width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG of zeros: its bits a channel, and its colour type (0 grey, 2 RGB, 6 RGBA)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = 1 + width * depth // 8 * {0: 1, 2: 3, 6: 4}[colour]
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(bytes(row)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_the_hours_of_a_recording_count_from_its_first_frame(tmp_path):
    """Its clock is that of a computer which may have run for weeks."""
    for name, times_s in {"short": (1e6, 1e6 + 1), "long": (1e6, 1e6 + 13 * 3600)}.items():
        with RecordingWriter(tmp_path / f"{name}.mcap", {"serial": "x"}) as writer:
            for number, t_s in enumerate(times_s):
                writer.frame(Frame(number, number, t_s, encoded("JPEG")))
    assert [frame.error for frame in read_frames((tmp_path / "short.mcap",))] == [None, None]
    first, second = read_frames((tmp_path / "long.mcap",))
    assert first.error is None and "lasts 13 hours, beyond the limit of 12" in second.error


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "AVIF", "PPM"])
def test_too_many_pixels_are_refused_and_the_variable_raises_the_limit(form, monkeypatch, tmp_path):
    data = encoded(form)
    monkeypatch.setenv(limits.PIXELS.variable, "0.003")
    for read in (decode_image, image_size, image_about):
        with pytest.raises(UserError, match="here has 0.003072 million pixels, beyond the limit of 0.003"):
            read(data, "here")
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(UserError, match=RAISE.format(limits.PIXELS.variable)):
        open_media(tmp_path / "a.jpg")
    monkeypatch.setenv(limits.PIXELS.variable, "0.004")
    assert decode_image(data, "here").shape == (48, 64, 3)


@pytest.mark.parametrize("value", ["many", "0", "-3", "nan", "inf"])
def test_a_limit_that_is_no_number(value, monkeypatch):
    monkeypatch.setenv(limits.PIXELS.variable, value)
    with pytest.raises(UsageError, match="VECTOR_TL_MAX_MEGAPIXELS must be a number above 0"):
        decode_image(encoded("PNG"), "here")


def test_a_large_file_is_not_read(monkeypatch, tmp_path):
    monkeypatch.setenv(limits.IMAGE_FILE.variable, "0.001")
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    for read in (read_image, open_media):
        with pytest.raises(UserError, match=r"a\.png has .* MB, beyond the limit of 0\.001 MB; .*_IMAGE_MB="):
            read(tmp_path / "a.png")
    with pytest.raises(UserError, match="Cannot read the mask"):
        read_mask(tmp_path / "a.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "AVIF", "PPM"])
def test_an_image_that_is_cut_off_is_refused_everywhere(form, tmp_path):
    """Whatever decodes it, as `detect` reads it and as `label import` does."""
    data = encoded(form)
    for share in (0.5, 0.9):
        cut = data[: int(len(data) * share)]
        (tmp_path / "a.jpg").write_bytes(cut)
        (frame,) = read_frames((tmp_path / "a.jpg",))
        assert frame.image is None and "a.jpg" in frame.error
        with pytest.raises(UserError):
            image_size(cut, "here")


def test_a_thumbnails_end_is_not_the_images():
    """EXIF may hold a whole small JPEG, with an end of image, before the image itself."""
    exif = Image.Exif()
    exif[0x010E] = "x"
    head = encoded("JPEG", NOISE[:8, :8])
    whole = encoded("JPEG", exif=exif.tobytes() + head)
    assert decode_image(whole, "here").shape == (48, 64, 3)
    with pytest.raises(UserError, match="damaged or incomplete"):
        decode_image(whole[:-200], "here")


def test_formats_that_run_programs_are_no_images(tmp_path):
    """Pillow reads EPS by Ghostscript."""
    (tmp_path / "a.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nquit\n"
    )
    with pytest.raises(UserError, match="not a readable image"):
        read_image(tmp_path / "a.jpg")


def test_frames_and_hours_of_a_video(monkeypatch, tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(NOISE, "rgb24")))
        container.mux(stream.encode())
    assert len(list(read_frames((path,)))) == 30
    for limit, value, words in (
        (limits.FRAMES, "29", "v.mp4 has 30 frames"),
        (limits.HOURS, "0.0005", "v.mp4 lasts"),
        (limits.PIXELS, "0.003", "v.mp4 has 0.003072 million pixels"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(limit.variable, value)
            with pytest.raises(UserError, match=words):
                open_media(path)
    media = open_media(path)
    monkeypatch.setenv(limits.FRAMES.variable, "12")  # a video may say less than it holds
    *before, last = media.frames()
    assert len(before) == 12 and "13 frames, beyond the limit of 12" in last.error


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_frames_and_hours_of_an_animation(form, monkeypatch, tmp_path):
    frames = [Image.fromarray(np.roll(NOISE, k, axis=1)) for k in range(6)]
    frames[0].save(tmp_path / "a", form, save_all=True, append_images=frames[1:], duration=1000)
    for limit, value, words in (
        (limits.FRAMES, "5", "has 6 frames, beyond the limit of 5"),
        (limits.HOURS, "0.001", "lasts .* hours"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(limit.variable, value)
            with pytest.raises(UserError, match=words):
                open_media(tmp_path / "a")


@pytest.mark.parametrize(
    ("members", "unpacked", "packed", "words"),
    [
        (200_001, 5, 5, "200001 files, beyond the limit of 200000 files"),
        (1, 20_100_000_000, 20_000_000_000, "20.1 GB"),
        (1, 300_000_000, 1_000_000, "300 times its size, beyond the limit of 200"),
        (1, 200_000_000, 0, "times its size"),
    ],
)
def test_an_archive_that_swells(members, unpacked, packed, words):
    with pytest.raises(UserError, match=words):
        limits.refuse_swelling("a.zip", members, unpacked, packed)
    limits.refuse_swelling("a.zip", 10, 90_000_000, 1000)


@pytest.mark.parametrize(("depth", "colour"), [(8, 2), (16, 0), (16, 2), (8, 6)])
def test_a_large_image_of_zeros_takes_little_memory(depth, colour, tmp_path):
    """16 million pixels, 100 kB on disk; 64 million took 6 GB once."""
    (tmp_path / "zeros.png").write_bytes(zeros(4000, 4000, depth, colour))
    code = (
        "import re, sys; from pathlib import Path; from vector_tl.data.images import read_image;"
        "image = read_image(Path(sys.argv[1])); assert image.shape == (4000, 4000, 3) and not image.any();"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "zeros.png")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 700 * 1024, "kB at the peak"
