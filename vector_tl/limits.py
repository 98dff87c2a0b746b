"""How much is taken of a file that somebody else made: pixels, frames, hours, and what an archive holds.

A few bytes can claim gigabytes, so these are asked before anything is decoded or unpacked, and by every
command alike. The usual limits leave room for telephones, long recordings and large datasets; an environment
variable, which each refusal names, raises one of them.
"""

import math
import os
from dataclasses import dataclass

from vector_tl.errors import UsageError, UserError


@dataclass(frozen=True)
class Limit:
    """One limit, such as 64 `million pixels`; `variable` raises it."""

    usual: float
    unit: str
    variable: str

    @property
    def value(self) -> float:
        """What holds in this process.

        Raises:
            UsageError: the variable holds no positive number.
        """
        given = os.environ.get(self.variable)
        if not given:
            return self.usual
        try:
            value = float(given)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise UsageError(
                f"{self.variable} must be a number above 0 ({self.unit}), not {given!r}; correct or unset it."
            )
        return value

    def refuse(self, amount: float, what: str) -> None:
        """Raise `UserError` when `amount`, in the limit's unit, is beyond it.

        Args:
            amount: what is claimed.
            what: how the sentence begins, such as `a.png has`.
        """
        if amount <= self.value:
            return
        enough = math.ceil(amount) if math.isfinite(amount) else "more"
        raise UserError(
            f"{what} {amount:.6g} {self.unit}, beyond the limit of {self.value:g} {self.unit}; "
            f"make it smaller or, if you trust it, set {self.variable}={enough} for this command."
        )


PIXELS = Limit(64, "million pixels", "VECTOR_TL_MAX_MEGAPIXELS")  # of an image or frame; phones have up to 50
IMAGE_FILE = Limit(200, "MB", "VECTOR_TL_MAX_IMAGE_MB")
FRAMES = Limit(3_000_000, "frames", "VECTOR_TL_MAX_FRAMES")  # of a file: 12 hours at 60 a second and more
HOURS = Limit(12, "hours", "VECTOR_TL_MAX_HOURS")  # of a video or recording
MEMBERS = Limit(200_000, "files", "VECTOR_TL_MAX_MEMBERS")
UNPACKED = Limit(20, "GB", "VECTOR_TL_MAX_UNPACKED_GB")
RATIO = Limit(200, "times its size", "VECTOR_TL_MAX_RATIO")
SMALL_BYTES = 100_000_000  # up to here an archive may grow by any ratio: empty label files pack well


def refuse_pixels(width: int, height: int, what: str) -> None:
    """Raise `UserError` for an image or frame with too many pixels; `what` names it."""
    PIXELS.refuse(width * height / 1e6, f"{what} has")


def refuse_swelling(what: str, members: int, unpacked_bytes: int, packed_bytes: int) -> None:
    """Raise `UserError` for an archive that would become too much, by what it says of itself.

    Args:
        what: names it in the error.
        members: how many files it holds.
        unpacked_bytes: their sizes, summed.
        packed_bytes: the size of the archive, or of the part in question.
    """
    MEMBERS.refuse(members, f"{what} would unpack to")
    UNPACKED.refuse(unpacked_bytes / 1e9, f"{what} would unpack to")
    if unpacked_bytes > SMALL_BYTES:
        RATIO.refuse(unpacked_bytes / max(packed_bytes, 1), f"{what} would unpack to")
