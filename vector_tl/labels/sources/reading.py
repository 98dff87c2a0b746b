"""Every file of a source, told by what it holds: images, videos, labels, names of classes, and the rest."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vector_tl.data.images import is_image_file
from vector_tl.data.media import is_film_file
from vector_tl.data.yolo import CLASS_NAMES
from vector_tl.errors import UserError
from vector_tl.forms import json_problem
from vector_tl.labels.sources import coco, image_folder, json_formats, xml_formats, yolo
from vector_tl.labels.sources.classes import misfit
from vector_tl.labels.sources.content import (
    MASK_END,
    is_names_file,
    looks_like_table,
    mask_of,
    names_in_json,
    sniffed,
)
from vector_tl.labels.sources.joining import (
    ImageIndex,
    parts_of,
    says_nothing,
    split_in_file_name,
    split_of_list,
    split_of_words,
    splits_of_folders,
    words_of,
)
from vector_tl.labels.sources.own import MARKER, OwnFolder, own_folders
from vector_tl.labels.sources.records import ImageLabel, LabelFile, read_text

LABEL_SUFFIXES = (
    *(".csv", ".tsv", ".jsonl", ".ndjson", ".tfrecord", ".record", ".mat", ".pbtxt", ".lst", ".parquet"),
    *(".arrow", ".xlsx", ".xls", ".ods"),
)
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
LABEL_WORDS = frozenset(
    [
        "label",
        "labels",
        "annotation",
        "annotations",
        "anns",
        "annos",
        "instances",
        "coco",
        "yolo",
        "voc",
        "cvat",
    ]
)
SMALL_BYTES = 2**20  # a YOLO label without an ending of its own is no larger
LABEL_KEYS = ("annotations", "shapes", "regions", "bbox", "boxes", "objects", "_via_img_metadata", "labels")
YAML_LABELS = re.compile(r"^[ \t]*(- +)?(boxes|bbox|objects|shapes|regions|annotations):", re.MULTILINE)
SYSTEM_NAMES = ("thumbs.db", "desktop.ini", "__macosx")


@dataclass
class Source:
    """What lies in a folder. Paths are relative to it.

    Attributes:
        images: image files.
        films: videos, animated images and recordings.
        labels: label files that were read.
        unused: label-like files that nothing comes from -> why.
        others: files that have nothing to do with labels.
        hidden: how many hidden and system files there are.
        splits: the source's own lists: split -> images, by the file that says so.
        own: folders that this program wrote.
        notes: what else a person should know.
    """

    folder: Path
    images: list[PurePosixPath] = field(default_factory=list)
    films: list[PurePosixPath] = field(default_factory=list)
    labels: list[LabelFile] = field(default_factory=list)
    unused: dict[PurePosixPath, str] = field(default_factory=dict)
    others: list[PurePosixPath] = field(default_factory=list)
    hidden: int = 0
    splits: dict[PurePosixPath, set[str]] = field(default_factory=lambda: defaultdict(set))
    own: list[OwnFolder] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    index: ImageIndex = field(default_factory=lambda: ImageIndex(()))


def read_folder(folder: Path, with_labels: bool = True) -> Source:
    """All that a folder holds; with `with_labels` off, labels are left alone.

    Raises:
        UserError: names of classes that contradict each other or cannot be read.
    """
    source = Source(folder)
    rest: list[PurePosixPath] = []
    for root, folders, files in os.walk(folder, followlinks=False):
        here = PurePosixPath(Path(root).relative_to(folder).as_posix())
        hidden = [name for name in folders if _is_hidden(name)]
        source.notes += [
            f"{here / name} is a link to a folder and was not followed; copy that folder to its place"
            for name in sorted(set(folders) - set(hidden))
            if Path(root, name).is_symlink()
        ]
        for name in hidden:
            source.hidden += sum(len(names) for _, _, names in os.walk(Path(root, name)))
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(files):
            path = Path(root, name)
            if _is_hidden(name) or not path.is_file():
                source.hidden += 1
            elif is_image_file(path):
                source.images.append(here / name)
            elif is_film_file(path):
                source.films.append(here / name)
            else:
                rest.append(here / name)
    masks = _masks(source.images)
    source.images = [image for image in source.images if image not in masks]
    source.index = ImageIndex(source.images)
    if not with_labels:
        source.others = sorted([*rest, *masks])
        return source
    why = "is another image's mask, which is not read; convert masks to boxes in COCO's form"
    source.unused |= {mask: f"{mask} {why}." for mask in sorted(masks)}
    source.own = own_folders(folder, rest)
    _Reader(source).read(rest)
    return source


def _masks(images: list[PurePosixPath]) -> set[PurePosixPath]:
    """The images that are masks of others."""
    seen = {image for image in images if mask_of(image, {image.stem, MASK_END.sub("", image.stem)})}
    stems = {image.stem for image in images if image not in seen}
    return {image for image in seen if mask_of(image, stems)}


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


@dataclass
class _Reader:
    """Reads the files that are neither images nor videos."""

    source: Source
    tables: list[yolo.NameTable] = field(default_factory=list)
    texts: dict[PurePosixPath, str] = field(default_factory=dict)  # what may be YOLO's labels
    lists: dict[PurePosixPath, str] = field(default_factory=dict)  # what may be lists of images

    def read(self, files: list[PurePosixPath]) -> None:
        for file in files:
            suffix = file.suffix.lower()
            try:
                self._reader(file, suffix)(file)
            except yolo.UnclearNames:
                raise
            except UserError as error:
                if suffix in (".yaml", ".yml", ".names", ".data"):
                    raise
                self.source.unused[file] = str(error)
            except OSError as error:
                self.source.unused[file] = f"{file} cannot be read: {error.strerror}."
        self._resolve_names_files()
        self._lists_of_images()
        self._yolo_labels()

    def _reader(self, file: PurePosixPath, suffix: str) -> Callable[[PurePosixPath], None]:
        """What reads a file: by its ending, or by its content where the ending says something else."""
        by_suffix = {
            ".txt": self._text,
            ".names": self._names,
            ".labels": self._names,
            ".json": self._json,
            ".xml": self._xml,
            ".yaml": self._yaml,
            ".yml": self._yaml,
            ".data": self._data,
        }
        if file.name == image_folder.FILE_NAME:
            return self._image_folder
        if suffix in LABEL_SUFFIXES or suffix in by_suffix.keys() - {".txt", ".json", ".xml"}:
            return by_suffix.get(suffix, self._other)
        path = self.source.folder / file
        kind = sniffed(path)
        if kind == "text" and suffix not in by_suffix and self.source.index.has_stem(file.stem):
            return self._bare
        return {"json": self._json, "xml": self._xml}.get(kind) or by_suffix.get(suffix, self._other)

    def _image_folder(self, file: PurePosixPath) -> None:
        text = read_text(self._bytes(file), str(file))
        own = any(o.kind == "export" and o.folder in file.parents for o in self.source.own)
        self._add(image_folder.read_image_folder(file, text, own))

    def _bare(self, file: PurePosixPath) -> None:
        """A text of an unknown ending, named as an image."""
        data = self._bytes(file)
        text = data.decode("utf-8-sig", "replace") if len(data) <= SMALL_BYTES else ""
        if yolo.looks_like_labels(text):
            self.texts[file] = text
        else:
            self._other(file)

    def _bytes(self, file: PurePosixPath) -> bytes:
        return (self.source.folder / file).read_bytes()

    def _other(self, file: PurePosixPath) -> None:
        if file.suffix.lower() in ARCHIVES and LABEL_WORDS & set(words_of(file.name)):
            self.source.unused[file] = f"{file} is packed; unpack it."
        elif file.suffix.lower() in LABEL_SUFFIXES:
            self.source.unused[file] = (
                f"{file} is not of a format that is read; convert it to COCO, YOLO or Pascal VOC."
            )
        else:
            self.source.others.append(file)

    def _names(self, file: PurePosixPath) -> None:
        self.tables.append(yolo.read_names_text(file, read_text(self._bytes(file), str(file))))

    def _data(self, file: PurePosixPath) -> None:
        try:
            table = yolo.read_data_file(file, read_text(self._bytes(file), str(file)))
        except UserError:
            table = None
        if table is None:
            self.source.others.append(file)
        else:
            self.tables.append(table)

    def _yaml(self, file: PurePosixPath) -> None:
        text = read_text(self._bytes(file), str(file))
        table = yolo.read_yaml(file, text)
        if table is None and YAML_LABELS.search(text):
            self.source.unused[file] = f"{file} is YAML of a format that is not read; convert it to COCO."
        elif table is None:
            self.source.others.append(file)
        else:
            self.tables.append(table)

    def _text(self, file: PurePosixPath) -> None:
        is_label = self.source.index.has_stem(file.stem)
        try:
            text = read_text(self._bytes(file), str(file))
        except UserError as error:
            if is_label:
                self.source.unused[file] = str(error)
                self._blame(file, str(error))
            else:
                self.source.others.append(file)
            return
        if not is_label and not yolo.looks_like_labels(text) and is_names_file(file, text):
            self.tables.append(yolo.read_names_text(file, text))
        elif is_label and (not text.strip() or _mentions_numbers(text)) or yolo.looks_like_labels(text):
            self.texts[file] = text
        elif is_label:
            self.source.unused[file] = f"{file} is text without a line 'class cx cy w h'."
        elif yolo.looks_like_keras(text):
            self.source.unused[file] = (
                f"{file} has lines 'image x,y,x,y,class', a format that is not read; convert it to COCO, "
                "YOLO or Pascal VOC."
            )
        elif looks_like_table(text):
            self.source.unused[file] = (
                f"{file} has lines of numbers in a form that is not read; convert it to COCO, YOLO "
                "or Pascal VOC."
            )
        else:
            self.lists[file] = text

    def _blame(self, file: PurePosixPath, why: str) -> None:
        """A label that cannot be read costs its image."""
        label = ImageLabel(file, str(file), yolo.FORM, error=why)
        self.source.labels.append(LabelFile(file, yolo.FORM, [label]))

    def _json(self, file: PurePosixPath) -> None:
        if file.name == MARKER and any(o.folder == file.parent for o in self.source.own):
            return
        if _is_own_file(file, self.source.own):
            return
        data = self._bytes(file)
        text = read_text(data, str(file))
        try:
            table = json.loads(text)
        except (ValueError, RecursionError) as error:
            if any(f'"{key}"' in text for key in LABEL_KEYS) or self.source.index.has_stem(file.stem):
                form = "COCO's form" if '"annotations"' in text else "a readable label"
                problem = json_problem(error, text)
                raise UserError(
                    f"{file} is not {form}, since it is not JSON: {problem}; correct it."
                ) from error
            self.source.others.append(file)
            return
        read: LabelFile
        if coco.is_coco(table):
            read = coco.read_coco(file, table)
        elif json_formats.is_labelme(table):
            read = json_formats.read_labelme(file, table)
        elif json_formats.is_studio(table):
            read = json_formats.read_studio(file, table)
        elif file.name.lower() == "notes.json" and isinstance(table, dict) and "categories" in table:
            self.tables.append(yolo.read_notes(file, table["categories"]))
            return
        elif names := names_in_json(file, table):
            self.tables.append(yolo.NameTable(file, names))
            return
        elif _is_like_labels(table) or self.source.index.has_stem(file.stem):
            self.source.unused[file] = f"{file} is JSON of a format that is not read; convert it to COCO."
            return
        else:
            self.source.others.append(file)
            return
        self._add(read)

    def _xml(self, file: PurePosixPath) -> None:
        try:
            root = xml_formats.parse_xml(file, self._bytes(file))
        except UserError as error:
            if self.source.index.has_stem(file.stem):
                label = ImageLabel(file, str(file), xml_formats.VOC, error=str(error))
                self.source.labels.append(LabelFile(file, xml_formats.VOC, [label]))
            raise
        if xml_formats.is_cvat(root):
            self._add(xml_formats.read_cvat(file, root))
        elif xml_formats.is_voc(root):
            self._add(xml_formats.read_voc(file, root))
        elif self.source.index.has_stem(file.stem) or xml_formats.holds_shapes(root):
            why = f"{file} is neither Pascal VOC nor CVAT for images: it begins with <{root.tag}>."
            self.source.unused[file] = why
        else:
            self.source.others.append(file)

    def _add(self, read: LabelFile) -> None:
        if read.error:
            self.source.unused[read.path] = read.error
            return
        self.source.labels.append(read)
        self.source.notes += [f"{read.path}: {note}" for note in read.notes]

    def _resolve_names_files(self) -> None:
        """Names that a table says stand in another file."""
        read = {parts_of(table.file): table for table in self.tables}
        for table in self.tables:
            if not table.names_file:
                continue
            wanted = parts_of(table.names_file.replace("\\", "/"))
            wanted = tuple(part for part in wanted if part not in ("..", ".", "/"))
            near = (*parts_of(table.file)[:-1], *wanted)
            other = read.get(near) or read.get(wanted) or read.get((*near[: -len(wanted)], wanted[-1]))
            if other is None:
                text = next((t for f, t in self.lists.items() if parts_of(f) in (near, wanted)), None)
                if text is None:
                    self.source.notes.append(
                        f"{table.file} says that classes are named in {table.names_file}, which is not there"
                    )
                    continue
                other = yolo.read_names_text(table.file, text)
            table.names = other.names
            other.names_file = other.names_file or str(other.file)  # its names are used by way of this one

    def _lists_of_images(self) -> None:
        """The source's own splits: ImageSets, train.txt, and what data.yaml and obj.data say."""
        used: set[PurePosixPath] = set()
        for file, text in self.lists.items():
            in_sets = "ImageSets" in file.parts  # vector_train.txt may lie there
            split = split_in_file_name(file.stem) if in_sets else split_of_list(file.stem)
            if split and self._assign(file, text.split("\n"), split, in_sets):
                used.add(file)
        for table in self.tables:
            for split, values in table.splits.items():
                for value in values:
                    found = self._assign_folder(table, value, split)
                    used |= found or set()
                    if found is None:
                        self.source.notes.append(f"{table.file} says {split}: {value}, which is not there")
        self.source.others += sorted(set(self.lists) - used)

    def _assign(self, file: PurePosixPath, lines: list[str], split: str, stems: bool) -> int:
        count = 0
        for line in lines:
            name = line.strip()
            if stems and name:
                name = name.split()[0]
            if not name:
                continue
            match = self.source.index.by_name(name, file)
            if match.image is None and stems:
                root = PurePosixPath(*file.parts[: file.parts.index("ImageSets")])
                match = self.source.index.by_stem(root / "JPEGImages" / (name + ".txt"))
            elif not match.images and len(name.split()) == 1:  # names without their endings
                match = self.source.index.by_stem(file.parent / (name + ".txt"))
            if match.image is not None:
                self.source.splits[match.image].add(split)
                count += 1
        return count

    def _assign_folder(self, table: yolo.NameTable, value: str, split: str) -> set[PurePosixPath] | None:
        """Assign the images of a folder or list that a table names for a split.

        A path of another computer is looked for by its end.

        Returns:
            The lists that were used; None where nothing is at that path.
        """
        parts = tuple(p for p in parts_of(value.replace("\\", "/")) if p not in ("..", ".", "/"))
        base = tuple(p for p in parts_of(table.base.replace("\\", "/")) if p not in ("..", ".", "/"))
        here = parts_of(table.file)[:-1]
        tried = [(*start, *parts) for start in ((*here, *base), here, ())]
        moved = any(re.match(r"/|\.\.|[A-Za-z]:", path.strip()) for path in (value, table.base))
        for end in range(1, len(parts)):
            if splits_of_folders(parts[:end]) or not (moved or all(map(says_nothing, parts[:end]))):
                break
            tried += [(*here, *parts[end:]), parts[end:]]
        for wanted in tried:
            for file, text in self.lists.items():
                if parts_of(file) == wanted:
                    self._assign(file, text.split("\n"), split, stems=False)
                    return {file}
            inside = [
                i for i, own_parts in self.source.index.parts.items() if own_parts[: len(wanted)] == wanted
            ]
            if inside and wanted:
                for image in inside:
                    self.source.splits[image].add(split)
                return set()
        return None

    def _yolo_labels(self) -> None:
        named = [table for table in self.tables if table.names]
        kpt = {table.file.parent for table in self.tables if table.keypoints}
        known: dict[PurePosixPath, yolo.NameTable | None] = {}
        for file in self.texts:
            if file.parent not in known:
                known[file.parent] = self._table_for(file.parent, named)
        doubts = self._misfits(known)
        labels: list[ImageLabel] = []
        for file, text in self.texts.items():
            table = known[file.parent]
            names, where = (table.names, table.file) if table else ({}, None)
            if not names and any(o.kind == "dataset" and o.folder in file.parents for o in self.source.own):
                names, where = dict(enumerate(CLASS_NAMES)), file  # a dataset of ours
            doubt = doubts.get(tuple(names.items()), "") if names else self._nameless(file)
            keypoints = any(folder in (file.parent, *file.parents) for folder in kpt)
            label = yolo.read_label(file, text, {} if doubt else names, where, keypoints)
            labels.append(label)
            classes = sorted(set(names.values())) if not doubt else []
            read = LabelFile(file, yolo.FORM, [label], classes, doubt=doubt, names_file=where)
            self.source.labels.append(read)
        yolo.blame_corners(labels)
        yolo.blame_poses([label for label in labels if not kpt], self.texts)
        used = {id(table) for table in known.values()}
        for table in named:
            if id(table) not in used and not table.splits and not table.names_file and self.texts:
                self.source.notes.append(f"{table.file} names classes that no label file here uses")

    def _misfits(
        self, known: dict[PurePosixPath, yolo.NameTable | None]
    ) -> dict[tuple[tuple[int, str], ...], str]:
        """Names that are not counted from where the labels that they are for count -> why."""
        numbers: dict[tuple[tuple[int, str], ...], set[int]] = defaultdict(set)
        files: dict[tuple[tuple[int, str], ...], PurePosixPath] = {}
        for file, text in self.texts.items():
            if table := known[file.parent]:
                key = tuple(table.names.items())
                files.setdefault(key, table.file)
                numbers[key] |= {
                    n for line in text.splitlines() if (n := yolo.class_number(line)) is not None
                }
        whys = {key: misfit(numbers[key], dict(key), files[key], "The labels use") for key in files}
        return {key: why for key, why in whys.items() if why}

    def _nameless(self, file: PurePosixPath) -> str:
        """Why the only number in the labels may not be a Vector's, where nothing names it."""
        for table in self.tables:
            if table.count > 1 and table.file.parent in file.parents:
                return (
                    f"{table.file} says that there are {table.count} classes, and nothing names them; say "
                    "with --classes which of the numbers mean a Vector."
                )
        return ""

    def _table_for(self, folder: PurePosixPath, tables: list[yolo.NameTable]) -> yolo.NameTable | None:
        """The names for labels of a folder: those in it and above it, else the only ones there are.

        Names that lie with the images or labels of another folder are for those alone.

        Raises:
            UserError: several that say different things.
        """
        if near := [table for table in tables if table.file.parent in (folder, *folder.parents)]:
            return _one(near)
        fit = [table for table in tables if self._may_name(table.file.parent, folder)]
        return _one(fit) if fit and all(t.names == tables[0].names for t in tables) else None

    def _may_name(self, place: PurePosixPath, folder: PurePosixPath) -> bool:
        """Whether names that lie in the folder `place` may be for labels of another one."""
        while place.parts and (says_nothing(place.name) or split_of_words(place.name)):
            place = place.parent
        if place in (folder, *folder.parents):
            return True
        return not any(place in file.parents for file in (*self.source.images, *self.texts))


def _one(tables: list[yolo.NameTable]) -> yolo.NameTable:
    """The one of several tables in a folder; they may say less than another, but nothing else.

    Raises:
        UserError: they give a number different names.
    """
    longest = max(tables, key=lambda table: len(table.names))
    for table in tables:
        for key, name in table.names.items():
            if longest.names.get(key, name) != name:
                raise UserError(
                    f"{longest.file} calls class {key} {longest.names[key]!r}, {table.file} calls it "
                    f"{name!r}; delete or correct the wrong one."
                )
    return longest


def _mentions_numbers(text: str) -> bool:
    """Whether some line begins with a number: a label, if perhaps a bad one, and no caption."""
    return any(line.strip()[:1] in "0123456789.+-" for line in text.splitlines() if line.strip())


def _is_like_labels(table: object) -> bool:
    first = table[0] if isinstance(table, list) and table else table
    return isinstance(first, dict) and (
        any(key in first for key in LABEL_KEYS)
        or any(isinstance(v, dict) and any(key in v for key in LABEL_KEYS) for v in list(first.values())[:3])
    )


def _is_own_file(file: PurePosixPath, folders: list[OwnFolder]) -> bool:
    """splits.json, kinds.json and sessions/ of a dataset of ours."""
    return any(
        folder.kind == "dataset"
        and (
            file in (folder.folder / "splits.json", folder.folder / "kinds.json")
            or file.parent == folder.folder / "sessions"
        )
        for folder in folders
    )
