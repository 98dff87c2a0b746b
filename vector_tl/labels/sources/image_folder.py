"""Hugging Face's image folders: `metadata.jsonl`, a line of JSON for each image, beside the images."""

import json
from pathlib import PurePosixPath
from typing import Any

from vector_tl.data.yolo import CLASS_NAMES
from vector_tl.labels.sources.records import BadEntry, ImageLabel, LabelBox, LabelFile, number, size_of

FORM, FILE_NAME = "huggingface", "metadata.jsonl"
NAMES = ("categories", "category", "labels", "label", "category_id")  # what the classes are called there


def read_image_folder(path: PurePosixPath, text: str, own: bool) -> LabelFile:
    """The boxes of each line, x, y, width and height in pixels.

    Args:
        path: the file.
        text: its content.
        own: whether an export of ours holds it, whose class 0 is the Vector.
    """
    found = LabelFile(path, FORM)
    for position, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}, line {position}"
        try:
            row = json.loads(line)
            name, objects = row["file_name"], row.get("objects")
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            found.error = f"{where} is not JSON that names an image's file_name; correct it."
            return found
        if not isinstance(objects, dict):  # of a dataset of captions or classes
            found.notes.append(f"{where} has no objects, and the image no label")
            continue
        label = ImageLabel(path, where, FORM, str(name))
        label.size_wh = size_of(row.get("width"), row.get("height"))
        try:
            label.boxes, label.unnamed = _boxes(objects, own)
        except BadEntry as error:
            label.error = f"{where}: {error}; correct it."
        found.images.append(label)
    found.classes = sorted({box.class_name for label in found.images for box in label.boxes})
    if own:
        found.classes = list(CLASS_NAMES)
    return found


def _boxes(objects: dict[str, Any], own: bool) -> tuple[list[LabelBox], bool]:
    rows = objects.get("bbox")
    classes = next((objects[name] for name in NAMES if name in objects), None)
    if not isinstance(rows, list) or not isinstance(classes, list) or len(rows) != len(classes):
        raise BadEntry("objects needs bbox and categories, lists of the same length")
    boxes, unnamed = [], False
    for row, given in zip(rows, classes, strict=True):
        if not isinstance(row, list) or len(row) != 4:
            raise BadEntry("a bbox is not x, y, width, height")
        x, y, width, height = (number(value, "bbox") for value in row)
        unnamed |= not own and isinstance(given, int)
        name = CLASS_NAMES[0] if own and given == 0 else str(given)
        boxes.append(LabelBox(name, (x, y, x + width, y + height)))
    return boxes, unnamed
