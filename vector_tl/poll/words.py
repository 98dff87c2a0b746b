"""A voter's own words, as they are kept and shown."""

import unicodedata

from vector_tl.errors import Refused

MAX_WHY = 500  # characters


def clean(why: str) -> str:
    """A voter's words as they are kept: without control and direction characters, spaces joined.

    Raises:
        Refused: no text, or too much of it.
    """
    if not isinstance(why, str):
        raise Refused(400, "The reason must be text.")
    if len(why) > MAX_WHY:
        raise Refused(413, f"The reason may have {MAX_WHY} characters, not {len(why)}.")
    # Cc control, Cf direction marks and other invisible ones (a joiner is needed inside emoji), Cs halves of
    # characters, Co and Cn no character at all
    plain = "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") or c == "\u200d" else " "
        for c in why
    )
    return " ".join(unicodedata.normalize("NFC", plain).split())
