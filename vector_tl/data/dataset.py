"""The dataset on disk: images and YOLO labels in sessions, which are never divided between splits.

images/<session>/<name>.jpg     images of any size; the format is recognised by content
labels/<session>/<name>.txt     a line `class cx cy w h` (0..1) for each box; an empty file: no Vector;
                                no file: not labelled
splits.json                     session -> train | val | test; without it every session is test
kinds.json                      session/name -> kinds of the image (optional, see `kinds.py`)
masks/<session>/<name>.png      grey levels: 0, or which Vector is seen there (optional)
sessions/<session>.json         where a session comes from (optional for reading)
data.yaml                       so that YOLO tools open the folder (optional for reading)
"""

import hashlib
import json
import logging
import os
import re
import shlex
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from vector_tl.data.boxes import to_pixels
from vector_tl.data.images import is_image_file, read_image
from vector_tl.data.kinds import read_kinds
from vector_tl.data.session_forms import NAME, Session
from vector_tl.data.yolo import format_label, parse_label
from vector_tl.errors import UsageError, UserError
from vector_tl.files import held, read_json, write_atomic, write_json
from vector_tl.plain import counted, few

Split = Literal["train", "val", "test"]
SPLITS: tuple[str, ...] = get_args(Split)
DEFAULT_SPLIT = "test"
BY_IMAGE = (
    " That puts some images of the folder into each of train, val and test; figures on the last are kinder "
    "than those of another room would be."
)
MINED = "mined"  # "form" in the file of a session that `label mine` added
MAX_NAME_BYTES = 240  # of 255 that file systems take; the suffixes come on top
YAML_HEADER = "# Written by vector-tl from splits.json; change the splits there.\n"
SESSION_REMEDY = "repair it, or move it away to have the session taken again"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Item:
    """An image of the dataset; `boxes_norm` (N, 4) is xyxy in 0..1, None when it is not labelled."""

    session: str
    name: str
    image_path: Path
    boxes_norm: np.ndarray | None
    kinds: tuple[str, ...] = ()

    def image(self) -> np.ndarray:
        """The image (H, W, 3), RGB.

        Raises:
            UserError: the file cannot be read as an image.
        """
        return read_image(self.image_path)

    def boxes_xyxy(self, size_wh: tuple[int, int]) -> np.ndarray:
        """Boxes (N, 4) in pixels of an image of `size_wh`, float32."""
        return to_pixels([] if self.boxes_norm is None else self.boxes_norm, size_wh).astype(np.float32)


@dataclass(frozen=True)
class Dataset:
    """The labelled images of one split, and how many of its images nobody has labelled."""

    folder: Path
    split: str
    items: list[Item] = field(repr=False)
    unlabelled: int

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def digest(self) -> str:
        """`digest` of the folder: all its labels are read when it is asked for, not before."""
        return digest(self.folder)


def load_dataset(folder: Path, split: str = DEFAULT_SPLIT) -> Dataset:
    """The labelled images of a split, in the order of sessions and names; the pixels are read later.

    Args:
        folder: of the dataset.
        split: train, val, test or all.

    Raises:
        UsageError: an unknown split.
        UserError: no images or no labels there, or a broken label, splits or kinds file.
    """
    folder = Path(folder)
    if split not in (*SPLITS, "all"):
        raise UsageError(f"There is no split {split!r}; choose train, val, test or all.")
    images = list_images(folder)
    splits = read_splits(folder)
    sessions = {session for session, _ in images}
    if splits and (new := sessions - set(splits)):
        log.warning(
            "Not in %s, so in the %s split: %s.",
            folder / "splits.json",
            DEFAULT_SPLIT,
            f"{counted(len(new), 'session')} ({few(sorted(new))})",
        )
    chosen = {
        key: path for key, path in images.items() if split in ("all", splits.get(key[0], DEFAULT_SPLIT))
    }
    if not chosen:
        purpose = {"train": "training", "val": "validation"}.get(split, "testing")
        raise UserError(
            f"No images of {folder} are set aside for {purpose} yet (split {split}); divide them with: "
            f"{split_command(folder, sessions)}.{BY_IMAGE * (len(sessions) < len(SPLITS))}"
        )
    kinds = read_kinds(folder)
    items = [
        Item(
            session,
            name,
            path,
            read_labels(label_path(folder, session, name)),
            kinds.get((session, name), ()),
        )
        for (session, name), path in chosen.items()
    ]
    labelled = [item for item in items if item.boxes_norm is not None]
    if not labelled:
        raise UserError(
            f"No image in split {split} of {folder} is labelled, of {len(items)} there; label them with "
            f"vector-tl label review --data {folder}."
        )
    if unlabelled := len(items) - len(labelled):
        log.warning(
            "Not labelled, so left out: %d of %s in split %s of %s.",
            unlabelled,
            counted(len(items), "image"),
            split,
            folder,
        )
    return Dataset(folder, split, labelled, unlabelled)


def split_command(folder: Path, sessions: Collection[str]) -> str:
    """What to type to divide sessions; by image where there are fewer of them than splits."""
    few = len(sessions) < len(SPLITS)
    return f"vector-tl label split --data {folder}" + (
        f" --by image --session {shlex.join(sorted(sessions))}" if few else ""
    )


def list_images(folder: Path) -> dict[tuple[str, str], Path]:
    """All images of a dataset, (session, name) -> path, sorted.

    Raises:
        UserError: there are none, or two files share a name (and so a label).
    """
    images = Path(folder) / "images"
    if not images.is_dir() and any(Path(folder).glob("labels/*/*.txt")):
        raise UserError(
            f"{folder} has labels but no images yet; make them with: vector-tl capture --remake --data "
            f"{folder}."
        )
    if not images.is_dir() and any(is_image_file(path) for path in Path(folder).glob("*")):
        raise UserError(
            f"{folder} holds images but is not a dataset; make one of them with: vector-tl label import "
            f"{folder} --data data, then label review, then label split --by image (each with --data data)."
        )
    if not images.is_dir():
        raise UserError(
            f"{folder} is not a dataset: it has no folder images/; make one with vector-tl capture --data "
            f"{folder}, or of your own photographs with vector-tl label import PHOTOS --data {folder}."
        )
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(p for p in images.glob("*/*") if is_image_file(p)):
        key = (path.parent.name, path.stem)
        if key in found:
            raise UserError(f"{found[key]} and {path} would share one label file; rename one of them.")
        found[key] = path
    if stray := sum(is_image_file(p) for p in images.iterdir()):
        log.warning(
            "Left out: %s directly in %s; move what is there into a folder for its session.",
            counted(stray, "image"),
            images,
        )
    if not found:
        raise UserError(
            f"There are no images in {images}/<session>/; take some with vector-tl capture --data {folder}."
        )
    return found


def image_path(folder: Path, session: str, name: str, suffix: str = ".jpg") -> Path:
    """Where an image lies."""
    return Path(folder) / "images" / _plain(session) / (_plain(name) + suffix)


def label_path(folder: Path, session: str, name: str) -> Path:
    """Where an image's label lies."""
    return Path(folder) / "labels" / _plain(session) / (_plain(name) + ".txt")


def mask_path(folder: Path, session: str, name: str) -> Path:
    """Where a simulated image's instance mask lies."""
    return Path(folder) / "masks" / _plain(session) / (_plain(name) + ".png")


def _plain(name: str) -> str:
    if not re.fullmatch(NAME, name) or len(os.fsencode(name)) > MAX_NAME_BYTES:
        raise UserError(f"{name!r} cannot name a session or image; use letters, digits, - and _.")
    return name


def read_labels(path: Path) -> np.ndarray | None:
    """Boxes (N, 4), xyxy in 0..1, of a label file; None when there is no such file.

    Raises:
        UserError: a broken line, named with file and number.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"Cannot read the label {path}: {error.strerror}.") from error
    return parse_label(data, path)


def write_item(
    folder: Path,
    session: str,
    name: str,
    image: bytes,
    boxes_xyxy: np.ndarray | None,
    size_wh: tuple[int, int],
    suffix: str = ".jpg",
) -> Path:
    """Add an encoded image and its label; the image first, so that a crash leaves it unlabelled.

    Args:
        folder: of the dataset.
        session: the image's session.
        name: the image's name, without suffix.
        image: the encoded image.
        boxes_xyxy: (N, 4) in pixels, (0, 4) for no Vector in the image; None writes no label.
        size_wh: of the image.
        suffix: of the image's file.

    Raises:
        UserError: image or label is there already, or cannot be written.
    """
    path, label = image_path(folder, session, name, suffix), label_path(folder, session, name)
    for taken in (path, label):
        if taken.exists():
            raise UserError(f"{taken} exists already and is kept; choose another session.")
    write_atomic(path, image)
    if boxes_xyxy is not None:
        write_atomic(label, format_label(boxes_xyxy, size_wh))
    return path


def write_label(
    folder: Path,
    session: str,
    name: str,
    boxes_xyxy: np.ndarray,
    size_wh: tuple[int, int],
    overwrite: bool = False,
) -> Path:
    """Write the label of an image that is there; an existing one is replaced only with `overwrite`."""
    path = label_path(folder, session, name)
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already and is kept; delete it to label the image again.")
    write_atomic(path, format_label(boxes_xyxy, size_wh))
    return path


def session_path(folder: Path, session: str) -> Path:
    """Where a session's file lies."""
    return Path(folder) / "sessions" / (_plain(session) + ".json")


def read_session(folder: Path, session: str, form: Any = Session) -> Any:
    """A session's file: where it comes from, and of a capture its images in "shots"; None when there is none.

    Args:
        folder: of the dataset.
        session: its name.
        form: what must be there, see `session_forms.py`.

    Raises:
        UserError: the file cannot be read, or has another form.
    """
    return read_json(session_path(folder, session), remedy=SESSION_REMEDY, form=form)


def is_simulated(folder: Path, session: str) -> bool:
    """Whether a session's file says that the simulator took it; a broken file says nothing."""
    try:
        return (read_session(folder, session) or {}).get("source") == "simulator"
    except UserError:
        return False


def write_session(folder: Path, session: str, about: dict[str, Any]) -> None:
    """Write a session's file, whole or not at all: a line for each fact, and one for each of its "shots"."""
    facts = [
        f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}"
        for key, value in about.items()
        if key != "shots"
    ]
    if "shots" in about:
        shots = (json.dumps(shot, separators=(",", ":"), allow_nan=False) for shot in about["shots"])
        facts.append('"shots": [\n' + ",\n".join(shots) + "\n]")
    write_atomic(session_path(folder, session), "{\n" + ",\n".join(facts) + "\n}\n")


def read_splits(folder: Path) -> dict[str, str]:
    """splits.json: session -> train, val or test; empty when there is no such file.

    Raises:
        UserError: it is not of that form.
    """
    remedy = 'give each session train, val or test, such as {"kitchen": "train"}'
    splits: dict[str, str] = read_json(
        Path(folder) / "splits.json", missing={}, remedy=remedy, form=dict[str, Split]
    )
    return splits


def write_splits(folder: Path, splits: dict[str, str]) -> None:
    """Write splits.json, and data.yaml after it."""
    write_json(Path(folder) / "splits.json", dict(sorted(splits.items())), indent=0)
    write_data_yaml(folder)


@contextmanager
def changing_splits(folder: Path) -> Iterator[dict[str, str]]:
    """What splits.json says, to be changed in place; and written at the block's end unless that failed.

    Other programs wait meanwhile, so that of two that change it at once neither undoes the other's change.

    Raises:
        UserError: as `read_splits` and `write_splits`.
    """
    with held(folder):
        splits = read_splits(folder)
        yield splits
        write_splits(folder, splits)


def extend_splits(
    folder: Path, sessions: list[str], shares: tuple[float, float, float] = (0.7, 0.15, 0.15)
) -> dict[str, str]:
    """Put every session that has no split yet into the one that is most below its share.

    Args:
        folder: of the dataset.
        sessions: those to put into a split.
        shares: of train, val and test, counted in sessions.
    """
    with changing_splits(folder) as splits:
        for session in sessions:
            if session not in splits:
                count = [sum(v == s for v in splits.values()) for s in SPLITS]
                lacking = [share * (len(splits) + 1) - n for share, n in zip(shares, count, strict=True)]
                splits[_plain(session)] = SPLITS[int(np.argmax(lacking))]
    return splits


def write_data_yaml(folder: Path) -> None:
    """Write data.yaml for YOLO tools from splits.json; a file that another program wrote is left alone."""
    path = Path(folder) / "data.yaml"
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(YAML_HEADER):
        log.warning("%s was not written by vector-tl and is left as it is.", path)
        return
    splits = read_splits(folder)
    # JSON lists are YAML too, and quote every name as it needs
    lines = [
        f"{split}: {json.dumps(sorted(f'images/{s}' for s, v in splits.items() if v == split))}\n"
        for split in SPLITS
    ]
    write_atomic(path, YAML_HEADER + "".join(lines) + "nc: 1\nnames: [vector]\n")


def digest(folder: Path) -> str:
    """SHA-256 over all labels and splits, without images; the same wherever the folder lies."""
    folder, total = Path(folder), hashlib.sha256()
    for path in sorted((folder / "labels").glob("*/*.txt")):
        data = path.read_bytes().replace(b"\r\n", b"\n")
        about = f"{path.parent.name}/{path.name}\0{len(data)}\0"
        total.update(about.encode("utf-8", "surrogateescape") + data)  # names need not be UTF-8
    total.update(json.dumps(read_splits(folder), sort_keys=True).encode())
    return total.hexdigest()
