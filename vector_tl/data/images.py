"""Image files: decoding and encoding, their size, whether they are whole, and whether two show the same.

Images are uint8 `(H, W, 3)`, RGB, and upright: a turn that a camera noted beside the pixels (EXIF) is
applied.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from vector_tl.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
MAX_PIXELS = 64_000_000  # no camera of a robot or a telephone gives more; decoding would ask for gigabytes
MAX_FILE_BYTES = 200 * 2**20
ORIENTATION, QUARTER_TURNS = 0x0112, (5, 6, 7, 8)  # EXIF's tag; its values that swap width and height
# What Pillow warns of is an error here, or no matter.
warnings.filterwarnings("ignore", module=r"PIL\.")


def is_image_file(path: Path) -> bool:
    """Whether a file is meant as an image: by its content or at least by its suffix; hidden files are not."""
    if path.name.startswith(".") or not path.is_file():
        return False
    return path.suffix.lower() in SUFFIXES or cv2.haveImageReader(str(path))


def read_image(path: Path) -> np.ndarray:
    """The image in a file, upright (H, W, 3) uint8 RGB.

    Raises:
        UserError: the file is missing, not an image, damaged or too large.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise UserError(f"Cannot read the image {path}: {error.strerror}.") from error
    if size > MAX_FILE_BYTES:
        raise UserError(f"{path} has {size >> 20} MB, and {MAX_FILE_BYTES >> 20} are read; make it smaller.")
    return decode_image(data, str(path))


def decode_image(data: bytes, where: str) -> np.ndarray:
    """An encoded image of any format, upright (H, W, 3) uint8 RGB.

    The header is read first (20 us), so that a few bytes cannot ask for gigabytes of memory. Decoders differ
    in whether they take an image that is cut off; `image_size` never does.

    Args:
        data: the file's content.
        where: names the image in errors.

    Raises:
        UserError: not an image, damaged, or larger than `MAX_PIXELS`.
    """
    with _header(data, where):
        pass
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise UserError(f"{where} is a damaged image; take it again or delete it.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def decode_or_none(data: bytes) -> np.ndarray | None:
    """As `decode_image`, but None for an image that cannot be read, for streams that continue without it."""
    try:
        return decode_image(data, "the image")
    except UserError:
        return None


def image_size(data: bytes, where: str) -> tuple[int, int]:
    """Width and height of an encoded image, upright, after all of it was decoded without complaint.

    Raises:
        UserError: not an image, larger than `MAX_PIXELS`, cut off or otherwise damaged.
    """
    with _header(data, where) as image:
        turned = (
            image.format != "TIFF" and image.getexif().get(ORIENTATION) in QUARTER_TURNS
        )  # Pillow turns TIFF
        image.load()
        width, height = image.size
    return (height, width) if turned else (width, height)


@contextmanager
def _header(data: bytes, where: str) -> Iterator[Image.Image]:
    """Pillow's image, with its header read and its size checked, but not decoded."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield image
    except UnidentifiedImageError as error:
        raise UserError(f"{where} is not a readable image; take it again or delete it.") from error
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{where} claims to have more than the {MAX_PIXELS / 1e6:.0f} million pixels that are read; "
            "make it smaller."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{where} is a damaged image ({error}); take it again or delete it.") from error


def encode_jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    """The JPEG bytes (4:2:0) of an RGB image, uint8 (H, W, 3)."""
    return _encode(image, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, quality))


def encode_png(image: np.ndarray) -> bytes:
    """The PNG bytes of an RGB image, uint8 (H, W, 3)."""
    return _encode(image, ".png", ())


def _encode(image: np.ndarray, suffix: str, options: tuple[int, ...]) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"OpenCV cannot encode an image of shape {image.shape}")
    return data.tobytes()


def perceptual_hash(image: np.ndarray) -> np.uint64:
    """64 bits that stay the same for the same view (dHash, N. Krawetz 2013).

    Each bit says whether one of 8 x 8 places is darker than its right neighbour.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    small = cv2.resize(gray, (9, 8), interpolation=cv2.INTER_AREA).astype(int)
    return np.uint64(np.packbits((small[:, 1:] > small[:, :-1]).ravel()).view(np.uint64)[0])


def bits_apart(hashes: np.ndarray, other: np.uint64) -> np.ndarray:
    """In how many bits each of the hashes (N,) differs from another one."""
    return np.asarray(np.bitwise_count(np.bitwise_xor(hashes, other)))
