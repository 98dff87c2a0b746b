"""Formats in JSON beside COCO: labelme's file for each image, and Label Studio's export of all tasks."""

import math
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from vector_tl.labels.sources.records import (
    BadEntry,
    ImageLabel,
    LabelBox,
    LabelFile,
    around,
    number,
    points_of,
    size_of,
    turned_box,
)
from vector_tl.plain import counted

LABELME, STUDIO = "labelme", "labelstudio"
REGIONS = {
    "rectanglelabels": "rectangle",
    "polygonlabels": "polygon",
    "ellipselabels": "ellipse",
    "brushlabels": "brush",
    "keypointlabels": "keypoint",
}


def is_labelme(table: Any) -> bool:
    """Whether a JSON value is labelme's: shapes of one image."""
    return isinstance(table, dict) and isinstance(table.get("shapes"), list)


def read_labelme(path: PurePosixPath, table: dict[str, Any]) -> LabelFile:
    """The shapes of one image; each becomes the box around it."""
    found = LabelFile(path, LABELME)
    label = ImageLabel(path, str(path), LABELME, str(table.get("imagePath") or ""))
    label.size_wh = size_of(table.get("imageWidth"), table.get("imageHeight"))
    flags = table.get("flags")
    label.whole = (
        {str(flag) for flag, on in flags.items() if on is True} if isinstance(flags, dict) else set()
    )
    for position, shape in enumerate(table["shapes"], 1):
        try:
            if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
                raise BadEntry("it has no label")
            corners = _labelme_corners(shape, found.notes)
            label.boxes.append(LabelBox(shape["label"].strip(), corners))
        except BadEntry as error:
            label.error = f"{path}, shape {position}: {error}; correct it."
            break
    found.classes = sorted({box.class_name for box in label.boxes})
    found.images = [label]
    return found


def _labelme_corners(shape: dict[str, Any], notes: list[str]) -> tuple[float, float, float, float]:
    kind = shape.get("shape_type") or "polygon"
    points = points_of(shape.get("points"), "points", notes)
    if kind == "circle" and len(points) == 2:
        (x, y), (edge_x, edge_y) = points
        radius = math.hypot(edge_x - x, edge_y - y)
        return x - radius, y - radius, x + radius, y + radius
    if kind in ("point", "points", "line", "linestrip"):
        raise BadEntry(f"a {kind} is not a box")
    return around(points)


def is_studio(table: Any) -> bool:
    """Whether a JSON value is Label Studio's: tasks with annotations, or its short form (JSON-MIN)."""
    return (
        isinstance(table, list)
        and bool(table)
        and all(isinstance(task, dict) for task in table)
        and any(
            isinstance(task.get("data"), dict) and ("annotations" in task or "completions" in task)
            for task in table
        )
        or _is_short(table)
    )


def _is_short(table: Any) -> bool:
    return (
        isinstance(table, list)
        and bool(table)
        and any(
            isinstance(task, dict)
            and isinstance(task.get("image"), str)
            and any(_is_regions(value) for value in task.values())
            for task in table
        )
    )


def _is_regions(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(v, dict) and REGIONS.keys() & v.keys() for v in value)


def read_studio(path: PurePosixPath, table: list[dict[str, Any]]) -> LabelFile:
    """All tasks that somebody submitted; what a model predicted is no label."""
    found = LabelFile(path, STUDIO)
    skipped = 0
    for position, task in enumerate(table, 1):
        name = _image_name(task)
        where = f"{path}, task {task.get('id', position)}"
        if not name:
            skipped += 1
            continue
        answers = task.get("annotations", task.get("completions"))
        if answers is None and not isinstance(task.get("data"), dict):
            lists = [value for value in task.values() if _is_regions(value)]
            answers = [{"result": [_long_region(region) for region in lists[0]]}] if lists else []
        submitted = [
            answer
            for answer in answers or []
            if isinstance(answer, dict)
            and not answer.get("was_cancelled")
            and not answer.get("ground_truth_skipped")
        ]
        for answer in submitted:
            label = _studio_label(path, where, name, answer, found.notes)
            label.split = _split_of_task(task)
            found.images.append(label)
        if not submitted:
            skipped += 1
    if skipped:
        found.notes.append(f"{skipped} tasks have no image or nothing that somebody submitted")
    found.classes = sorted({box.class_name for label in found.images for box in label.boxes})
    if not found.classes and any(label.whole for label in found.images):
        found.notes.append("it holds choices for whole images and no regions, so nothing of it is used")
        for label in found.images:
            label.classes = frozenset()
    return found


def _long_region(region: Any) -> dict[str, Any]:
    kind = next((key for key in REGIONS if isinstance(region, dict) and key in region), "")
    return {"type": kind, "value": region} | ({} if not isinstance(region, dict) else region)


def _image_name(task: dict[str, Any]) -> str:
    """The image of a task: the last part of its address, with folders where they say something."""
    data = task.get("data") if isinstance(task.get("data"), dict) else task
    values = [data.get("image"), *data.values()] if isinstance(data, dict) else []
    for value in values:
        if isinstance(value, str) and re.search(r"\.\w{3,4}($|[?&#])", value):
            address = urlsplit(value)
            if "/data/upload/" in address.path:  # a folder of Label Studio's own
                return unquote(PurePosixPath(address.path).name)
            if "d" in (asked := parse_qs(address.query)):
                return asked["d"][0]
            return unquote(address.path if address.scheme in ("http", "https", "s3", "gs", "file") else value)
    return ""


def _split_of_task(task: dict[str, Any]) -> str | None:
    data = task.get("data") if isinstance(task.get("data"), dict) else task
    split = (data.get("split") or data.get("subset")) if isinstance(data, dict) else None
    return split if isinstance(split, str) else None


def _studio_label(
    path: PurePosixPath, where: str, name: str, answer: dict[str, Any], notes: list[str]
) -> ImageLabel:
    label = ImageLabel(path, where, STUDIO, name)
    results = [
        r for r in answer.get("result") or [] if isinstance(r, dict) and isinstance(r.get("value"), dict)
    ]
    named = {r.get("id") for r in results if r.get("type") in (*REGIONS, "labels")}
    for region in results:
        kind, value = str(region.get("type")), region["value"]
        label.whole |= set(map(str, value.get("choices") or []))
        shape = _studio_shape(kind, value)
        if not shape or (kind in REGIONS.values() and region.get("id") in named):
            continue  # such as a choice for the whole image, or a rectangle whose labels stand beside it
        names = value.get(kind) or []
        label.size_wh = label.size_wh or size_of(region.get("original_width"), region.get("original_height"))
        try:
            if len(names) != 1:
                raise BadEntry(f"a region has {counted(len(names), 'label')}")
            if turn := number(region.get("image_rotation") or 0, "image_rotation") % 360:
                raise BadEntry(f"the image was turned by {turn:g} degrees when it was labelled")
            corners = _studio_corners(shape, value, label.size_wh or (1, 1), notes)
            label.boxes.append(LabelBox(str(names[0]).strip(), corners, normalised=True))
        except BadEntry as error:
            label.error = f"{where}: {error}; correct it."
            break
    return label


def _studio_shape(kind: str, value: dict[str, Any]) -> str:
    """The shape of a region; empty for what is none, such as a choice or a text."""
    if kind in REGIONS:
        return REGIONS[kind]
    if kind in REGIONS.values():
        return kind
    if kind != "labels":
        return ""
    keys = {"points": "polygon", "radiusX": "ellipse", "rle": "brush", "width": "rectangle"}
    return next((shape for key, shape in keys.items() if key in value), "")


def _studio_corners(
    kind: str, value: dict[str, Any], size_wh: tuple[int, int], notes: list[str]
) -> tuple[float, float, float, float]:
    """Corners in 0..1; Label Studio writes percent, and turns about the upper left corner, in pixels."""

    def share(key: str) -> float:
        return number(value.get(key), key, notes) / 100

    if kind == "rectangle":
        x, y, w, h = share("x"), share("y"), share("width"), share("height")
        degrees = number(value.get("rotation") or 0, "rotation", notes)
        if not degrees:
            return x, y, x + w, y + h
        wide, high = size_wh
        corners = turned_box(x * wide, y * high, w * wide, h * high, degrees)
        return around([(px / wide, py / high) for px, py in corners])
    if kind == "ellipse":
        x, y, rx, ry = share("x"), share("y"), share("radiusX"), share("radiusY")
        return x - rx, y - ry, x + rx, y + ry
    if kind == "polygon":
        return around([(x / 100, y / 100) for x, y in points_of(value.get("points"), "points", notes)])
    raise BadEntry(f"a {kind} region is not read; mark rectangles or polygons")
