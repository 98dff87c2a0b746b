"""Which simulated session is to be taken next, and everything that its images depend on."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vector_tl.capture.harder import kinds_of_room
from vector_tl.capture.sessions import has_image
from vector_tl.capture.settings import ROOMS_PER_SEED, CaptureSettings
from vector_tl.data import dataset
from vector_tl.data.dataset import read_session
from vector_tl.data.session_forms import SimulatedSession
from vector_tl.robot.sim_features import HELD_OUT_WORLDS


@dataclass(frozen=True)
class SessionPlan:
    """A simulated session to be taken, or to be finished."""

    session: str
    seed: int
    world: int
    images: int
    first: int  # how many images of this seed come before it
    negatives: float
    moving: float
    camera: str
    without: tuple[str, ...] = ()
    backgrounds: str | None = None  # name of the folder of photographs
    kinds: tuple[str, ...] = ()  # of its room, see `data.kinds`

    @classmethod
    def of(cls, session: str, about: dict[str, Any]) -> "SessionPlan":
        """The plan that a session was taken by, from its file."""
        same = {key: about[key] for key in ("seed", "world", "first", "negatives", "moving", "camera")}
        return cls(
            session,
            images=about["planned"],
            without=tuple(about.get("without", ())),
            backgrounds=about.get("backgrounds"),
            kinds=tuple(about.get("kinds", ())),
            **same,
        )

    def facts(self) -> dict[str, Any]:
        """What the session's file says of it."""
        facts = {
            "seed": self.seed,
            "world": self.world,
            "first": self.first,
            "planned": self.images,
            "negatives": self.negatives,
            "moving": self.moving,
            "camera": self.camera,
        }
        options = {
            "without": list(self.without),
            "backgrounds": self.backgrounds,
            "kinds": list(self.kinds),
        }
        return facts | {key: value for key, value in options.items() if value}


def plans_left(settings: CaptureSettings) -> tuple[list[SessionPlan], list[dict[str, Any]]]:
    """The sessions of this seed that are to be taken, and the files of those that are whole.

    A session is whole once its file says so and every image of it is there (a clone of a repository has
    labels only: there too no more sessions are made than `settings.count` asks for). A plan depends on what
    was planned before it, not on what came of that, so that sessions can be taken side by side; where rooms
    had no place for all images, plans for the rest are left once these are whole.
    """
    plans: list[SessionPlan] = []
    whole: list[dict[str, Any]] = []
    planned = coming = 0
    while coming < settings.count:
        session = _session_name(settings, len(plans) + len(whole))
        about = read_session(settings.data, session, SimulatedSession)
        if about is not None and _is_whole(settings.data, session, about):
            whole.append(about)
            planned, coming = planned + about["planned"], coming + len(about["shots"])
            continue
        if about is not None:
            plan = SessionPlan.of(session, about)
        else:
            left = settings.count - (planned if planned < settings.count else coming)
            plan = _new_plan(settings, session, len(plans) + len(whole), planned, left)
        plans.append(plan)
        planned, coming = planned + plan.images, coming + plan.images
    return plans, whole


def _photographs(settings: CaptureSettings) -> str | None:
    """The name of the folder of photographs, as sessions have it."""
    return re.sub(r"[^\w-]+", "-", settings.backgrounds.resolve().name) if settings.backgrounds else None


def _session_name(settings: CaptureSettings, number: int) -> str:
    photographs = _photographs(settings)
    kind = "-no-".join([f"room-{photographs}" if photographs else "sim", *settings.without])
    kind = "-".join(["held-out" if settings.held_out else kind, *settings.kinds])
    return f"{kind}-{settings.seed}-{number:03d}"


def _new_plan(settings: CaptureSettings, session: str, number: int, first: int, left: int) -> SessionPlan:
    """Session `number` of this seed, the first of those that are to have the images left."""
    photographs = _photographs(settings)
    world = settings.seed * ROOMS_PER_SEED + number + (HELD_OUT_WORLDS if settings.held_out else 0)
    return SessionPlan(
        session,
        seed=settings.seed,
        world=world,
        images=math.ceil(left / math.ceil(left / settings.images_per_session)),  # sessions of about one size
        first=first,
        negatives=1.0 if settings.negatives or "none" in settings.kinds else settings.negative_share,
        moving=settings.moving,
        camera=settings.camera,
        without=settings.without,
        backgrounds=photographs,
        kinds=kinds_of_room(settings.kinds, settings.seed, world),
    )


def _is_whole(folder: Path, session: str, about: dict[str, Any]) -> bool:
    return about["whole"] and not any(_is_missing(folder, session, shot["name"]) for shot in about["shots"])


def _is_missing(folder: Path, session: str, name: str) -> bool:
    """Whether an image has a label, but is neither there nor in the bin."""
    return dataset.label_path(folder, session, name).exists() and not has_image(folder, session, name)
