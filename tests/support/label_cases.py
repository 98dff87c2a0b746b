"""Small labelled folders in the forms of other tools, and what is right to import of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vector_tl.data import dataset
from vector_tl.data.images import image_size
from vector_tl.errors import UserError
from vector_tl.labels.importing import import_data
from vector_tl.labels.settings import ImportSettings

SIZE = (64, 36)
LINE = "0 0.5 0.5 0.5 0.5\n"  # BOX
BOX = [16.0, 9.0, 48.0, 27.0]
OTHER = [2.0, 2.0, 12.0, 12.0]
NONE: list = []


def image(path: Path, seed: int = 0, size: tuple[int, int] = SIZE, **save) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = cv2.resize(rng.integers(0, 255, (9, 16, 3), dtype=np.uint8), size)
    Image.fromarray(pixels).save(path, **save)


def put(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def coco(path: Path, listed, boxes, names=("vector",), **more) -> None:
    """`listed` are names of images; `boxes` are (image, class, corners, more)."""
    table = {
        "images": [
            {"id": i, "file_name": name, "width": SIZE[0], "height": SIZE[1]} for i, name in enumerate(listed)
        ],
        "annotations": [
            {"id": k, "image_id": i, "category_id": c, "bbox": _xywh(corners), "iscrowd": 0} | about
            for k, (i, c, corners, about) in enumerate(boxes)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
    }
    put(path, json.dumps(table | more))


def _xywh(corners):
    return corners and [corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]]


def voc(path: Path, filename: str, /, *boxes, name: str = "vector", root: str = "annotation", **more) -> None:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax>"
        f"<ymax>{y2}</ymax></bndbox></object>"
        for x1, y1, x2, y2 in boxes
    )
    size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>"
    more = "".join(f"<{tag}>{text}</{tag}>" for tag, text in more.items())
    put(path, f"<{root}>{more}<filename>{filename}</filename>{size}{objects}</{root}>")


def labelme(path: Path, name: str, *shapes, **more) -> None:
    shapes = [
        {"label": label, "points": points, "shape_type": kind, "flags": {}} for label, kind, points in shapes
    ]
    about = {"version": "5.4.1", "shapes": shapes, "imagePath": name, "imageData": None}
    put(path, json.dumps(about | {"imageWidth": SIZE[0], "imageHeight": SIZE[1]} | more))


def cvat(path: Path, images: str, labels: str = "vector") -> None:
    names = "".join(f"<label><name>{label}</name></label>" for label in labels.split())
    meta = f"<meta><task><labels>{names}</labels></task></meta>"
    put(path, f"<?xml version='1.0'?><annotations><version>1.1</version>{meta}{images}</annotations>")


def cvat_image(name: str, box=None, label: str = "vector", **more) -> str:
    about = "".join(f" {key}='{value}'" for key, value in more.items())
    shape = (
        f"<box label='{label}' xtl='{box[0]}' ytl='{box[1]}' xbr='{box[2]}' ybr='{box[3]}'/>" if box else ""
    )
    return f"<image id='0' name='{name}' width='{SIZE[0]}' height='{SIZE[1]}'{about}>{shape}</image>"


def studio(path: Path, *tasks) -> None:
    put(path, json.dumps([{"id": i} | task for i, task in enumerate(tasks)]))


def studio_task(name: str, *boxes, label: str = "vector", kind: str = "rectanglelabels") -> dict:
    result = [
        {
            "type": kind,
            "original_width": SIZE[0],
            "original_height": SIZE[1],
            "value": {
                "x": 100 * x1 / SIZE[0],
                "y": 100 * y1 / SIZE[1],
                "width": 100 * (x2 - x1) / SIZE[0],
                "height": 100 * (y2 - y1) / SIZE[1],
                "rotation": 0,
                kind: [label],
            },
        }
        for x1, y1, x2, y2 in boxes
    ]
    return {"data": {"image": name}, "annotations": [{"result": result, "was_cancelled": False}]}


@dataclass
class Case:
    """An input, and what is right: image name -> boxes (None: not labelled), or words of a refusal."""

    make: Callable[[Path], None]
    right: dict | None = None
    refused: str = ""
    skipped: str = ""  # words of a reason
    noted: str = ""  # words of a note, an unused label file or another file
    splits: dict = field(default_factory=dict)  # image name -> split
    classes: tuple = ()


def yolo(f: Path, text: str = LINE, image_at: str = "images/a.jpg", label_at: str = "labels/a.txt") -> None:
    image(f / image_at)
    put(f / label_at, text)


def several(*steps: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(f: Path) -> None:
        for step in steps:
            step(f)

    return make


def also(path: str, text: str, encoding: str = "utf-8") -> Callable[[Path], None]:
    return lambda f: put(f / path, text, encoding)


def an_image(path: str, seed: int = 0, **more) -> Callable[[Path], None]:
    return lambda f: image(f / path, seed, **more)


TWO = "0 0.1 0.1 0.1 0.1\n1 0.5 0.5 0.5 0.5\n"  # class 1 is BOX


def check_case(case: Case, tmp_path: Path) -> None:
    """Import what a case makes; every label is at its image, or its file is named."""
    source, data = tmp_path / "k", tmp_path / "data"
    case.make(source)
    settings = ImportSettings(source=source, data=data, classes=case.classes)
    if case.refused:
        with pytest.raises(UserError, match=case.refused.replace("(", r"\(")):
            import_data(settings)
        assert not list(data.glob("images/*"))
        return
    result = import_data(settings)
    splits, found, where = dataset.read_splits(data), {}, {}
    images = dataset.list_images(data)
    for (session, image_name), path in images.items():
        boxes = dataset.read_labels(dataset.label_path(data, session, image_name))
        size_wh = image_size(path.read_bytes(), str(path))
        key = image_name if image_name in case.right else f"{session}/{image_name}"
        found[key] = None if boxes is None else sorted((boxes * [*size_wh, *size_wh]).round(3).tolist())
        where[key] = splits.get(session)
    assert found.keys() == case.right.keys()
    for key, boxes in case.right.items():
        assert (found[key] is None) == (boxes is None), key
        if boxes is not None:
            assert np.allclose(np.reshape(found[key], (-1, 4)), np.reshape(sorted(boxes), (-1, 4)), atol=0.01)
    reasons = " ".join(entry["why"] for entry in result["skipped"])
    assert case.skipped in reasons if case.skipped else not result["skipped"]
    plan = result["plan"]
    notes = [*plan["notes"], *(entry["why"] for entry in plan["unused_label_files"]["files"])]
    assert (
        case.noted in " ".join(notes)
        if case.noted
        else not plan["unused_label_files"]["count"] or case.skipped
    )
    assert {key: where[key] for key in case.splits} == case.splits
