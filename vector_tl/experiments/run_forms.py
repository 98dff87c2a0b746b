"""The form of what lies in a comparison's folder: its settings, and the result of each training."""

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

from vector_tl.forms import Count, Finite, Positive, Share
from vector_tl.train.curve import Point

# A setting as text; without what no path can hold.
Setting = Annotated[str, Meta(pattern=r"^[^\x00\ud800-\udc7f\udd00-\udfff]+$", max_length=4000)]
Images = Annotated[int, Meta(ge=1, le=10**12)]


class _Height(TypedDict):
    min: Finite
    max: Finite | None
    boxes: Count
    recall: Share | None


class _Figures(TypedDict):
    images: Images
    boxes: Count
    ap50: Share | None
    ap50_95: Share | None
    recall: Share | None
    false_positives_per_image: Finite | None
    recall_by_height_px: list[_Height]


class _Rooms(TypedDict):
    images: Images
    boxes: Count


class _Trained(TypedDict):
    arm: Literal["coco", "scratch"]
    size: Annotated[str, Meta(pattern=r"^(all|[1-9][0-9]{0,8})$")]
    seed: Count
    images_seen: Images
    lr: Positive
    images: Images
    seconds: Annotated[float, Meta(ge=0, le=1e12)]
    val_ap50: Share | None
    val_ap50_95: Share | None
    curve: list[Point]


class Tried(_Trained):
    """The result of a training that only tried a learning rate."""

    kind: Literal["lr"]


class Measured(_Trained):
    """The result of a training whose model was measured."""

    kind: Literal["equal", "long", "random"]
    threshold: Share
    sessions: Annotated[list[str], Meta(min_length=1)]
    test: _Figures
    real: NotRequired[_Figures]
    false_positives: NotRequired[_Rooms]


class Finished(TypedDict):
    """What `train` returned, before anything is measured."""

    lr: Positive
    seconds: Annotated[float, Meta(ge=0, le=1e12)]
    ap50: Share | None
    ap50_95: Share | None
