"""A closer look at image files: their true size before decoding, whether they are whole, and whether two show the same."""

import io
import warnings

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from vector_tl.errors import UserError

MAX_PIXELS = 64_000_000  # no camera of a robot or a telephone gives more; decoding would ask for gigabytes


def image_size(data: bytes, where: str) -> tuple[int, int]:
    """(width, height) of an encoded image, by its header, after all of it was decoded without complaint.

    Raises:
        UserError: no image, too large, or broken off.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UserError(
                        f"{where} says that it is {image.width} x {image.height} pixels large, more than is taken; make it smaller."
                    )
                image.load()
                return image.width, image.height
    except UnidentifiedImageError as error:
        raise UserError(f"{where} is not an image.") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{where} says that it is larger than is taken; make it smaller.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{where} is broken ({error}); take it again.") from error


def perceptual_hash(image: np.ndarray) -> np.uint64:
    """64 bits that stay the same for the same view: whether each of 8 x 8 places is darker than its right neighbour (dHash, N. Krawetz 2013)."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    small = cv2.resize(gray, (9, 8), interpolation=cv2.INTER_AREA).astype(int)
    return np.packbits((small[:, 1:] > small[:, :-1]).ravel()).view(np.uint64)[0]


def bits_apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How many bits differ, elementwise."""
    return np.bitwise_count(np.bitwise_xor(one, other))
