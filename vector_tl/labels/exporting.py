"""`vector-tl label export`: the labelled images in the forms that other tools read.

An image's session is kept in its file name, so that a later import finds it again.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from vector_tl import __version__
from vector_tl.data.boxes import areas, to_pixels, to_xywh
from vector_tl.data.dataset import DEFAULT_SPLIT, SPLITS, Item, load_dataset, read_splits
from vector_tl.data.images import (
    decode_image,
    encode_jpeg,
    encode_png,
    image_about,
    image_bytes,
    image_size,
)
from vector_tl.data.yolo import format_label
from vector_tl.errors import UserError, cannot_write
from vector_tl.files import refuse_existing, refuse_foreign
from vector_tl.labels.archive import pack
from vector_tl.labels.settings import ExportSettings
from vector_tl.labels.sources.own import MARKER, joined, marker_text
from vector_tl.parts import Part
from vector_tl.plain import counted, one_line
from vector_tl.progress import track

# Formats that are exported as they are, with their suffixes; others are written as JPEG or PNG.
PLAIN_FORMATS = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",), "WEBP": (".webp",)}
MAX_STEM_BYTES = 250  # of 255 that file systems take; the suffix comes on top
LABEL_CONFIG = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="vector"/></RectangleLabels>
</View>
"""
LOSSY_FORMATS, QUALITY = ("JPEG", "MPO", "WEBP", "HEIF", "AVIF", "JPEG2000"), 97


@dataclass(frozen=True)
class ExportImage:
    """An image to write; `boxes_xyxy` (N, 4) are float64 in its pixels, so that nothing is lost."""

    split: str
    stem: str
    suffix: str
    data: bytes
    size_wh: tuple[int, int]
    boxes_xyxy: np.ndarray

    @property
    def file_name(self) -> str:
        """The image's name with its suffix."""
        return self.stem + self.suffix


@dataclass
class Exporter:
    """Writes images in YOLO's form; what differs in other forms stands in the classes below."""

    folder: Path
    decimals: bool = False

    def add(self, image: ExportImage) -> None:
        """Write an image and its label."""
        _put(self.folder / "images" / image.split / image.file_name, image.data)
        text = format_label(image.boxes_xyxy, image.size_wh)
        _put(self.folder / "labels" / image.split / f"{image.stem}.txt", text)

    def finish(self) -> None:
        """Write what is written once for all images."""
        splits = [split for split in SPLITS if (self.folder / "images" / split).is_dir()]
        lines = "".join(f"{split}: images/{split}\n" for split in splits)
        _put(self.folder / "data.yaml", f"path: .\n{lines}nc: 1\nnames: [vector]\n")


@dataclass
class CocoExporter(Exporter):
    """A JSON file for each split, as Roboflow writes it."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, image: ExportImage) -> None:
        """Write an image and add its boxes to the table of its split."""
        category = {"id": 0, "name": "vector", "supercategory": "none"}
        empty: dict[str, Any] = {"images": [], "annotations": [], "categories": [category]}
        table = self.tables.setdefault(image.split, empty)
        width, height = image.size_wh
        image_id = len(table["images"])
        table["images"].append(
            {"id": image_id, "file_name": image.file_name, "width": width, "height": height}
        )
        boxes = image.boxes_xyxy
        for box, area in zip(to_xywh(boxes).tolist(), areas(boxes).tolist(), strict=True):
            about = {"id": len(table["annotations"]), "image_id": image_id, "category_id": 0}
            table["annotations"].append(about | {"bbox": box, "area": area, "iscrowd": 0})
        _put(self.folder / image.split / image.file_name, image.data)

    def finish(self) -> None:
        """Write the tables."""
        for split, table in self.tables.items():
            _put(self.folder / split / "_annotations.coco.json", json.dumps(table))


class VocExporter(Exporter):
    """An XML file for each image."""

    def add(self, image: ExportImage) -> None:
        """Write an image and its label."""
        width, height = image.size_wh
        root = ElementTree.Element("annotation")
        _add_texts(root, folder=image.split, filename=image.file_name)
        _add_texts(ElementTree.SubElement(root, "size"), width=width, height=height, depth=3)
        for x1, y1, x2, y2 in image.boxes_xyxy.tolist():
            numbers = (x1 + 1, y1 + 1, x2, y2)  # counted from 1, the last pixel inside
            if not self.decimals:
                left, top = min(_nearest(x1), width - 1), min(_nearest(y1), height - 1)
                numbers = (left + 1, top + 1, max(_nearest(x2), left + 1), max(_nearest(y2), top + 1))
            obj = ElementTree.SubElement(root, "object")
            _add_texts(obj, name="vector", pose="Unspecified", truncated=0, difficult=0)
            corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), numbers, strict=True))
            _add_texts(ElementTree.SubElement(obj, "bndbox"), **corners)
        ElementTree.indent(root)
        _put(self.folder / image.split / image.file_name, image.data)
        text = ElementTree.tostring(root, encoding="unicode")
        _put(self.folder / image.split / f"{image.stem}.xml", text)

    def finish(self) -> None:
        """Write nothing more."""


@dataclass
class HuggingFaceExporter(Exporter):
    """An image folder as Hugging Face's `datasets` loads it: a line of metadata.jsonl for each image."""

    lines: dict[str, list[str]] = field(default_factory=dict)

    def add(self, image: ExportImage) -> None:
        """Write an image and note its boxes, x, y, width, height in pixels."""
        boxes = to_xywh(image.boxes_xyxy).tolist()
        objects = {"bbox": boxes, "categories": [0 for _ in boxes]}
        width, height = image.size_wh
        about = {"file_name": image.file_name, "width": width, "height": height, "objects": objects}
        self.lines.setdefault(image.split, []).append(json.dumps(about) + "\n")
        _put(self.folder / image.split / image.file_name, image.data)

    def finish(self) -> None:
        """Write the lines of each split."""
        for split, lines in self.lines.items():
            _put(self.folder / split / "metadata.jsonl", "".join(lines))


@dataclass
class StudioExporter(Exporter):
    """Tasks for Label Studio, with annotations; it takes the images from its local storage."""

    tasks: list[dict[str, Any]] = field(default_factory=list)

    def add(self, image: ExportImage) -> None:
        """Write an image and note its boxes, in per cent of the image."""
        place = f"images/{image.split}/{image.file_name}"
        data = {"image": f"/data/local-files/?d={quote(place)}", "split": image.split}
        width, height = image.size_wh
        percent = np.asarray(image.boxes_xyxy) * 100 / np.tile(image.size_wh, 2)
        result = [
            {
                "id": f"box{number}",
                "type": "rectanglelabels",
                "from_name": "label",
                "to_name": "image",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {
                    **dict(zip(("x", "y", "width", "height"), box, strict=True)),
                    "rotation": 0,
                    "rectanglelabels": ["vector"],
                },
            }
            for number, box in enumerate(to_xywh(percent).tolist())
        ]
        self.tasks.append({"data": data, "annotations": [{"result": result}]})
        _put(self.folder / place, image.data)

    def finish(self) -> None:
        """Write the tasks, and the labelling interface that they are for."""
        _put(self.folder / "tasks.json", json.dumps(self.tasks))
        _put(self.folder / "label_config.xml", LABEL_CONFIG)


EXPORTERS = {
    "yolo": Exporter,
    "coco": CocoExporter,
    "voc": VocExporter,
    "huggingface": HuggingFaceExporter,
    "labelstudio": StudioExporter,
}


def export_data(settings: ExportSettings) -> dict[str, Any]:
    """Write all labelled images, divided as the sessions are.

    Returns:
        {"out", "format", "images", "boxes", "unlabelled"}; unlabelled images are left out.

    Raises:
        UserError: OUT exists already, or is a folder with something else than an export in it, an image is
            broken, or OUT cannot be written; nothing is left then, and an existing OUT is as it was.
    """
    refuse_existing(settings.out, settings.overwrite)
    if settings.out.is_dir():
        refuse_foreign(settings.out, MARKER, ("*",))
    everything, splits = load_dataset(settings.data, "all"), read_splits(settings.data)
    try:
        work = Part(settings.out, folder=True)
    except OSError as error:
        raise cannot_write(settings.out, error) from error
    try:
        new, boxes = work.path / "new", 0
        exporter = EXPORTERS[settings.format](new, settings.decimals)
        for item in track(everything.items, "label export", len(everything)):
            split, data = splits.get(item.session, DEFAULT_SPLIT), image_bytes(item.image_path)
            size_wh = image_size(data, str(item.image_path))
            data, suffix = _plain_image(data, item.image_path)
            boxes_xyxy = to_pixels([] if item.boxes_norm is None else item.boxes_norm, size_wh)
            stem = _name_for_others(item)
            exporter.add(ExportImage(split, stem, suffix, data, size_wh, boxes_xyxy))
            boxes += len(boxes_xyxy)
        exporter.finish()
        own = {item.session: splits.get(item.session, DEFAULT_SPLIT) for item in everything.items}
        _put(new / MARKER, marker_text(settings.format, __version__, own))
        if settings.out.suffix.lower() == ".zip":
            pack(new, settings.out)
        else:
            _replace(settings.out, new, work.path / "old")
    except OSError as error:
        raise cannot_write(settings.out, error) from error
    finally:
        work.drop()
    return {
        "out": str(settings.out),
        "format": settings.format,
        "images": len(everything),
        "boxes": boxes,
        "unlabelled": everything.unlabelled,
    }


def _replace(out: Path, new: Path, old: Path) -> None:
    """Give `new` the name `out`; what had it becomes `old`, and has it again where that cannot be done."""
    if not out.is_dir():
        new.rename(out)
        return
    out.rename(old)
    try:
        new.rename(out)
    except OSError:
        old.rename(out)
        raise


def _name_for_others(item: Item) -> str:
    """An image's name in an export.

    Raises:
        UserError: text lists, XML and zips cannot hold it, or files cannot be called so.
    """
    stem = joined(item.session, item.name)
    if len(stem.encode("utf-8", "surrogateescape")) > MAX_STEM_BYTES:
        raise UserError(
            f"{item.image_path} cannot be exported: its session and name together are longer than "
            f"{MAX_STEM_BYTES} bytes; rename it, and its label."
        )
    if one_line(stem) != stem:
        raise UserError(
            f"{item.image_path} cannot be exported: its name or session holds control characters or is not "
            "UTF-8; rename it, and its label."
        )
    return stem


def _plain_image(data: bytes, path: Path) -> tuple[bytes, str]:
    """An image as every reader shows it, and its suffix: upright, in a format that all of them read."""
    form, orientation = image_about(data, str(path))
    if form in PLAIN_FORMATS and orientation == 1:
        return data, path.suffix if path.suffix.lower() in PLAIN_FORMATS[form] else PLAIN_FORMATS[form][0]
    image = decode_image(data, str(path))
    if form in LOSSY_FORMATS:
        return encode_jpeg(image, QUALITY), ".jpg"
    return encode_png(image), ".png"


def _put(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def _add_texts(parent: ElementTree.Element, **values: object) -> None:
    for tag, value in values.items():
        ElementTree.SubElement(parent, tag).text = str(value)


def _nearest(value: float) -> int:
    return int(np.floor(value + 0.5))


def describe(result: dict[str, Any]) -> str:
    """The result of `label export` for a person."""
    left = result["unlabelled"]
    left_out = f"; {counted(left, 'image')} without labels left out" if left else ""
    return (
        f"{counted(result['images'], 'image')} with {counted(result['boxes'], 'box', 'boxes')} written to "
        f"{result['out']} in the format {result['format']}{left_out}."
    )
