"""What an image of a room with kinds shows beside its boxes: things, and how Vectors look.

From this `capture` says which kinds hold of an image, not only of its room.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from vector_tl.sim.render.mesh import EYE_HEIGHT_MM, part_matrices, stood
from vector_tl.sim.render.phone import Sight
from vector_tl.sim.render.renderer import DOCK, FIRST_THING, MAX_THINGS, OWN_BODY, Renderer
from vector_tl.sim.world.scene import Seen, SeenThing, SeenVector, VectorPose

TOUCHING_PX = 6.0  # how far apart Vectors that touch may seem, in an image 640 wide
SCREEN_MM = (9.4, 0.0, EYE_HEIGHT_MM)  # the middle of a head's screen
MAX_SCREEN_DEG = 70.0  # a screen turned farther away is a sliver of glass
BOX_DEVIATION = 1 / math.sqrt(12)  # standard deviation of a motion of 1 px


@dataclass(frozen=True)
class Observed:
    """A room as a camera saw it.

    Attributes:
        renderer: what has drawn it.
        vectors: all Vectors.
        viewer: whose camera it is.
        sight: of the phone that takes the image instead, if any.
        drawn_ids: the instance ids (h, w) that were drawn, without the lens.
    """

    renderer: Renderer
    vectors: tuple[VectorPose, ...]
    viewer: int
    sight: Sight | None
    drawn_ids: np.ndarray

    def seen(self, ids: np.ndarray, blurred_px: float) -> Seen:
        """What the image shows, by its instance ids (H, W) and its `blur_px`."""
        camera, _ = self._view()
        numbers = [
            number
            for number in range(len(self.vectors))
            if number != self.viewer and (ids == number + 1).any()
        ]
        return Seen(
            things=things_in_view(ids, [kind for kind, _ in self.renderer.decor.things]),
            vectors=tuple(map(self._vector, numbers)),
            touching=any_touch(ids, numbers),
            own_body_px=int((ids == OWN_BODY).sum()),
            down_deg=math.degrees(math.asin(float(np.clip(-camera[2, 0], -1, 1)))),
            blur_px=blurred_px,
        )

    def _view(self) -> tuple[np.ndarray, np.ndarray]:
        return self.renderer.view(self.vectors[self.viewer], self.sight)

    def _vector(self, number: int) -> SeenVector:
        pose, look = self.vectors[number], self.renderer.look(number)
        parts = part_matrices(stood(pose, look.stance))
        alone = self.renderer.outline(self.vectors, self.viewer, number, self.sight)
        hidden = alone & ((self.drawn_ids == 0) | is_thing(self.drawn_ids))
        eye_mm = self._view()[0][:3, 3]
        return SeenVector(
            number,
            hidden=float(hidden.sum()) / max(int(alone.sum()), 1),
            facing_deg=angle_deg(parts["body"], (0.0, 0.0, 0.0), eye_mm),
            screen=float(look.screen) if self._shows_screen(number, parts["head"], eye_mm) else None,
        )

    def _shows_screen(self, number: int, head: np.ndarray, eye_mm: np.ndarray) -> bool:
        """Whether the middle of the screen on a head (4, 4) is in view and faces the camera."""
        if angle_deg(head, SCREEN_MM, eye_mm) > MAX_SCREEN_DEG:
            return False
        x, y, _, w = self._view()[1] @ head @ (*SCREEN_MM, 1.0)
        if w <= 0 or max(abs(x), abs(y)) >= w:
            return False
        height, width = self.drawn_ids.shape
        column, row = int((x / w + 1) / 2 * width), int((1 - y / w) / 2 * height)
        return bool(self.drawn_ids[row, column] == number + 1)


def is_thing(ids: np.ndarray) -> np.ndarray:
    """Where instance ids are those of things of a room's kinds."""
    return (ids >= FIRST_THING) & (ids <= DOCK)


def things_in_view(ids: np.ndarray, kinds: Sequence[str]) -> tuple[SeenThing, ...]:
    """The things of a room's kinds that an image shows.

    Args:
        ids: instance ids (H, W).
        kinds: of the room's things, in the order of their ids.
    """
    pixels = np.bincount(ids.ravel(), minlength=256)
    numbered = [*enumerate(kinds[:MAX_THINGS], FIRST_THING), (DOCK, "charger")]
    return tuple(SeenThing(kind, int(pixels[number])) for number, kind in numbered if pixels[number])


def angle_deg(part: np.ndarray, point_mm: ArrayLike, eye_mm: np.ndarray) -> float:
    """Between where a part (4, 4) faces and the line from a point of it, (3,), to a camera."""
    to_eye = eye_mm - (part[:3, :3] @ np.asarray(point_mm) + part[:3, 3])
    share = float(part[:3, 0] @ to_eye / np.linalg.norm(to_eye))
    return math.degrees(math.acos(min(max(share, -1.0), 1.0)))


def any_touch(ids: np.ndarray, numbers: Sequence[int]) -> bool:
    """Whether two of these Vectors touch or overlap in an image, or nearly so."""
    reach = round(TOUCHING_PX * ids.shape[1] / 640)
    masks = [(ids == number + 1).astype(np.uint8) for number in numbers]
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    return any(
        bool((cv2.dilate(one, around) & other).any()) for n, one in enumerate(masks) for other in masks[:n]
    )


def blur_px(smear_px: tuple[float, float], defocus_px: float, width_px: int) -> float:
    """The standard deviation of an image's blur by motion and defocus, as if it were 640 wide.

    Args:
        smear_px: how far it moves, right and down, while the shutter is open.
        defocus_px: standard deviation of the lens's blur, in an image 640 wide.
        width_px: of the image.
    """
    smeared = math.hypot(*smear_px) * BOX_DEVIATION * 640 / width_px
    return math.hypot(smeared, defocus_px)
