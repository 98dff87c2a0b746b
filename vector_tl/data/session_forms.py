"""The form of a session's file, `sessions/<session>.json`: where its images come from.

Every key is optional, since other tools may write such files; a capture's file has more that must be there.
"""

from typing import Annotated, NotRequired, Required, TypedDict

from msgspec import Meta

from vector_tl.forms import Count, Finite, Pixel, Size

# Without what no file system takes: a slash, control characters, halves of characters.
_ODD = r"/\\\x00-\x1f\ud800-\udc7f\udd00-\udfff"
NAME = rf"^[^.{_ODD}][^{_ODD}]{{0,239}}$"
Name = Annotated[str, Meta(pattern=NAME)]
Box = tuple[Pixel, Pixel, Pixel, Pixel]


class Shot(TypedDict, total=False):
    """An image of a capture."""

    name: Required[Name]
    size_wh: Required[tuple[Size, Size]]
    brightness: Required[Finite]
    sharpness: Finite
    sha256: str
    thumb: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{192}$")]  # base64 of 16 x 9 grey levels
    xyxy: list[Box] | None
    distance_mm: Finite | None
    facing_deg: Finite | None
    attempts: list[Count]
    poses: list[tuple[Finite, Finite, Finite]]
    head_rad: Finite
    labelled: bool


class Classes(TypedDict, total=False):
    """What an import took for a Vector, and what it ignored."""

    vector: list[str]
    other: list[str]


class _Facts(TypedDict, total=False):
    source: str
    form: str
    robot: str
    backgrounds: str | None
    kinds: list[str]
    without: list[str]
    imported: str
    import_id: str
    labels_digest: str
    classes: Classes
    sizes: dict[str, tuple[Size, Size]]


class Session(_Facts, total=False):
    """Any session's file."""

    whole: bool
    seen: Count
    shots: list[Shot]
    negatives: Finite | bool


class _Captured(_Facts):
    whole: bool
    seen: Count
    shots: list[Shot]


class CapturedSession(_Captured):
    """The file of a session that `capture` took."""

    negatives: NotRequired[Finite | bool]


class SimulatedSession(_Captured):
    """One of the simulator, with all that its images depend on."""

    seed: Count
    world: Count
    first: Count
    planned: Annotated[int, Meta(ge=1, le=100_000)]
    moving: Finite
    camera: str
    negatives: Finite
