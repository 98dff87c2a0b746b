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
from vector_tl.limits import IMAGE_FILE, refuse_pixels
from vector_tl.robot.jpeg import has_end

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
# Pillow opens no others, some of which run programs (EPS); an MPO is a JPEG to begin with.
FORMATS = tuple(sorted(SUFFIX_OF.keys() - {"MPO"}))
ORIENTATION, QUARTER_TURNS = 0x0112, (5, 6, 7, 8)  # EXIF's tag; its values that swap width and height
# EXIF's orientation -> quarter turns against the clock, and whether the image is mirrored after that.
TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
# The size of the robot's camera. Images in memory and on pages are stretched to it, as the network does.
KEPT_WH = (640, 360)
SLICE_PIXELS = 1 << 22  # of deep images that are scaled at once: a few copies in double precision
# What Pillow warns of is an error here, or no matter; how large an image may be, `vector_tl.limits` says.
warnings.filterwarnings("ignore", module=r"PIL\.")
Image.MAX_IMAGE_PIXELS = None
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
        with Image.open(path, formats=("GIF",)) as image:
            return bool(getattr(image, "n_frames", 1) > 1)
    except (OSError, SyntaxError, ValueError, EOFError):
        return False


def read_image(path: Path) -> np.ndarray:
    """The image in a file, upright (H, W, 3) uint8 RGB.

    Raises:
        UserError: the file is missing, not an image, damaged or too large.
    """
    return decode_image(image_bytes(path), str(path))


def image_bytes(path: Path) -> bytes:
    """What an image's file holds.

    Raises:
        UserError: the file is missing, or larger than `limits.IMAGE_FILE`.
    """
    try:
        IMAGE_FILE.refuse(path.stat().st_size / 1e6, f"{path} has")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read the image {path}: {error.strerror}.") from error


def decode_image(data: bytes, where: str) -> np.ndarray:
    """An encoded image of any format, upright (H, W, 3) uint8 RGB; transparency is left out.

    The header is read first (20 us), so that a few bytes cannot ask for gigabytes of memory. OpenCV decodes
    a camera's JPEGs, in two thirds of Pillow's time, and Pillow all else. An image that is cut off is
    refused: Pillow does that, and releases of OpenCV differ, so that only JPEGs with an end are left to it.

    Args:
        data: the file's content.
        where: names the image in errors.

    Raises:
        UserError: not an image, damaged, cut off, or with more pixels than `limits.PIXELS`.
    """
    with _header(data, where) as header:
        turn = _orientation(header)
        if header.format in ("JPEG", "MPO") and header.mode in ("RGB", "L") and has_end(data):
            image = _by_opencv(data)
        else:
            image = _by_pillow(header, data)
    if image is None:
        raise UserError(f"{where} is damaged or incomplete; take it again or delete it.")
    return _upright(image, turn)


def _by_opencv(data: bytes) -> np.ndarray | None:
    """The pixels (H, W, 3) uint8 as stored; None for a damaged image."""
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation; 1 for TIFF, which Pillow turns itself."""
    return 1 if image.format == "TIFF" else int(image.getexif().get(ORIENTATION) or 1)


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    quarters, mirrored = TURNS.get(orientation, (0, False))
    if quarters:
        image = np.rot90(image, quarters)
    return np.ascontiguousarray(image[:, ::-1] if mirrored else image)


def _by_pillow(image: Image.Image, data: bytes) -> np.ndarray:
    """The pixels (H, W, 3) uint8 as stored; those of more than 8 bits are scaled, see `_to_8_bits`."""
    deep_png = image.format == "PNG" and data[24:25] == b"\x10"
    image.load()
    if not deep_png and not image.mode.startswith(("I", "F")):
        return np.array(image.convert("RGB"))  # a copy, which can be drawn on
    pixels = np.asarray(image)
    if deep_png:  # Pillow gives 8 bits for colours of 16
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
    rows = max(1, SLICE_PIXELS // pixels[:1].size)
    parts = [slice(top, top + rows) for top in range(0, len(pixels), rows)]
    ranges = [(v.min(initial=0.0), v.max(initial=0.0)) for v in (_finite(pixels[part]) for part in parts)]
    low, high = float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))
    whites: tuple[float, ...] = (
        (255.0, 4095.0, 65535.0) if pixels.dtype.kind in "ui" else (1.0, 255.0, 4095.0, 65535.0)
    )
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2:
        whites = (4095.0, 65535.0)
    white = next((w for w in whites if high <= w), high)
    low = low if low < 0 or high > whites[-1] else 0.0
    levels = np.empty(pixels.shape, np.uint8)
    for part in parts:
        scaled = (_finite(pixels[part]) - low) * 255.0 / max(white - low, 1e-12) + 0.5
        levels[part] = np.clip(scaled, 0, 255)
    return levels


def _finite(pixels: np.ndarray) -> np.ndarray:
    return np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)


def decode_or_none(data: bytes) -> np.ndarray | None:
    """As `decode_image`, but None for an image that cannot be read, for streams that continue without it."""
    try:
        return decode_image(data, "the image")
    except UserError:
        return None


def image_size(data: bytes, where: str) -> tuple[int, int]:
    """Width and height of an encoded image, upright, after all of it was decoded without complaint.

    Raises:
        UserError: as `decode_image`.
    """
    height, width = decode_image(data, where).shape[:2]
    return width, height


def image_about(data: bytes, where: str) -> tuple[str, int]:
    """Pillow's name of an image's format, and its EXIF orientation (1: stored upright), from its header.

    Raises:
        UserError: not an image, or with too many pixels.
    """
    with _header(data, where) as image:
        return str(image.format), _orientation(image)


def whole_jpeg_size(data: bytes, where: str) -> tuple[int, int] | None:
    """Width and height, upright, of a JPEG that is not cut off, by its header; None for any other image.

    Nothing is decoded (20 us instead of 2 ms for a robot's image), so damage within may show later.

    Raises:
        UserError: not an image, or with too many pixels.
    """
    with _header(data, where) as image:
        if image.format not in ("JPEG", "MPO") or not has_end(data):
            return None
        width, height = image.size
        return (height, width) if _orientation(image) in QUARTER_TURNS else (width, height)


def animation_frames(path: Path) -> Iterator[tuple[float, float, np.ndarray]]:
    """The frames of an animated image: when each appears, how long it stands (s), and (H, W, 3) uint8 RGB.

    Raises:
        UserError: damaged, not an image, or too large.
    """
    t_s = 0.0
    with _header(image_bytes(path), str(path)) as image:
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
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            refuse_pixels(image.width, image.height, where)
            yield image
    except UnidentifiedImageError as error:
        raise UserError(f"{where} is not a readable image; take it again or delete it.") from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, RuntimeError) as error:
        raise UserError(f"{where} is damaged or incomplete; take it again or delete it.") from error


def resize_to_kept(image: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) at `KEPT_WH`; the same one where it has that size."""
    if (image.shape[1], image.shape[0]) == KEPT_WH:
        return image
    return cv2.resize(image, KEPT_WH, interpolation=cv2.INTER_AREA)


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
        data = image_bytes(path)
        with _header(data, str(path)):
            mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (UserError, cv2.error) as error:
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
