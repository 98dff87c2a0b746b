"""What is there that a next step can name: robots, photographs, splits. What cannot be read is not there."""

import os
from contextlib import suppress
from pathlib import Path

from vector_tl.data.dataset import is_simulated, read_splits
from vector_tl.errors import UserError
from vector_tl.robot.sdk_config import read_sections

MANY_FOLDERS = 1000  # of which no more are looked into


def home_folder() -> Path:
    """The folder with `.anki_vector`."""
    return Path(os.environ.get("HOME") or Path.home())


def robots_there() -> list[str]:
    """Serials of the robots that the SDK knows."""
    with suppress(UserError):
        path = home_folder() / ".anki_vector" / "sdk_config.ini"
        return list(read_sections(path)) if path.is_file() else []
    return []


def own_photos(data: Path) -> list[str]:
    """The sessions of a dataset that a person or a robot brought, not the simulator."""
    folders = sorted(path for path in (data / "images").glob("*") if path.is_dir())[:MANY_FOLDERS]
    return [folder.name for folder in folders if not is_simulated(data, folder.name)]


def has_labels(data: Path) -> bool:
    """Whether any image of a dataset is labelled."""
    return any((data / "labels").rglob("*.txt"))


def has_suggestions(data: Path) -> bool:
    """Whether a model has suggested boxes in a dataset."""
    return any((data / "suggestions").rglob("*.json"))


def has_splits(data: Path) -> bool:
    """Whether a dataset has sessions to train on and to validate on."""
    with suppress(UserError):
        return {"train", "val"} <= set(read_splits(data).values())
    return False
