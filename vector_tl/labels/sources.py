"""Labelled datasets of others: YOLO (as Roboflow exports it), COCO and Pascal VOC, read one image at a time."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import yaml

from vector_tl.data.boxes import as_boxes, clip_boxes, from_cxcywh, from_xywh, sides, to_pixels
from vector_tl.data.images import image_size, is_image_file
from vector_tl.errors import UserError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
EDGE_PX = 1.0  # how far rounding may carry a box over the image's edge


@dataclass(frozen=True)
class Found:
    """An image of a source: boxes_xyxy (N, 4) in its pixels, None when it is not labelled; `why`: it is set aside for that."""

    path: Path
    data: bytes = b""
    size_wh: tuple[int, int] = (0, 0)
    boxes_xyxy: np.ndarray | None = None
    split: str | None = None
    why: str | None = None


@dataclass
class Classes:
    """Which of a source's classes mean a Vector."""

    wanted: tuple[str, ...]
    ignored: dict[str, int] = field(default_factory=dict)  # boxes of other classes

    def choose(self, names: list[str], source: Path) -> set[str]:
        """Of `names`, those that mean a Vector.

        Raises:
            UserError: none does, or one that was asked for is not there.
        """
        if self.wanted:
            if missing := [name for name in self.wanted if name not in names]:
                raise UserError(f"{source} has no class {missing[0]!r}; it has {', '.join(names) or 'none'}.")
            return set(self.wanted)
        if len(names) == 1:
            return set(names)
        chosen = {name for name in names if "vector" in name.lower()}
        if not chosen and names:
            raise UserError(
                f"{source} has the classes {', '.join(names[:12])}; say with --classes which mean a Vector."
            )
        return chosen

    def ignore(self, name: str) -> None:
        """Count a box that is left out."""
        self.ignored[name] = self.ignored.get(name, 0) + 1


def read_source(folder: Path, classes: Classes) -> tuple[str, Iterator[Found]]:
    """The form of the dataset in a folder (yolo, coco, voc or images), told by its content, and its images.

    Raises:
        UserError: labels of a form that cannot be read, or classes that say nothing.
    """
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder))
    )
    images = [path for path in files if is_image_file(path)]
    if not images:
        raise UserError(f"{folder} holds no images.")
    if coco := [path for path in files if path.suffix.lower() == ".json" and _is_coco(path)]:
        return "coco", _coco(coco, images, folder, classes)
    if xml := [path for path in files if path.suffix.lower() == ".xml"]:
        return "voc", _voc(xml, images, folder, classes)
    texts = {path for path in files if path.suffix.lower() == ".txt"}
    labelled = {image: label for image in images if (label := _yolo_label(image, folder)) in texts}
    yamls = [path for path in files if path.suffix.lower() in (".yaml", ".yml")]
    if labelled or yamls:
        return "yolo", _yolo(labelled, yamls, images, folder, classes)
    return "images", (_load(path, folder, None) for path in images)


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _load(
    path: Path,
    folder: Path,
    boxes: np.ndarray | None,
    size_said: tuple[int, int] | None = None,
    share: bool = False,
) -> Found:
    """The image with its boxes, or why it is set aside. `share`: boxes are in 0..1 of it."""
    where = path.relative_to(folder)
    try:
        data = path.read_bytes()
        size = image_size(data, str(where))
        if size_said is not None and size_said != size and all(size_said):
            raise UserError(
                f"{where} is {size[0]} x {size[1]}, but its label is for an image of {size_said[0]} x {size_said[1]}."
            )
        if boxes is not None:
            boxes = checked(to_pixels(boxes, size) if share else boxes, size, str(where))
        return Found(path, data, size, boxes, split_of(path, folder))
    except OSError as error:
        return Found(path, why=f"{where} cannot be read: {error.strerror}.")
    except UserError as error:
        return Found(path, why=str(error))


def checked(boxes: np.ndarray, size_wh: tuple[int, int], where: str) -> np.ndarray:
    """Boxes (N, 4) clipped to the image, exact doubles left out.

    Raises:
        UserError: numbers that are none, or a box without area or outside the image.
    """
    boxes = as_boxes(boxes)
    if not np.isfinite(boxes).all():
        raise UserError(f"{where} has a box with a number that is none.")
    if (sides(boxes) <= 0).any():
        raise UserError(f"{where} has a box without width or height.")
    clipped = clip_boxes(boxes, size_wh)
    if (np.abs(clipped - boxes) > EDGE_PX).any() or (sides(clipped) <= 0).any():
        raise UserError(f"{where} has a box outside the image.")
    return as_boxes(list(dict.fromkeys(map(tuple, clipped.tolist()))))


def split_of(path: Path, folder: Path) -> str | None:
    """The source's own split, by the names of the folders that an image lies in."""
    return next(
        (
            SPLIT_NAMES[part.lower()]
            for part in path.relative_to(folder).parts[:-1]
            if part.lower() in SPLIT_NAMES
        ),
        None,
    )


# -- YOLO ---------------------------------------------------------------------------------------------------------------


def _yolo_label(image: Path, folder: Path) -> Path:
    """labels/ instead of the last images/ in the path, else beside the image."""
    parts = list(image.relative_to(folder).parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return folder.joinpath(*parts).with_suffix(".txt")


def _yolo(
    labelled: dict[Path, Path], yamls: list[Path], images: list[Path], folder: Path, classes: Classes
) -> Iterator[Found]:
    names = _yolo_names(yamls)
    chosen = classes.choose(list(names.values()), folder) if names else None

    def items() -> Iterator[Found]:
        for image in images:
            if image not in labelled:
                yield _load(image, folder, None)
                continue
            try:
                boxes = _yolo_boxes(labelled[image], folder, names, chosen, classes)
            except UserError as error:
                yield Found(image, why=str(error))
                continue
            yield _load(image, folder, boxes, share=True)

    return items()


def _yolo_names(yamls: list[Path]) -> dict[int, str]:
    for path in yamls:
        try:
            names = (yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}).get("names")
        except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{path.name} is not readable YAML ({type(error).__name__}); correct it."
            ) from error
        if isinstance(names, list):
            return {number: str(name) for number, name in enumerate(names)}
        if isinstance(names, dict) and all(isinstance(key, int) for key in names):
            return {key: str(name) for key, name in names.items()}
    return {}


def _yolo_boxes(
    path: Path, folder: Path, names: dict[int, str], chosen: set[str] | None, classes: Classes
) -> np.ndarray:
    """(N, 4) xyxy in 0..1; polygons become the boxes around them."""
    boxes = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path.relative_to(folder)} is not a text file.") from error
    for number, line in enumerate(lines, 1):
        words, where = line.split(), f"{path.relative_to(folder)}, line {number}"
        if not words:
            continue
        try:
            index, values = int(words[0]), [float(word) for word in words[1:]]
        except ValueError as error:
            raise UserError(f"{where}: {line.strip()[:60]!r} is not 'class cx cy w h'.") from error
        if len(values) != 4 and (len(values) < 6 or len(values) % 2):
            raise UserError(f"{where}: {len(words)} values are neither a box nor a polygon.")
        if names and index not in names or index < 0:
            raise UserError(f"{where}: there is no class {index}.")
        if not all(math.isfinite(value) and -0.01 <= value <= 1.01 for value in values):
            raise UserError(f"{where}: {line.strip()[:60]!r} is not in shares of the image, 0 to 1.")
        if names and names[index] not in chosen:
            classes.ignore(names[index])
            continue
        if not names and classes.wanted and str(index) not in classes.wanted:
            classes.ignore(str(index))
            continue
        if len(values) == 4:
            boxes.append(from_cxcywh(values)[0])
        else:
            boxes.append([min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])])
    return as_boxes(boxes)


# -- COCO ---------------------------------------------------------------------------------------------------------------


def _is_coco(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            start = file.read(2_000_000)
    except (OSError, UnicodeDecodeError):
        return False
    return '"annotations"' in start or '"images"' in start


def _coco(files: list[Path], images: list[Path], folder: Path, classes: Classes) -> Iterator[Found]:
    by_name: dict[str, list[Path]] = {}
    for image in images:
        by_name.setdefault(image.name, []).append(image)
    tables = [(path, *_coco_table(path, folder, classes)) for path in files]

    def items() -> Iterator[Found]:
        told = set()
        for path, listed, boxes in tables:
            for entry in listed:
                name = Path(str(entry.get("file_name", "")).replace("\\", "/"))
                near = [
                    p for p in by_name.get(name.name, []) if p.is_relative_to(path.parent)
                ] or by_name.get(name.name, [])
                fits = [p for p in near if p.as_posix().endswith(name.as_posix())] or near
                if not fits:
                    yield Found(
                        path.parent / name.name,
                        why=f"{path.relative_to(folder)} names {str(name)!r}, which is not there.",
                    )
                    continue
                told.add(fits[0])
                try:
                    own = from_xywh([[x, y, w, h] for x, y, w, h in boxes.get(entry["id"], [])])
                    size = (int(entry.get("width") or 0), int(entry.get("height") or 0))
                except (TypeError, ValueError, KeyError):
                    yield Found(
                        fits[0],
                        why=f"{path.relative_to(folder)} has a box of {name.name} that is not four numbers.",
                    )
                    continue
                yield _load(fits[0], folder, own, size)
        for image in images:
            if image not in told:
                yield _load(image, folder, None)

    return items()


def _coco_table(path: Path, folder: Path, classes: Classes) -> tuple[list[dict], dict]:
    where = path.relative_to(folder)
    try:
        table = json.loads(path.read_text(encoding="utf-8-sig"))
        names = {category["id"]: str(category["name"]) for category in table.get("categories", [])}
        images, annotations = table["images"], table.get("annotations", [])
        used = {names[a["category_id"]] for a in annotations} if names else set()
        chosen = classes.choose(sorted(used or names.values()), where) if names else None
        boxes: dict = {}
        known = {image["id"] for image in images}
        for annotation in annotations:
            if annotation["image_id"] not in known:
                raise UserError(
                    f"{where} has a box for the image {annotation['image_id']!r}, which it does not list."
                )
            name = names.get(annotation["category_id"])
            if chosen is not None and name not in chosen:
                classes.ignore(str(name))
                continue
            boxes.setdefault(annotation["image_id"], []).append(annotation["bbox"])
    except (
        OSError,
        UnicodeDecodeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise UserError(
            f"{where} is not COCO's form ({type(error).__name__}: {str(error)[:80]}); correct it."
        ) from error
    return images, boxes


# -- Pascal VOC -----------------------------------------------------------------------------------------------------------


def _voc(files: list[Path], images: list[Path], folder: Path, classes: Classes) -> Iterator[Found]:
    trees: dict[Path, ElementTree.Element | UserError] = {}
    for path in files:
        try:
            trees[path] = _voc_tree(path, folder)
        except UserError as error:
            trees[path] = error
    names = sorted(
        {
            obj.findtext("name", "").strip()
            for tree in trees.values()
            if not isinstance(tree, UserError)
            for obj in tree.iter("object")
        }
    )
    chosen = classes.choose(names, folder)

    def items() -> Iterator[Found]:
        by_stem: dict[str, list[Path]] = {}
        for image in images:
            by_stem.setdefault(image.stem, []).append(image)
        told = set()
        for path, tree in trees.items():
            near = by_stem.get(path.stem, [])
            fits = [p for p in near if p.parent == path.parent] or near
            if not fits:
                yield Found(path, why=f"{path.relative_to(folder)} has no image.")
                continue
            told.add(fits[0])
            if isinstance(tree, UserError):
                yield Found(fits[0], why=str(tree))
                continue
            try:
                boxes, size = _voc_boxes(tree, chosen, classes)
            except (TypeError, ValueError):
                yield Found(fits[0], why=f"{path.relative_to(folder)} has a box that is not four numbers.")
                continue
            yield _load(fits[0], folder, boxes, size)
        for image in images:
            if image not in told:
                yield _load(image, folder, None)

    return items()


def _voc_tree(path: Path, folder: Path) -> ElementTree.Element:
    where = path.relative_to(folder)
    try:
        text = path.read_bytes()
        if re.search(rb"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE) or text[:2] in (
            b"\xff\xfe",
            b"\xfe\xff",
        ):  # entities can grow without bound
            raise UserError(
                f"{where} defines entities or is not UTF-8, which no label needs; it is not read."
            )
        tree = ElementTree.fromstring(text)
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{where} is not readable XML ({error}).") from error
    if tree.tag != "annotation":
        raise UserError(f"{where} is no Pascal VOC label: it begins with <{tree.tag}>.")
    return tree


def _voc_boxes(
    tree: ElementTree.Element, chosen: set[str], classes: Classes
) -> tuple[np.ndarray, tuple[int, int]]:
    """Corners count from 1 in Pascal VOC, and the last pixel is inside."""
    boxes = []
    for obj in tree.iter("object"):
        name = obj.findtext("name", "").strip()
        if name not in chosen:
            classes.ignore(name)
            continue
        x1, y1, x2, y2 = (
            float(obj.find("bndbox").findtext(key)) if obj.find("bndbox") is not None else math.nan
            for key in ("xmin", "ymin", "xmax", "ymax")
        )
        boxes.append([x1 - 1, y1 - 1, x2, y2])
    size = (int(float(tree.findtext("size/width", "0"))), int(float(tree.findtext("size/height", "0"))))
    return np.array(boxes, np.float64).reshape(-1, 4), size
