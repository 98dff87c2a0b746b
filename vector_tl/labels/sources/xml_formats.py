"""Formats in XML: Pascal VOC (LabelImg and many others) and "CVAT for images 1.1"."""

import re
from pathlib import PurePosixPath
from xml.etree import ElementTree

from vector_tl.errors import UserError
from vector_tl.labels.sources.records import (
    BadEntry,
    ImageLabel,
    LabelBox,
    LabelFile,
    around,
    number,
    size_of,
)

VOC, CVAT = "voc", "cvat"
SHAPES = ("bndbox", "robndbox", "box", "boundingbox", "bbox", "object", "polygon", "rectangle")


def parse_xml(path: PurePosixPath, data: bytes) -> ElementTree.Element:
    """The root of an XML file.

    Raises:
        UserError: it is not readable, or defines entities, which can grow without bound.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = re.sub(r"<\?xml[^>]*\?>", "", data.decode("utf-16", "replace")).encode()
    if re.search(rb"<!(DOCTYPE|ENTITY)", data, re.IGNORECASE):
        raise UserError(f"{path} defines entities, which no label needs; it is not read.")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path} is not readable XML ({error}); correct it.") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # without a namespace
    return root


def holds_shapes(root: ElementTree.Element) -> bool:
    """Whether an XML file of another form seems to hold labels."""
    return any(element.tag.lower() in SHAPES for element in root.iter())


def is_voc(root: ElementTree.Element) -> bool:
    """Whether a file is a Pascal VOC label: an object, or an image's name or size, right below the root."""
    if root.find("image") is not None or root.find("track") is not None:
        return False
    named = root.find("filename") is not None or root.find("size") is not None
    return root.find("object") is not None or named or root.tag.lower() == "annotation"


def is_cvat(root: ElementTree.Element) -> bool:
    """Whether a file is CVAT's own: images with shapes, or tracks of a video, below <annotations>."""
    return root.tag.lower() == "annotations" and (
        any(root.find(tag) is not None for tag in ("image", "track", "meta", "version"))
    )


def read_voc(path: PurePosixPath, root: ElementTree.Element) -> LabelFile:
    """The boxes of one image. Corners count from 1 in Pascal VOC, and the last pixel is inside."""
    found = LabelFile(path, VOC)
    label = ImageLabel(path, str(path), VOC, (root.findtext("filename") or "").strip())
    label.size_wh = size_of(root.findtext("size/width"), root.findtext("size/height"))
    path_there, folder = ((root.findtext(tag) or "").strip() for tag in ("path", "folder"))
    label.hints = tuple(hint for hint in (path_there, folder and f"{folder}/{label.image_name}") if hint)
    for position, thing in enumerate(root.findall("object"), 1):
        name = (thing.findtext("name") or "").strip()
        try:
            if not name:
                raise BadEntry("it has no name")
            label.boxes.append(LabelBox(name, _voc_corners(thing)))
        except BadEntry as error:
            label.error = f"{path}, object {position}: {error}; correct it."
            break
    found.classes = sorted({box.class_name for box in label.boxes})
    found.images = [label]
    return found


def _voc_corners(thing: ElementTree.Element) -> tuple[float, float, float, float]:
    box = thing.find("bndbox")
    if box is None:
        outline = thing.find("polygon")
        if outline is None:
            raise BadEntry("it has no bndbox")
        values = {part.tag.lower(): number((part.text or "").strip(), part.tag) for part in outline}
        xs = [value for tag, value in values.items() if tag.startswith("x")]
        ys = [value for tag, value in values.items() if tag.startswith("y")]
        if len(xs) != len(ys) or len(xs) < 3:
            raise BadEntry("its polygon is not one")
        return min(xs) - 1, min(ys) - 1, max(xs), max(ys)
    x1, y1, x2, y2 = (
        number((box.findtext(tag) or "").strip(), tag) for tag in ("xmin", "ymin", "xmax", "ymax")
    )
    if x2 < x1 or y2 < y1:
        raise BadEntry(f"its corners are the wrong way round ({x1:g} {y1:g} {x2:g} {y2:g})")
    return x1 - 1, y1 - 1, x2, y2


def read_cvat(path: PurePosixPath, root: ElementTree.Element) -> LabelFile:
    """All images of a task or project. Shapes of a video's tracks belong to no image and are not read."""
    found = LabelFile(path, CVAT)
    declared = {(label.findtext("name") or "").strip() for label in root.iterfind("meta//label")} - {""}
    images = root.findall("image")
    if tracks := len(root.findall("track")):
        found.notes.append(
            f"{tracks} tracks of a video are not read; export the task from CVAT as 'CVAT for images 1.1'"
        )
        if not images:
            found.error = f"{path} holds {found.notes[-1]}."
            return found
    for element in images:
        name = (element.get("name") or "").strip()
        label = ImageLabel(path, f"{path}, image {name}", CVAT, name)
        label.size_wh = size_of(element.get("width"), element.get("height"))
        label.split = element.get("subset")
        for shape in element:
            if not shape.get("label"):
                continue
            if shape.tag == "tag":
                label.whole.add(str(shape.get("label")).strip())
                continue
            class_name = str(shape.get("label")).strip()
            try:
                label.boxes.append(LabelBox(class_name, _cvat_corners(shape)))
            except BadEntry as error:
                label.error = f"{path}, image {name}, a {shape.tag} {class_name!r}: {error}; correct it."
        found.images.append(label)
    used = {box.class_name for label in found.images for box in label.boxes}
    found.classes = sorted(declared | used)
    for label in found.images:
        label.classes = frozenset(found.classes)
    return found


def _cvat_corners(shape: ElementTree.Element) -> tuple[float, float, float, float]:
    def value(key: str) -> float:
        return number(shape.get(key), key)

    if shape.tag == "box":
        x1, y1, x2, y2 = value("xtl"), value("ytl"), value("xbr"), value("ybr")
        degrees = number(shape.get("rotation") or 0, "rotation")
        if degrees:
            return around(_turned_about_centre((x1, y1, x2, y2), degrees))
        return around([(x1, y1), (x2, y2)])
    if shape.tag == "mask":
        left, top = value("left"), value("top")
        return left, top, left + value("width"), top + value("height")
    if shape.tag == "ellipse":
        cx, cy, rx, ry = value("cx"), value("cy"), value("rx"), value("ry")
        return cx - rx, cy - ry, cx + rx, cy + ry
    if shape.tag in ("polygon", "polyline", "cuboid") and shape.get("points"):
        pairs = [point.split(",") for point in str(shape.get("points")).split(";")]
        if any(len(pair) != 2 for pair in pairs):
            raise BadEntry("points are not pairs")
        return around([(number(x, "points"), number(y, "points")) for x, y in pairs])
    raise BadEntry(f"a {shape.tag} is not a box")


def _turned_about_centre(
    corners: tuple[float, float, float, float], degrees: float
) -> list[tuple[float, float]]:
    import math

    x1, y1, x2, y2 = corners
    cx, cy, cos, sin = (
        (x1 + x2) / 2,
        (y1 + y2) / 2,
        math.cos(math.radians(degrees)),
        math.sin(math.radians(degrees)),
    )
    return [
        (cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos)
        for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    ]
