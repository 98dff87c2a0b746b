"""One way to decode: formats known by content, upright, RGB, limits checked first, errors with a remedy."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from vector_tl.data.images import (
    decode_image,
    decode_or_none,
    encode_jpeg,
    encode_png,
    image_size,
    read_image,
)
from vector_tl.errors import UserError

pytestmark = pytest.mark.fast

RED = np.zeros((18, 32, 3), np.uint8)
RED[..., 0] = 255


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff", ".jpg"])
def test_every_format_is_decoded_as_rgb(suffix):
    data = cv2.imencode(suffix, RED[..., ::-1])[1].tobytes()
    image = decode_image(data, "red")
    assert image.shape == (18, 32, 3) and image.dtype == np.uint8
    assert image[9, 16, 0] > 200 and image[9, 16, 2] < 60
    assert image_size(data, "red") == (32, 18)


def test_what_is_encoded_comes_back():
    assert np.array_equal(decode_image(encode_png(RED), "red"), RED)
    assert np.abs(decode_image(encode_jpeg(RED), "red").astype(int) - RED).max() < 8


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_noted_turn_is_applied(form):
    """EXIF's 6: to be turned clockwise for showing. What is left as stored is above then."""
    stored = np.zeros((18, 32, 3), np.uint8)
    stored[:, :16] = 255
    image, file = Image.fromarray(stored), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, form, exif=exif)
    upright = decode_image(file.getvalue(), "turned")
    assert upright.shape == (32, 18, 3) and image_size(file.getvalue(), "turned") == (18, 32)
    assert upright[4].min() > 200 and upright[-4].max() < 60


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff\xe0 no more", b"text", b"\x89PNG\r\n\x1a\n", png_that_claims(32, 18)]
)
def test_what_is_no_image_or_damaged(data, tmp_path):
    for read in (decode_image, image_size):
        with pytest.raises(
            UserError, match=r"^here is (not a readable image|damaged or incomplete); take it again"
        ):
            read(data, "here")
    assert decode_or_none(data) is None
    (tmp_path / "broken.jpg").write_bytes(data)
    with pytest.raises(UserError, match=r"broken\.jpg"):
        read_image(tmp_path / "broken.jpg")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8_001, 12_000, 60_000])
def test_a_header_cannot_ask_for_gigabytes(side):
    for read in (decode_image, image_size):
        with pytest.raises(UserError, match="64 million pixels"):
            read(png_that_claims(side, side), "bomb")


def test_an_image_that_is_cut_off_is_not_whole():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode_jpeg(noise)[:-900]
    with pytest.raises(UserError, match="cut is damaged or incomplete"):
        image_size(data, "cut")


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="Cannot read the image .*gone.jpg: No such file"):
        read_image(tmp_path / "gone.jpg")
