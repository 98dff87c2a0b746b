"""Draws simulated sessions into a dataset until it has enough images, session by session.

A session is whole once its file is there, which is written last; what a killed process left of another one is
drawn again, the same, and files that are there stay as they are.
"""

import re
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl import __version__
from vector_tl.bulk.settings import BulkSettings
from vector_tl.bulk.studio import Studio, open_studio
from vector_tl.capture.ground_truth import LabelledImage, facts_of
from vector_tl.capture.harder import kinds_of_room
from vector_tl.capture.plan import SessionPlan
from vector_tl.capture.sessions import describe, only_capture, sweep
from vector_tl.capture.settings import ROOMS_PER_SEED
from vector_tl.capture.simulated_session import write_files
from vector_tl.capture.tags import tags_of
from vector_tl.data.coverage import Shot
from vector_tl.data.dataset import extend_splits, label_path, mask_path, read_session, write_session
from vector_tl.data.images import decode_image, encode_mask
from vector_tl.data.kinds import add_kinds
from vector_tl.data.session_forms import SimulatedSession
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.robot.sim_features import HELD_OUT_WORLDS

FIRST_ROOM = ROOMS_PER_SEED // 2  # of a seed's rooms, so that none is also one of `capture`'s
FRUITLESS = 20  # rooms one after another without an image: then something else is wrong


def draw(settings: BulkSettings) -> dict[str, Any]:
    """Draw what is missing.

    Returns:
        {"sessions", "kept", "seen", "seconds", "start_seconds"}: the sessions and images of this seed that
        the dataset now has, the frames that were drawn for them, and the seconds of this run, of them those
        until the camera and the textures were ready.

    Raises:
        UsageError: a setting out of its range.
        UserError: nothing can be drawn here, another process draws into the dataset, or the disk is full.
    """
    capture, started_s = settings.as_capture(), time.monotonic()
    kept = seen = fruitless = number = 0
    with (
        only_capture(settings.data),
        open_studio(settings.seed, bool(settings.kinds), settings.backgrounds, settings.held_out) as studio,
    ):
        start_seconds = round(time.monotonic() - started_s, 1)
        for number in count():
            if kept >= settings.count:
                break
            plan = plan_of(settings, number)
            about = read_session(settings.data, plan.session, SimulatedSession)
            if about is None:
                extend_splits(settings.data, [plan.session], capture.split_shares)
                about = draw_session(settings.data, plan, studio, settings.masks)
            kept, seen = kept + len(about["shots"]), seen + about["seen"]
            fruitless = 0 if about["shots"] else fruitless + 1
            if fruitless >= FRUITLESS:
                raise UserError(f"{FRUITLESS} rooms left no place for an image; choose another --seed.")
    seconds = round(time.monotonic() - started_s, 1)
    return {
        "sessions": number,
        "kept": kept,
        "seen": seen,
        "seconds": seconds,
        "start_seconds": start_seconds,
    }


def plan_of(settings: BulkSettings, number: int) -> SessionPlan:
    """The plan of session `number` of a seed: its images depend on nothing else."""
    world = settings.seed * ROOMS_PER_SEED + FIRST_ROOM + number
    world += HELD_OUT_WORLDS if settings.held_out else 0
    photographs = settings.backgrounds
    named = re.sub(r"[^\w-]+", "-", photographs.resolve().name) if photographs else None
    sort = [*(["held-out"] if settings.held_out else []), *([f"room-{named}"] if named else [])]
    words = ["bulk", *sort, *settings.kinds, settings.seed, f"{number:03d}"]
    return SessionPlan(
        "-".join(map(str, words)),
        seed=settings.seed,
        world=world,
        images=settings.images_per_room,
        first=number * settings.images_per_room,
        negatives=1.0 if settings.negatives or "none" in settings.kinds else settings.negative_share,
        moving=settings.moving,
        camera="rendered",
        backgrounds=named,
        kinds=kinds_of_room(settings.kinds, settings.seed, world),
    )


def draw_session(folder: Path, plan: SessionPlan, studio: Studio, masks: bool) -> dict[str, Any]:
    """Draw a session's images that work out, and write all of it. Returns its file's content."""
    sweep(folder, plan.session)
    before = studio.drawn
    studio.enter(plan)
    shots: list[Shot] = []
    tags: dict[tuple[str, str], list[str]] = {}
    for number in range(plan.images):
        name = f"{plan.session}-{number:03d}"
        taken = studio.take_image(number)
        if taken is None:
            continue
        image, mask = taken
        shot = {"name": name} | describe(image.frame, decode_image(image.frame.jpeg, name)) | facts_of(image)
        shots.append(shot)
        if plan.kinds:
            tags[plan.session, name] = tags_of(plan.kinds, image.truth, float(shot["brightness"]))
        _write(folder, plan.session, name, image, mask if masks else None)
    if tags:
        add_kinds(folder, tags)
    about = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "vector_tl": __version__,
        "source": "simulator",
        "bulk": True,
        **plan.facts(),
        "whole": True,
        "seen": studio.drawn - before,
        "shots": shots,
    }
    write_session(folder, plan.session, about)
    return about


def _write(folder: Path, session: str, name: str, image: LabelledImage, mask: np.ndarray | None) -> None:
    """Write the mask, the image and then its label; what is there stays."""
    if mask is not None and not mask_path(folder, session, name).exists():
        write_atomic(mask_path(folder, session, name), encode_mask(mask))
    write_files(folder, session, name, image, labelled=label_path(folder, session, name).exists())
