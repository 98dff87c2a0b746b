"""Image files: decoding and encoding, their size, whether they are whole, and whether two show the same.

Images are uint8 `(H, W, 3)`, RGB, and upright: a turn that a camera noted beside the pixels (EXIF) is
applied.
"""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pi_heif
from PIL import Image, UnidentifiedImageError

from vector_tl.errors import UserError

# Formats of images, in every command: these by their name, and all of them by their content.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".dib", ".webp", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif", ".avif", ".jp2"),
)
SUFFIX_OF = {
    **{"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "BMP": ".bmp", "DIB": ".bmp", "WEBP": ".webp"},
    **{"GIF": ".gif", "TIFF": ".tif", "PPM": ".ppm", "HEIF": ".heic", "AVIF": ".avif", "JPEG2000": ".jp2"},
}  # Pillow's name of a format -> the usual ending of its files
HEAD_BYTES = 4096  # of a file, enough to recognise its format
STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif")  # of ISO media files
ANIMATED_BRANDS = (b"avis", b"msf1", b"hevc", b"hevx")
MAX_PIXELS = 64_000_000  # no camera of a robot or a telephone gives more; decoding would ask for gigabytes
MAX_FILE_BYTES = 200 * 2**20
ORIENTATION, QUARTER_TURNS = 0x0112, (5, 6, 7, 8)  # EXIF's tag; its values that swap width and height
# EXIF's orientation -> quarter turns against the clock, and whether the image is mirrored after that.
TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
# OpenCV decodes these fastest; Pillow decodes the rest.
OPENCV_FORMATS, OPENCV_MODES = (
    ("JPEG", "MPO", "PNG", "BMP", "WEBP"),
    ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK"),
)
# What Pillow warns of is an error here, or no matter.
warnings.filterwarnings("ignore", module=r"PIL\.")
pi_heif.register_heif_opener()


def is_image_file(path: Path) -> bool:
    """Whether a file is meant as an image: by its content or at least by its suffix.

    Hidden files are not, and animated images (GIF, WebP, APNG, AVIF) are videos.
    """
    if path.name.startswith(".") or not path.is_file():
        return False
    by_name = path.suffix.lower() in SUFFIXES
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return by_name
    if _is_animated(path, head):
        return False
    return (by_name and head[4:8] != b"ftyp") or _is_still(path, head)


def holds_image(path: Path) -> bool:
    """Whether a file's content begins as an image does, whatever its name; the image may be damaged.

    Animated images do not count.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return not _is_animated(path, head) and _is_still(path, head)


def is_animated_image(path: Path) -> bool:
    """Whether a file is an image of several frames, which is read as a video."""
    try:
        with path.open("rb") as file:
            return _is_animated(path, file.read(HEAD_BYTES))
    except OSError:
        return False


def _is_still(path: Path, head: bytes) -> bool:
    if head[4:8] == b"ftyp":
        return head[8:12] in STILL_BRANDS
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")):
        return True
    if head[:4] + head[8:12] == b"RIFFWEBP":
        return True
    utf8 = os.fsencode(path).decode("utf-8", "ignore") == str(path)  # OpenCV dies of other names
    return utf8 and bool(cv2.haveImageReader(str(path)))


def _is_animated(path: Path, head: bytes) -> bool:
    if head.startswith(b"\x89PNG"):
        return b"acTL" in head[: head.find(b"IDAT")]
    if head[:4] + head[8:12] == b"RIFFWEBP":
        return head[12:16] == b"VP8X" and bool(head[20] & 2)
    if head[4:8] == b"ftyp":
        return head[8:12] in ANIMATED_BRANDS[:1]
    if not head.startswith(b"GIF8"):
        return False
    try:
        with Image.open(path) as image:
            return bool(getattr(image, "n_frames", 1) > 1)
    except (OSError, SyntaxError, ValueError, EOFError):
        return False


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
    with _header(data, where) as header:
        turn, form = _orientation(header), header.format
        deep = header.mode.startswith(("I", "F")) or (form == "PNG" and data[24:25] == b"\x10")
        if deep or form not in OPENCV_FORMATS or header.mode not in OPENCV_MODES:
            return _upright(_by_pillow(header, data, deep), turn)
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise UserError(f"{where} is damaged or incomplete; take it again or delete it.")
    return _upright(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), turn)


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation; 1 for TIFF, which Pillow turns itself."""
    return 1 if image.format == "TIFF" else int(image.getexif().get(ORIENTATION) or 1)


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    quarters, mirrored = TURNS.get(orientation, (0, False))
    if quarters:
        image = np.rot90(image, quarters)
    return np.ascontiguousarray(image[:, ::-1] if mirrored else image)


def _by_pillow(image: Image.Image, data: bytes, deep: bool) -> np.ndarray:
    """The pixels (H, W, 3) uint8 as stored; those of more than 8 bits are scaled, see `_to_8_bits`."""
    image.load()
    if not deep:
        return np.asarray(image.convert("RGB"))
    pixels = np.asarray(image)
    if image.format == "PNG":  # Pillow gives 8 bits for colours of 16
        flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
        read = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if read is not None:
            pixels = read if read.ndim == 2 else read[..., 2::-1]
    levels = _to_8_bits(pixels)
    return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)


def _to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Grey levels 0..255 of pixels with more: the range that they use decides what is white.

    Fractions up to 1 are shares; values up to 255, 4095 (a camera's 12 bits) or 65535 have that as white;
    anything else is stretched from its least to its greatest value.
    """
    values = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    whites: tuple[float, ...] = (
        (255.0, 4095.0, 65535.0) if pixels.dtype.kind in "ui" else (1.0, 255.0, 4095.0, 65535.0)
    )
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2:
        whites = (4095.0, 65535.0)
    white = next((w for w in whites if high <= w), high)
    low = low if low < 0 or high > whites[-1] else 0.0
    return np.clip((values - low) * 255.0 / max(white - low, 1e-12) + 0.5, 0, 255).astype(np.uint8)


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
        turned = _orientation(image) in QUARTER_TURNS
        image.load()
        width, height = image.size
    return (height, width) if turned else (width, height)


def image_about(data: bytes, where: str) -> tuple[str, int]:
    """Pillow's name of an image's format, and its EXIF orientation (1: stored upright), from its header.

    Raises:
        UserError: not an image, or larger than `MAX_PIXELS`.
    """
    with _header(data, where) as image:
        return str(image.format), _orientation(image)


def animation_frames(path: Path) -> Iterator[tuple[float, float, np.ndarray]]:
    """The frames of an animated image: when each appears, how long it stands (s), and (H, W, 3) uint8 RGB.

    Raises:
        UserError: damaged, or not an image.
    """
    t_s = 0.0
    with _header(path.read_bytes(), str(path)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            frame = np.asarray(image.convert("RGB"))
            stated_ms = float(image.info.get("duration") or 0)
            stands_s = stated_ms / 1000 if stated_ms > 10 else 0.1  # as browsers do
            yield t_s, stands_s, frame
            t_s += stands_s


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
        raise UserError(f"{where} is damaged or incomplete; take it again or delete it.") from error


def encode_jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    """The JPEG bytes (4:2:0) of an RGB image, uint8 (H, W, 3)."""
    return _encode(image, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, quality))


def encode_png(image: np.ndarray) -> bytes:
    """The PNG bytes of an RGB image, uint8 (H, W, 3)."""
    return _encode(image, ".png", ())


def encode_mask(mask: np.ndarray) -> bytes:
    """The PNG bytes of an instance mask, uint8 (H, W): 0 the background, other numbers one thing each."""
    done, data = cv2.imencode(".png", mask)
    if not done:
        raise ValueError(f"OpenCV cannot encode a mask of shape {mask.shape}")
    return data.tobytes()


def read_mask(path: Path) -> np.ndarray:
    """The instance mask (H, W) in a PNG file, as `encode_mask` wrote it.

    Raises:
        UserError: the file is missing or no such mask.
    """
    try:
        mask = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as error:
        raise UserError(f"Cannot read the mask {path}; remove it, or capture it again.") from error
    if mask is None or mask.ndim != 2 or mask.dtype != np.uint8:
        raise UserError(f"{path} is no instance mask (PNG in grey levels); remove it, or capture it again.")
    return mask


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
