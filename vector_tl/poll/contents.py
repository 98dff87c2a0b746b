"""The form of what a poll's file holds: its facts, by name, and its votes."""

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from vector_tl.data.session_forms import Name
from vector_tl.forms import Finite, Positive, Size

Time = Annotated[float, Meta(ge=0, le=253402300799)]  # in seconds since 1970, to the end of the year 9999


class _Film(TypedDict):
    file: Name
    model: str
    caption: str


class Facts(TypedDict, total=False):
    """All that is read of the facts, each of which may be missing."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}$")]
    secret: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    films: Annotated[list[_Film], Meta(min_length=2, max_length=2)]
    question: str
    contact: str
    hours: Annotated[float, Meta(gt=0, le=1e6)]
    opened_s: Time | None
    closes_s: Time | None
    latest_s: Time | None
    closed: bool | None
    port: Annotated[int, Meta(ge=0, le=65535)] | None
    invitations: Annotated[int, Meta(ge=0, le=1_000_000)] | None
    threshold: Finite | None
    fps: Positive
    seconds: Positive
    size_wh: tuple[Size, Size]


NEEDED = ("id", "secret", "films", "question", "hours")


class Code(TypedDict):
    """The vote in a code: poll, voter, side, the film on the left, why, and when by the voter's clock."""

    p: str
    v: str
    s: Literal["left", "right", "none"]
    l: str  # noqa: E741
    w: str
    t: Annotated[float, Meta(gt=0, le=253402300799)]


class Vote(TypedDict):
    """A row of the votes."""

    voter: str
    at_s: Time
    side: Literal["left", "right", "none"]
    left_film: str
    film: str | None
    why: str
    way: str
    address: str | None
