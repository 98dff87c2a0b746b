"""Which image a label is for: parts of paths are compared, never ends of text, and nothing is guessed.

A label that fits several images equally well, or only one whose folder says something else, is for none.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from vector_tl.labels.sources.classes import VECTOR_WORDS

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "evaluation": "val",
    "test": "test",
    "testing": "test",
}
# Words in the names of folders that say what kind of files lie there, not whose.
KIND_WORDS = frozenset(
    [
        "image",
        "images",
        "img",
        "imgs",
        "photo",
        "photos",
        "pic",
        "pics",
        "frame",
        "frames",
        "jpegimages",
        "jpeg",
        "jpegs",
        "jpg",
        "jpgs",
        "png",
        "pngs",
        "label",
        "labels",
        "annotation",
        "annotations",
        "annotated",
        "ann",
        "anns",
        "anno",
        "annos",
        "txt",
        "txts",
        "xml",
        "xmls",
        "json",
        "jsons",
        "coco",
        "yolo",
        "voc",
        "cvat",
        "labelme",
        "labelstudio",
        "box",
        "boxes",
        "bbox",
        "bboxes",
        "bounding",
        "data",
        "dataset",
        "datasets",
        "obj",
        "default",
        "upload",
        "uploads",
        "local",
        "files",
        "raw",
        "instances",
        "imagesets",
        "main",
        "set",
        "export",
        "result",
        "results",
        "rgb",
        "gt",
        "ground",
        "truth",
    ]
)
LIST_WORDS = frozenset(["list", "lists", "filelist", "files", "ids", "names", "index", "split", "splits"])
UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the names of images

Parts = tuple[str, ...]


def parts_of(path: PurePosixPath | str) -> Parts:
    """The parts of a path, composed as one character where a file system may have taken them apart."""
    return tuple(unicodedata.normalize("NFC", part) for part in PurePosixPath(path).parts)


def written_parts(name: str) -> Parts:
    """The parts of a path or address as some label file writes it, on whatever system; '..' stays."""
    name = name.strip()
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", name):
        name = unquote(urlsplit(name).path)
    name = re.sub(r"^/(?=[A-Za-z]:/)", "", name.replace("\\", "/"))
    name = re.sub(r"^[A-Za-z]:(?=/)", "", name)
    return tuple(part for part in parts_of(name) if part not in ("/", "."))


def words_of(part: str) -> list[str]:
    """The words of a folder's or file's name, in lower case."""
    return [word for word in re.split(r"[\W_]+", part.lower()) if word]


def split_of_words(part: str) -> str | None:
    """The split that a folder's name says: train, val2017, train_images; None with other words."""
    found = set()
    for word in words_of(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", part)):
        if split := _split_of_word(word):
            found.add(split)
        elif word not in KIND_WORDS and not re.fullmatch(r"v?\d+", word):
            return None
    return found.pop() if len(found) == 1 else None


def _split_of_word(word: str) -> str | None:
    """The split of train, val2017, testset."""
    plain = re.sub(r"\d+$", "", word)
    return SPLITS.get(plain) or SPLITS.get(plain.removesuffix("set"))


def split_of_list(stem: str) -> str | None:
    """The split that the name of a list of images says: train, train_list, ids-val."""
    return split_of_words("_".join(word for word in words_of(stem) if word not in LIST_WORDS))


def split_in_file_name(stem: str) -> str | None:
    """The split that the name of a label file says, among whatever words: instances_train2017."""
    found = {split for word in words_of(stem) if (split := _split_of_word(word))}
    return found.pop() if len(found) == 1 else None


def split_of_label_file(stem: str) -> str | None:
    """The split of all that a label file speaks of: instances_train2017, but not toy_train_kitchen."""
    return split_in_file_name(stem) if not core_of_stem(stem).strip("0123456789_-. ") else None


def splits_of_folders(parts: Iterable[str]) -> set[str]:
    """The splits that the folders of a path say."""
    return {split for part in parts if (split := split_of_words(part))}


def says_nothing(part: str) -> bool:
    """Whether a folder's name says only what kind of files lie there."""
    words = words_of(part)
    return all(word in KIND_WORDS for word in words)


def core_of(part: str) -> str:
    """What a folder's name says but for the kind of files: kitchen of kitchen_images; '' of images."""
    pieces = re.findall(r"[\W_]*[^\W_]+", part)
    kept = [piece for piece in pieces if words_of(piece)[0] not in KIND_WORDS]
    return re.sub(r"^[\W_]+", "", "".join(kept)).casefold()


def core_of_stem(stem: str) -> str:
    """What the name of a label file says but for kinds, splits and Vectors: office of instances_office."""
    pieces = re.findall(r"[\W_]*[^\W_]+", stem)
    kept = []
    for piece in pieces:
        word = words_of(piece)[0]
        if not {word, re.sub(r"(19|20)\d\d$", "", word)} & (KIND_WORDS | VECTOR_WORDS | SPLITS.keys()):
            kept.append(piece)
    return re.sub(r"^[\W_]+", "", "".join(kept)).casefold()


def cores_of(parts: Iterable[str]) -> Parts:
    """The cores of a path's folders, without those that only say a kind."""
    return tuple(core for part in parts if (core := core_of(part)))


def _is_joined(part: str) -> bool:
    """Whether a folder's name holds a word for a kind of files and others: kitchen_images."""
    return bool(core_of(part)) and any(word in KIND_WORDS for word in words_of(part))


def _is_same(a: str, b: str) -> bool:
    """Whether two folders' names are equal, but for a kind of files that one of them is joined with."""
    return a == b or ((_is_joined(a) or _is_joined(b)) and core_of(a) == core_of(b) != "")


@dataclass(frozen=True)
class Match:
    """The images that a label may be for: one, none (`why` says so), or several, which is none."""

    images: tuple[PurePosixPath, ...] = ()
    why: str = ""
    exact: bool = True  # the folders agree, but for what says the kind of files
    length: int = 0  # parts that agree

    @property
    def image(self) -> PurePosixPath | None:
        """The image, where there is exactly one."""
        return self.images[0] if len(self.images) == 1 else None


class ImageIndex:
    """The images of a source, to be found by what label files say of them."""

    def __init__(self, images: Iterable[PurePosixPath]):
        self.parts = {image: parts_of(image) for image in images}
        self._by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._holding = {parts[:-1] for parts in self.parts.values()}  # folders with images right in them
        self._folders: set[Parts] = set()  # that hold images, at any depth
        self._cores: set[Parts] = set()  # of these folders
        self._named: set[str] = set()  # the cores of their names
        self.splits: set[str] = set()
        for image, parts in self.parts.items():
            name = parts[-1]
            stem = PurePosixPath(name).stem
            self._by_name[name].append(image)
            self._by_name[_any_case(name)].append(image)
            self._by_stem[stem].append(image)
            self._by_stem[_any_case(stem)].append(image)
            if parts[:-1] not in self._folders:
                self._folders.update(parts[:end] for end in range(len(parts)))
                self._cores.update(cores_of(parts[:end]) for end in range(len(parts)))
                self._named.update(cores_of(parts[:-1]))
                self.splits |= splits_of_folders(parts[:-1])

    def has_stem(self, stem: str) -> bool:
        """Whether an image has this name without its ending, in any case."""
        return _any_case(unicodedata.normalize("NFC", stem)) in self._by_stem

    def by_name(self, written: str, file: PurePosixPath) -> Match:
        """The image that a label file names."""
        wanted = written_parts(written)
        if not wanted:
            return Match(why="names no image")
        near = parts_of(file)[:-1]
        found = self._candidates(self._by_name, wanted[-1])
        if not found and UPLOADED.match(wanted[-1]):
            found = self._candidates(self._by_name, UPLOADED.sub("", wanted[-1]))
            wanted = (*wanted[:-1], UPLOADED.sub("", wanted[-1]))
        if not found:
            return Match(why=f"names {written!r}, which is not there")
        if (exact := self._resolved(near, wanted)) in {self.parts[image] for image in found}:
            return Match(tuple(i for i in found if self.parts[i] == exact), length=len(wanted) + 1)
        wanted = tuple(part for part in wanted if part != "..")
        split = split_in_file_name(file.stem)
        place = core_of_stem(file.stem)  # instances_office.json speaks of office/, unless it says a folder
        place = "" if place not in self._named or cores_of(wanted[:-1]) else place
        best: list[tuple[PurePosixPath, int]] = []
        for image in found:
            parts = self.parts[image]
            agree = _agreeing(wanted[:-1], parts[:-1]) + 1
            left, over = wanted[:-agree], parts[: len(parts) - agree]
            if _contradict(left, over) or (not left and self._is_elsewhere(near, over)):
                continue
            if place and place not in cores_of(parts[:-1]) and PurePosixPath(parts[-1]).stem != file.stem:
                continue
            own = splits_of_folders(parts[:-1])
            if split in self.splits and own and split not in own:
                continue  # instances_train.json does not speak of val/
            best.append((image, agree))
        if not best:
            there = ", ".join(map(str, found[:2]))
            return Match(why=f"names {written!r}; {there} has that name, but lies in another folder")
        length = max(agree for _, agree in best)
        images = self._nearest([image for image, agree in best if agree == length], near, split)
        rest = [self.parts[image][: len(self.parts[image]) - length] for image in images]
        placed = length >= len(wanted) and all(_in_its_place(near, folder) for folder in rest)
        return Match(images, exact=placed, length=length)

    def at(self, written: str, file: PurePosixPath) -> Match | None:
        """The image at the path that a label file writes, counted from where it lies.

        Returns:
            None where the path says no folder, or one that holds no images here.
        """
        wanted = written_parts(written)
        path = self._resolved(parts_of(file)[:-1], wanted)
        if len(wanted) < 2 or path[:-1] not in self._holding:
            return None
        images = tuple(image for image in self._by_name.get(path[-1], ()) if self.parts[image] == path)
        return Match(
            images, "" if images else f"names {written!r}, which is not there", length=len(wanted) + 1
        )

    def is_of_another_folder(self, image: PurePosixPath, file: PurePosixPath, hint: str) -> bool:
        """Whether a hint names a folder that is here, and an image lies neither in it nor with its label.

        Folders that say a split do not count: images are often divided after they were labelled.
        """
        own, near = parts_of(image)[:-1], parts_of(file)[:-1]
        folder = written_parts(hint)[-2:-1]
        says = cores_of(folder)
        if not says or split_of_words(folder[0]) or says[0] not in self._named:
            return False
        return says[0] not in cores_of(own) and cores_of(own) != cores_of(near)

    def by_stem(self, file: PurePosixPath, hint: str = "") -> Match:
        """The image of a label file that is named as it is: in its place under images/, or nearest."""
        parts = parts_of(file)
        stem, near = PurePosixPath(parts[-1]).stem, parts[:-1]
        found = self._candidates(self._by_stem, stem)
        if not found:  # a.jpg.txt
            found = self._candidates(self._by_name, stem)
        if not found and UPLOADED.match(stem):
            found = self._candidates(self._by_stem, UPLOADED.sub("", stem))
        if not found:
            return Match(why="has no image of its name")
        fits = [image for image in found if not self._is_elsewhere(near, self.parts[image][:-1])]
        if not fits:
            return Match(why=f"has no image: {found[0]} has that name, but lies in another folder")
        images = self._nearest(fits, near, None)
        if len(images) > 1 and hint:
            named = written_parts(hint)[-1:]
            images = tuple(i for i in images if self.parts[i][-1:] == named) or images
        return Match(images, exact=all(_in_its_place(near, self.parts[i][:-1]) for i in images))

    def _candidates(self, table: dict[str, list[PurePosixPath]], name: str) -> list[PurePosixPath]:
        return table.get(name) or table.get(_any_case(name), [])

    def _resolved(self, near: Parts, wanted: Parts) -> Parts:
        resolved = list(near)
        for part in wanted:
            if part == "..":
                resolved = resolved[:-1]
            else:
                resolved.append(part)
        return tuple(resolved)

    def _is_elsewhere(self, near: Parts, over: Parts) -> bool:
        """Whether a label's folder belongs to other images than those of the folder `over`."""
        common = next(
            (i for i, (a, b) in enumerate(zip(near, over, strict=False)) if not _is_same(a, b)), None
        )
        common = min(len(near), len(over)) if common is None else common
        mine, theirs = list(near[common:]), list(over[common:])
        while mine and theirs and _is_same(mine[-1], theirs[-1]):
            mine.pop()
            theirs.pop()
        own = [part for part in mine if not says_nothing(part)]
        others = [part for part in theirs if not says_nothing(part)]
        if not own:
            return False
        if near[: common + 1] in self._folders:
            return True
        if others and _is_joined(own[0]):  # office_labels is not for kitchen_images
            known = cores_of([*near[:common], own[0]]) in self._cores
            if (known or _is_joined(others[0])) and not _is_same(own[0], others[0]):
                return True
        return bool([part for part in mine[1:] if not says_nothing(part)]) and bool(others)

    def _nearest(
        self, images: list[PurePosixPath], near: Parts, split: str | None
    ) -> tuple[PurePosixPath, ...]:
        """Of images that fit, the one that lies nearest to the label; several where that does not decide."""
        if len(images) < 2:
            return tuple(images)

        def closeness(image: PurePosixPath) -> tuple[bool, int, bool]:
            folder = self.parts[image][:-1]
            swapped = _images_folder(near)
            common = 0
            for mine, theirs in zip(near, folder, strict=False):
                if not _is_same(mine, theirs):
                    break
                common += 1
            ends = _agreeing(near[common:], folder[common:])
            splits = splits_of_folders(folder)
            return (folder in (near, swapped), common + ends, split in splits if split else False)

        ranked = sorted(images, key=closeness, reverse=True)
        return tuple(image for image in ranked if closeness(image) == closeness(ranked[0]))


def _any_case(name: str) -> str:
    """A key for a name in any case, which no name is."""
    return "/" + name.casefold()


def _in_its_place(near: Parts, over: Parts) -> bool:
    """Whether a label's folder and an image's differ only in what says the kind of files."""
    mine, theirs = list(near), list(over)
    while mine and theirs and _is_same(mine[0], theirs[0]):
        mine, theirs = mine[1:], theirs[1:]
    while mine and theirs and _is_same(mine[-1], theirs[-1]):
        mine, theirs = mine[:-1], theirs[:-1]
    return all(says_nothing(part) for part in (*mine, *theirs))


def _images_folder(near: Parts) -> Parts:
    """The folder with images/ where the label's has labels/, the last one, in the same writing."""
    for index in range(len(near) - 1, -1, -1):
        if near[index].lower() == "labels":
            images = {"labels": "images", "LABELS": "IMAGES"}.get(near[index], "Images")
            return (*near[:index], images, *near[index + 1 :])
    return near


def _agreeing(a: Parts, b: Parts) -> int:
    """How many parts agree, from the end."""
    count = 0
    for mine, theirs in zip(reversed(a), reversed(b), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _contradict(left: Parts, over: Parts) -> bool:
    """Whether what is left of two paths names two different folders; kinds such as images/ name none."""
    mine = [part for part in left if not says_nothing(part)]
    theirs = [part for part in over if not says_nothing(part)]
    return bool(mine) and bool(theirs) and not _is_same(mine[-1], theirs[-1])
