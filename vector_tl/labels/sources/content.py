"""What a file of a source is by its content or name, before it is read: JSON, XML, text; names; a mask."""

import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from vector_tl.labels.sources.joining import words_of

SNIFFED_BYTES = 4096
LIMIT_BYTES = 200 * 2**20  # a label file of an unknown ending is no larger
# Words in the name of a file that holds names of classes; one of the first must be among them.
NAMES_WORDS = frozenset(["class", "classes", "names", "labels", "categories", "classnames", "darknet"])
NAMES_BESIDE = frozenset(["name", "label", "category", "obj", "predefined", "yolo", "vector", "list", "ids"])
MASK_WORDS = frozenset(
    ["mask", "masks", "segmentation", "segmentations", "segmentationclass", "segmentationobject", "semantic"]
)
MASK_END = re.compile(r"[-_ ]?(mask|seg|segmentation|gt)s?$", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def sniffed(path: Path) -> str:
    """`json`, `xml` or `text` by a file's beginning; empty for what is none of them, or no label's XML."""
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "ignore").encode()
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if b"\0" in head or path.stat().st_size > LIMIT_BYTES:
        return ""
    if head.startswith(b"<"):
        return "xml" if re.search(rb"<annotations?[\s>]", head) else ""
    return "json" if head.startswith((b"{", b"[")) else "text"


def is_names_file(file: PurePosixPath, text: str) -> bool:
    """Whether a text holds names of classes, by its own name; a list of paths does not."""
    words = set(words_of(file.stem))
    named = bool(words & NAMES_WORDS) and words <= NAMES_WORDS | NAMES_BESIDE
    return named and not re.search(r"\.(txt|xml|json|jpe?g|png|bmp|webp)\s*$", text, re.I | re.M)


def names_in_json(file: PurePosixPath, table: object) -> dict[int, str]:
    """Names of classes in a JSON that is named for them: a list, or numbers and names; empty otherwise."""
    words = set(words_of(file.stem)) - {"map", "labelmap"}
    if not words <= NAMES_WORDS | NAMES_BESIDE:
        return {}
    if isinstance(table, list) and all(isinstance(name, str) for name in table):
        return dict(enumerate(table))
    if not isinstance(table, dict) or not table:
        return {}
    if all(key.isdecimal() and isinstance(name, str) for key, name in table.items()):
        return {int(key): name.strip() for key, name in table.items()}
    numbers = list(table.values())
    if all(isinstance(n, int) and n >= 0 for n in numbers) and len(set(numbers)) == len(numbers):
        return {number: name for name, number in table.items()}
    return {}


def looks_like_table(text: str) -> bool:
    """Whether at least every fourth line holds four numbers or more: boxes in some form that is not read."""
    lines = [line for line in text.splitlines() if line.strip()]
    full = sum(
        sum(bool(NUMBER.fullmatch(word)) for word in re.split(r"[\s,;:]+", line)) >= 4 for line in lines
    )
    return 0 < len(lines) <= 4 * full


def mask_of(image: PurePosixPath, stems: Collection[str]) -> bool:
    """Whether an image is another's mask: it says so by its name or folder, and that image is there.

    Args:
        image: its path.
        stems: names, without endings, of images that lie in no folder for masks.
    """
    base = MASK_END.sub("", image.stem)
    in_folder = any(MASK_WORDS & set(words_of(part)) for part in image.parts[:-1])
    if in_folder:
        return image.stem in stems or base in stems
    return base != image.stem and bool(MASK_WORDS & set(words_of(image.stem))) and base in stems
