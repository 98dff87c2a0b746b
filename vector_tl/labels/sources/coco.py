"""COCO: one JSON with images, annotations and categories; ids may be numbers or text."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, TypedDict

import numpy as np

from vector_tl import forms
from vector_tl.labels.sources.classes import misfit
from vector_tl.labels.sources.records import (
    BadEntry,
    ImageLabel,
    LabelBox,
    LabelFile,
    around,
    number,
    seem_corners,
    size_of,
)
from vector_tl.plain import counted

FORM = "coco"
MAX_MASK_PX = 10**8
NOTHING = "it has no bbox, and its segmentation marks nothing"


class _Mask(TypedDict):
    size: tuple[float | str, float | str]  # height and width; some write numbers as text
    counts: list[float | str] | str


def is_coco(table: Any) -> bool:
    """Whether a JSON value is COCO's: a list of images with file names, beside annotations or categories."""
    if not isinstance(table, dict) or not ("annotations" in table or "categories" in table):
        return False
    images = table.get("images")
    return "images" in table and (
        not isinstance(images, list) or not images or any(isinstance(i, dict) for i in images)
    )


def read_coco(path: PurePosixPath, table: dict[str, Any]) -> LabelFile:
    """All images that the table lists, with their annotations."""
    found = LabelFile(path, FORM)
    for key in ("images", "annotations", "categories"):
        if not isinstance(table.get(key, []), list):
            found.error = f"{path} is not COCO's form: {key} is not a list; correct it."
            return found
    names, doubtful = _categories(table.get("categories", []), table.get("annotations", []))
    found.doubt = _misfit(path, table)
    if found.doubt:
        names = {}
    found.classes = sorted(set(names.values()))
    images, by_id = _images(path, table["images"], frozenset(found.classes), found)
    orphans = 0
    for position, annotation in enumerate(table.get("annotations", [])):
        owners = by_id.get(_key(annotation.get("image_id"))) if isinstance(annotation, dict) else None
        if not owners:
            orphans += 1
            continue
        what = f"annotation {annotation.get('id', position)}"
        try:
            if len(owners) > 1:
                raise BadEntry(
                    f"it belongs to image {annotation['image_id']}, an id that several images have"
                )
            box = _box(annotation, what, names, doubtful, owners[0], found.notes)
        except BadEntry as error:
            for owner in owners:
                owner.error = owner.error or f"{path}, {what} (of {owner.image_name}): {error}; correct it."
            continue
        if box is not None:
            owners[0].boxes.append(box)
    if orphans:
        found.notes.append(f"{orphans} annotations are of images that it does not list")
        for image in images:
            if not image.boxes and not image.error:
                image.error = (
                    f"{path} holds {orphans} annotations of images that it does not list, so whether "
                    f"{image.image_name} shows no Vector is not known; correct their image_id."
                )
    found.images = images
    if table["images"] and not images:
        found.error = f"{path}: no image in it has a file_name, of {len(table['images'])} there; add them."
    if not any(isinstance(a, dict) and "bbox_mode" in a for a in table.get("annotations", [])):
        _blame_corners(found)
    return found


def _blame_corners(found: LabelFile) -> None:
    """Boxes that would reach out of their images, while all of them could be corners, have two meanings."""
    sized = [(label.size_wh, box.corners) for label in found.images for box in label.boxes if label.size_wh]
    rows = [(x1, y1, x2 - x1, y2 - y1) for _, (x1, y1, x2, y2) in sized]
    if seem_corners(rows, [corners for _, corners in sized], [size_wh for size_wh, _ in sized]):
        for label in found.images:
            if label.boxes:
                label.error = label.error or (
                    f"{found.path}: bbox seems to hold corners x1 y1 x2 y2, since as x y w h it reaches out "
                    "of the images; write x y w h, or bbox_mode 0 (corners) or 1 in each annotation."
                )


def _key(value: Any) -> Any:
    """An id: 1 and "1" are the same."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    return value if isinstance(value, (int, str, float)) else None


def _categories(categories: list[Any], annotations: list[Any]) -> tuple[dict[Any, str], set[Any]]:
    """Names by id, without Roboflow's name of the whole set; and ids that have two names."""
    entries = [
        c for c in categories if isinstance(c, dict) and "id" in c and str(c.get("name") or "").strip()
    ]
    names: dict[Any, str] = {}
    doubtful: set[Any] = set()
    for entry in entries:
        key, name = _key(entry["id"]), str(entry["name"]).strip()
        if names.setdefault(key, name) != name:
            doubtful.add(key)
    used = {_key(a.get("category_id")) for a in annotations if isinstance(a, dict)}
    for entry in entries if len(names) > 1 else ():
        key = _key(entry["id"])
        others = [e for e in entries if _key(e["id"]) != key]
        group = str(entry["name"])
        if key not in used and others and all(str(e.get("supercategory")) == group for e in others):
            names.pop(key, None)
    return names, doubtful


def _misfit(path: PurePosixPath, table: dict[str, Any]) -> str:
    """Why the categories' ids do not seem to be those of the annotations; empty where they fit."""
    used, named = (
        {_key(entry.get(name)) for entry in table.get(part, []) if isinstance(entry, dict)} - {None}
        for part, name in (("annotations", "category_id"), ("categories", "id"))
    )
    if not all(isinstance(key, int) for key in used | named):
        return ""
    return misfit(used, named, f"the categories of {path}", "The annotations use")


def _images(
    path: PurePosixPath, listed: Iterable[Any], classes: frozenset[str], found: LabelFile
) -> tuple[list[ImageLabel], dict[Any, list[ImageLabel]]]:
    images: list[ImageLabel] = []
    by_id: dict[Any, list[ImageLabel]] = {}
    nameless = 0
    for entry in listed:
        name = entry.get("file_name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name.strip():
            nameless += 1
            continue
        label = ImageLabel(path, f"{path}, image {name}", FORM, name)
        label.size_wh = size_of(entry.get("width"), entry.get("height"))
        label.classes = classes
        split = entry.get("split") or entry.get("subset")
        label.split = split if isinstance(split, str) else None
        same = by_id.setdefault(_key(entry.get("id")), [])
        if any(other.image_name == name for other in same):
            continue  # the same entry twice
        same.append(label)
        images.append(label)
    if nameless:
        found.notes.append(f"{counted(nameless, 'image')} without a file_name")
    for key, same in by_id.items():
        for label in same if key is None or len(same) > 1 else ():
            label.error = (
                f"{path}: {label.image_name} has the id {key}, as other images have; correct the ids."
            )
    return images, by_id


def _box(
    annotation: dict[str, Any],
    what: str,
    names: dict[Any, str],
    doubtful: set[Any],
    image: ImageLabel,
    notes: list[str],
) -> LabelBox | None:
    key = _key(annotation.get("category_id"))
    if key in doubtful:
        raise BadEntry(f"category {key} has two names")
    if key not in names:
        if key is None and names:
            raise BadEntry("it has no category_id")
        if not names and not annotation.get("bbox") and not annotation.get("segmentation"):
            return None  # such as a caption, which marks nothing
        if names:
            where = f"{image.file}, {what} (of {image.image_name})"
            image.nameless.setdefault(str(key), f"{where}: there is no category {key!r} in it")
        else:
            image.unnamed, image.classes = True, None
    name = names.get(key, str(key))
    bbox, outline = annotation.get("bbox"), annotation.get("segmentation")
    crowd = bool(number(annotation.get("iscrowd") or 0, "iscrowd")) or bool(annotation.get("ignore"))
    if isinstance(bbox, list) and bbox:
        if len(bbox) != 4:
            raise BadEntry(f"bbox has {len(bbox)} numbers instead of 4")
        x, y, w, h = (number(value, "bbox", notes) for value in bbox)
        mode = annotation.get("bbox_mode", 1)
        if mode not in (0, 1):
            raise BadEntry(f"bbox_mode is {str(mode)[:40]!r}; 0 (corners) and 1 (x y w h) are read")
        if mode == 0:
            w, h = w - x, h - y
        if w <= 0 or h <= 0:
            raise BadEntry("bbox has no width or height")
        return LabelBox(name, (x, y, x + w, y + h), crowd=crowd)
    if bbox not in (None, []):
        raise BadEntry(f"bbox is {str(bbox)[:40]!r} instead of four numbers")
    if not outline:
        raise BadEntry("it has neither bbox nor segmentation")
    return LabelBox(name, _around(outline, notes), crowd=crowd)


def _around(outline: Any, notes: list[str]) -> tuple[float, float, float, float]:
    """The box around polygons, or around an uncompressed mask."""
    if isinstance(outline, list):
        rings = outline if isinstance(outline[0], list) else [outline]
        if not all(isinstance(ring, list) for ring in rings):
            raise BadEntry("segmentation is not a list of polygons")
        numbers = [[number(value, "segmentation", notes) for value in ring] for ring in rings]
        if any(len(ring) < 6 or len(ring) % 2 for ring in numbers):
            raise BadEntry("segmentation is not a polygon")
        return around([point for ring in numbers for point in zip(ring[::2], ring[1::2], strict=True)])
    if problem := forms.misfit(outline, _Mask):
        raise BadEntry(f"segmentation is not a mask: {problem}")
    height, width = (int(number(value, "size")) for value in outline["size"])
    if not (0 < height <= MAX_MASK_PX and 0 < width <= MAX_MASK_PX // height):
        raise BadEntry(f"segmentation has the size {height} x {width}")
    counts = outline["counts"]
    if isinstance(counts, list):
        return _around_runs([int(number(value, "counts")) for value in counts], height, width)
    from faster_coco_eval.core import mask as masks  # here: a start without it is faster

    try:
        x, y, w, h = map(float, masks.toBbox({"size": [height, width], "counts": counts}))
    except (ValueError, RuntimeError) as error:
        raise BadEntry(f"segmentation is not a mask: {str(error).rstrip('.')}") from error
    if w > 0 and h > 0:
        return x, y, x + w, y + h
    raise BadEntry(NOTHING)


def _around_runs(counts: list[int], height: int, width: int) -> tuple[float, float, float, float]:
    """The box around an uncompressed mask: lengths of runs down its columns, by turns outside and inside."""
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise BadEntry("segmentation does not fit its size")
    mask = np.repeat(np.arange(len(counts)) % 2, counts).reshape(width, height)
    xs, ys = np.nonzero(mask)
    if len(xs):
        return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)
    raise BadEntry(NOTHING)
