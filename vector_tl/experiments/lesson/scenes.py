"""The images of a lesson: of a dataset, or drawn by the simulator and kept in the user's cache."""

import logging
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from vector_tl.capture.plan import SessionPlan
from vector_tl.capture.simulated_session import open_simulated_robot, take_session
from vector_tl.data import dataset
from vector_tl.data.dataset import Item
from vector_tl.data.images import KEPT_WH, encode_jpeg, resize_to_kept
from vector_tl.errors import UserError
from vector_tl.experiments.lesson.forms import Figures, Room, Scene
from vector_tl.files import claimed, write_atomic
from vector_tl.nets.downloads import cache_folder
from vector_tl.plain import counted
from vector_tl.progress import Progress

MAX_BOX_PX = 1.5  # boxes of an image that is drawn again may be off by 1 px, and those kept are rounded
JPEG_QUALITY = 85  # of a dataset's images on the page
log = logging.getLogger(__name__)


def room_of(plan: SessionPlan) -> Room:
    """What a session's images depend on."""
    room: Any = {name: getattr(plan, name) for name in Room.__annotations__}
    return cast(Room, room | {"kinds": list(plan.kinds)})


def plan_of(room: Room) -> SessionPlan:
    """The session that a room's images are taken in."""
    plan: Any = dict(room) | {"kinds": tuple(room["kinds"])}
    return SessionPlan(**plan)


def drawn_scenes(figures: Figures) -> list[bytes]:
    """The JPEG files of the scenes, in their order; drawn by the simulator the first time.

    Raises:
        UserError: the simulator does not run, or its images show Vectors elsewhere than the figures say.
    """
    folder = cache_folder() / "lesson"
    paths = [folder / f"{scene['name'].replace('/', '--')}.jpg" for scene in figures["scenes"]]
    with claimed(folder / ".lock", wait=True):
        if not all(path.is_file() for path in paths):
            _draw(figures, dict(zip([scene["name"] for scene in figures["scenes"]], paths, strict=True)))
    return [path.read_bytes() for path in paths]


def _draw(figures: Figures, paths: dict[str, Path]) -> None:
    rooms = figures.get("rooms", [])
    log.info("The simulator draws the images of %s, once: about a minute.", counted(len(rooms), "room"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vector-tl-lesson-")))
        try:
            robot = stack.enter_context(
                open_simulated_robot("rendered", of_kinds=any(room["kinds"] for room in rooms))
            )
        except UserError as error:
            raise UserError(
                f"{error} Or make the page on another computer and copy it here: it is one file that needs "
                "nothing else."
            ) from error
        progress = stack.enter_context(Progress("lesson", sum(room["images"] for room in rooms)))
        for room in rooms:
            take_session(folder, plan_of(room), robot, lambda *_: progress.advance())
        for scene in figures["scenes"]:
            refuse_other(folder, scene)
        for scene in figures["scenes"]:
            write_atomic(
                paths[scene["name"]], dataset.image_path(folder, *scene["name"].split("/")).read_bytes()
            )


def refuse_other(folder: Path, scene: Scene) -> None:
    """Raise `UserError` where an image shows Vectors elsewhere than the lesson's figures say."""
    boxes = dataset.read_labels(dataset.label_path(folder, *scene["name"].split("/")))
    now = [
        [side * size for side, size in zip(box, KEPT_WH * 2)]
        for box in ([] if boxes is None else boxes.tolist())
    ]
    same = len(now) == len(scene["vectors"]) and all(
        abs(a - b) <= MAX_BOX_PX for one, other in zip(now, scene["vectors"]) for a, b in zip(one, other)
    )
    if not same:
        raise UserError(
            f"The simulator draws {scene['name']} otherwise than the shipped comparison saw it; make a "
            "lesson of your own with vector-tl compare and vector-tl lesson --compare FOLDER."
        )


def dataset_scenes(items: Sequence[Item], scenes: Sequence[Scene]) -> list[bytes]:
    """The scenes among a dataset's images, as JPEG of the size that their boxes are in."""
    there = {f"{item.session}/{item.name}": item for item in items}
    return [encode_jpeg(resize_to_kept(there[scene["name"]].image()), JPEG_QUALITY) for scene in scenes]
