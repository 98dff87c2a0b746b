"""`vector-tl label export`: the labelled images as YOLO, COCO or Pascal VOC, each image's session kept in its file name."""

import json
import shutil
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from vector_tl.data.boxes import to_pixels, to_xywh
from vector_tl.data.dataset import DEFAULT_SPLIT, Item, load_dataset, read_splits
from vector_tl.data.images import image_size
from vector_tl.data.yolo import format_label
from vector_tl.errors import UserError
from vector_tl.files import refuse_existing
from vector_tl.labels.archive import pack, remove
from vector_tl.labels.importing import JOINT
from vector_tl.labels.settings import ExportSettings


def export_data(settings: ExportSettings) -> dict:
    """Write all labelled images, divided as the sessions are.

    Returns:
        {"out", "format", "images", "boxes", "unlabelled"}; unlabelled images are left out.

    Raises:
        UserError: OUT is there already, an image is broken, or it cannot be written; nothing is left half-written.
    """
    refuse_existing(settings.out, settings.overwrite)
    everything, splits = load_dataset(settings.data, "all"), read_splits(settings.data)
    try:
        settings.out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{settings.out.name}.", dir=settings.out.parent))
    except OSError as error:
        raise UserError(f"Cannot write {settings.out}: {error.strerror}.") from error
    try:
        new = work / "new"
        tables: dict[str, dict] = {}
        boxes = 0
        for item in everything.items:
            split = splits.get(item.session, DEFAULT_SPLIT)
            data = item.image_path.read_bytes()
            size = image_size(data, str(item.image_path))
            corners = to_pixels(item.boxes_norm, size)  # in double precision: nothing is lost on the way
            WRITERS[settings.format](new, split, item, data, size, corners, tables, settings.decimals)
            boxes += len(corners)
        for split, table in tables.items():
            (new / split / "_annotations.coco.json").write_text(json.dumps(table), encoding="utf-8")
        if settings.format == "yolo":
            lines = [
                f"{split}: images/{split}\n"
                for split in ("train", "val", "test")
                if (new / "images" / split).is_dir()
            ]
            (new / "data.yaml").write_text("path: .\n" + "".join(lines) + "nc: 1\nnames: [vector]\n")
        if settings.out.suffix.lower() == ".zip":
            pack(new, settings.out)
        else:
            if settings.out.is_dir():
                remove(settings.out)
            new.rename(settings.out)
    except OSError as error:
        raise UserError(f"Cannot write {settings.out}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return {
        "out": str(settings.out),
        "format": settings.format,
        "images": len(everything),
        "boxes": boxes,
        "unlabelled": everything.unlabelled,
    }


def _file(item: Item) -> str:
    return f"{item.session}{JOINT}{item.name}{item.image_path.suffix}"


def _put(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def _write_yolo(
    new: Path,
    split: str,
    item: Item,
    data: bytes,
    size: tuple[int, int],
    corners: np.ndarray,
    _tables: dict,
    _decimals: bool,
) -> None:
    _put(new / "images" / split / _file(item), data)
    _put(new / "labels" / split / f"{item.session}{JOINT}{item.name}.txt", format_label(corners, size))


def _write_coco(
    new: Path,
    split: str,
    item: Item,
    data: bytes,
    size: tuple[int, int],
    corners: np.ndarray,
    tables: dict,
    _decimals: bool,
) -> None:
    empty = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 0, "name": "vector", "supercategory": "none"}],
    }
    table = tables.setdefault(split, empty)
    image_id = len(table["images"])
    table["images"].append({"id": image_id, "file_name": _file(item), "width": size[0], "height": size[1]})
    for box in to_xywh(corners).tolist():
        number = len(table["annotations"])
        table["annotations"].append(
            {
                "id": number,
                "image_id": image_id,
                "category_id": 0,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
        )
    _put(new / split / _file(item), data)


def _write_voc(
    new: Path,
    split: str,
    item: Item,
    data: bytes,
    size: tuple[int, int],
    corners: np.ndarray,
    _tables: dict,
    decimals: bool,
) -> None:
    root = ElementTree.Element("annotation")
    for key, value in (("folder", split), ("filename", _file(item))):
        ElementTree.SubElement(root, key).text = value
    sizes = ElementTree.SubElement(root, "size")
    for key, value in (("width", size[0]), ("height", size[1]), ("depth", 3)):
        ElementTree.SubElement(sizes, key).text = str(value)
    for x1, y1, x2, y2 in corners.tolist():
        obj = ElementTree.SubElement(root, "object")
        for key, value in (
            ("name", "vector"),
            ("pose", "Unspecified"),
            ("truncated", "0"),
            ("difficult", "0"),
        ):
            ElementTree.SubElement(obj, key).text = value
        frame = ElementTree.SubElement(obj, "bndbox")
        numbers = (x1 + 1, y1 + 1, x2, y2)  # counted from 1, the last pixel inside
        if not decimals:
            low = [min(int(np.floor(x1 + 0.5)), size[0] - 1), min(int(np.floor(y1 + 0.5)), size[1] - 1)]
            numbers = (
                low[0] + 1,
                low[1] + 1,
                max(int(np.floor(x2 + 0.5)), low[0] + 1),
                max(int(np.floor(y2 + 0.5)), low[1] + 1),
            )
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), numbers, strict=True):
            ElementTree.SubElement(frame, key).text = repr(value)
    ElementTree.indent(root)
    _put(new / split / _file(item), data)
    _put(
        new / split / f"{item.session}{JOINT}{item.name}.xml", ElementTree.tostring(root, encoding="unicode")
    )


WRITERS = {"yolo": _write_yolo, "coco": _write_coco, "voc": _write_voc}
