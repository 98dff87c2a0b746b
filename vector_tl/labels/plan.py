"""What an import will do, decided before it does it: images, labels, classes, sessions, splits.

Everything that lies in the source is in the plan, used or not.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from vector_tl.errors import UserError
from vector_tl.labels.image_boxes import PER_IMAGE_FORMS, disagreement, vectors_of
from vector_tl.labels.sources.classes import Choice, choose_classes, is_vector, speaks_of_vectors
from vector_tl.labels.sources.joining import (
    Match,
    parts_of,
    says_nothing,
    split_in_file_name,
    split_of_label_file,
    splits_of_folders,
)
from vector_tl.labels.sources.reading import Source, read_folder
from vector_tl.labels.sources.records import ImageLabel
from vector_tl.plain import counted

MAX_NAME_BYTES = 240  # file systems take 255, with an ending
FRAME = re.compile(r"(.+)-frame-\d+")  # the name of an image that is a film's frame
MAX_FILM_BYTES = 220  # the numbers of its frames come after it
MAX_NAMED = 1000  # files in a list of the result; the counts are of all


@dataclass
class PlannedImage:
    """An image that will be imported; `labels` is None where nothing labels it."""

    path: PurePosixPath
    session: str
    name: str
    labels: list[ImageLabel] | None = None
    split: str | None = None


@dataclass
class Plan:
    """What will be imported, and what of the source will not be."""

    source: Source
    choice: Choice
    images: list[PlannedImage] = field(default_factory=list)
    films: list[PlannedImage] = field(default_factory=list)
    sessions: dict[str, str | None] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # file -> why
    ignored: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    labels_read: int = 0

    @property
    def form(self) -> str:
        """The formats of the labels, joined by +; images, or video, where there are none."""
        forms = Counter(file.form for file in self.source.labels)
        only = "images" if self.source.images or not self.source.films else "video"
        return "+".join(sorted(forms)) or only

    def about(self) -> dict[str, Any]:
        """The plan as the result's JSON has it; see the guide for the keys."""
        files: dict[str, dict[str, Any]] = {}
        for file in self.source.labels:
            row = files.setdefault(file.form, {"files": 0, "images": 0, "boxes": 0, "examples": []})
            row["files"] += 1
            row["images"] += len(file.images)
            row["boxes"] += sum(len(image.boxes) for image in file.images)
            if len(row["examples"]) < 3:
                row["examples"].append(str(file.path))
        per_session = Counter(image.session for image in self.images)
        unused = [{"file": str(file), "why": why} for file, why in sorted(self.source.unused.items())]
        return {
            "label_files": files,
            "images": len(self.images),
            "videos": [str(film.path) for film in self.films],
            "classes": {"vector": sorted(self.choice.vector), "other": sorted(self.choice.others)},
            "sessions": {
                session: {"split": split, "images": per_session[session]}
                for session, split in sorted(self.sessions.items())
            },
            "unused_label_files": {"count": len(unused), "files": unused[:MAX_NAMED]},
            "other_files": {
                "count": len(self.source.others),
                "files": [str(file) for file in self.source.others[:MAX_NAMED]],
                "hidden": self.source.hidden,
            },
            "notes": self.notes,
        }


def make_plan(
    folder: Path, session: str, prefix: str | None, classes: tuple[str, ...], with_labels: bool = True
) -> Plan:
    """Read a source and decide what of it will be imported as what.

    Args:
        folder: of the source.
        session: the name of the new session, or the beginning of their names.
        prefix: put before the sessions of an own dataset or export, if a person chose a name.
        classes: those that mean a Vector; empty to find them.
        with_labels: read labels, too.

    Raises:
        UserError: nothing to import, or a guess would decide what a label means.
    """
    source = read_folder(folder, with_labels)
    if not source.images and not source.films:
        raise UserError(f"{folder} holds no images.{''.join(f' {note}.' for note in source.notes)}")
    plan = Plan(source, choose_classes(source.labels, classes))
    plan.notes += [*source.notes, *plan.choice.notes]
    _blame_nameless(plan)
    joined, doubtful = _join(plan)
    _refuse_if_nothing_fed(plan, joined, doubtful)
    united = _unite(plan, joined, doubtful)
    json_splits = _splits_of_label_files(joined)
    for image in source.images:
        if image in doubtful:
            plan.skipped[str(image)] = doubtful[image]
            continue
        planned = PlannedImage(image, session, image.stem, united.get(image))
        _place(plan, planned, session, prefix, json_splits.get(image, set()))
        plan.images.append(planned)
    for film in source.films:
        planned = PlannedImage(film, session, film.stem)
        _place(plan, planned, session, prefix, set())
        plan.films.append(planned)
    _settle_sessions(plan)
    _name_apart(plan.images)
    _name_films_apart(plan)
    return plan


def _blame_nameless(plan: Plan) -> None:
    """A class that has no name, though others have one, costs its image unless a person decided it."""
    for file in plan.source.labels:
        for label in file.images:
            whys = (why for number, why in label.nameless.items() if number not in plan.choice.vector)
            label.error = label.error or next((f"{why}; correct it." for why in whys), None)


# -- Which label is for which image ----------------------------------------------------------------


def _join(plan: Plan) -> tuple[dict[PurePosixPath, list[ImageLabel]], dict[PurePosixPath, str]]:
    """The labels of each image; and images that no label is certain for -> why."""
    found: dict[PurePosixPath, list[tuple[ImageLabel, Match]]] = defaultdict(list)
    doubtful: dict[PurePosixPath, str] = {}
    for file in plan.source.labels:
        lost = []
        for label in file.images:
            plan.labels_read += 1
            match = _match(plan.source, label)
            if match.image is not None:
                found[match.image].append((label, match))
            elif match.images:
                there = ", ".join(map(str, match.images[:4]))
                why = f"{label.where} fits {there} equally well; give them different names or folders."
                doubtful |= dict.fromkeys(match.images, why)
                plan.skipped[_lost_name(label)] = why
            else:
                lost.append((label, match.why))
        for label, why in lost:
            plan.skipped[_lost_name(label)] = f"{label.file} {why}."
        if lost and len(lost) == len(file.images):
            plan.source.unused[file.path] = f"{file.path} {lost[0][1]}."
    _drop_strays(plan, found)
    for image, claims in found.items():
        _drop_weak_claims(plan, image, claims, doubtful)
    return {image: [label for label, _ in claims] for image, claims in found.items() if claims}, doubtful


def _drop_strays(plan: Plan, found: dict[PurePosixPath, list[tuple[ImageLabel, Match]]]) -> None:
    """Leave out labels whose image is missing, and which would go to one of that name in another folder.

    A label that does not lie where its image's labels should lie is such a one if other labels of its folder
    have their images, or if the image's folder has its own labels.
    """
    pairs = [(label, image) for image, claims in found.items() for label, match in claims if match.exact]
    with_images = {(label.form, label.file.parent) for label, _ in pairs}
    with_labels = {(label.form, image.parent) for label, image in pairs}
    with_folders = {
        label.file for claims in found.values() for label, _ in claims if len(parts_of(label.image_name)) > 1
    }
    for image, claims in found.items():
        for label, match in list(claims):
            if label.form in PER_IMAGE_FORMS:
                places = {(label.form, label.file.parent)} & with_images
                stray = bool(places) or (label.form, image.parent) in with_labels
            else:
                stray = label.file in with_folders and len(parts_of(label.image_name)) == 1
            if stray and not match.exact:
                claims.remove((label, match))
                plan.skipped[_lost_name(label)] = (
                    f"{label.where} has no image; {image} has that name, but lies in another folder."
                )


def _lost_name(label: ImageLabel) -> str:
    return (
        f"{label.file}: {label.image_name}"
        if label.image_name and label.form not in PER_IMAGE_FORMS
        else str(label.file)
    )


def _match(source: Source, label: ImageLabel) -> Match:
    if label.form == "yolo":
        return source.index.by_stem(label.file)
    if label.form not in PER_IMAGE_FORMS:
        return source.index.by_name(label.image_name, label.file)
    if label.image_name and (there := source.index.at(label.image_name, label.file)):
        return there
    match = _match_by_names(source, label)
    if len(match.images) > 1:
        hinted = [source.index.by_name(hint, label.file).images for hint in label.hints]
        left = set(match.images).intersection(
            *(images for images in hinted if set(images) & set(match.images))
        )
        if len(left) == 1:
            return replace(match, images=tuple(left), exact=True)
    image = match.image
    for hint in label.hints:
        if image and source.index.is_of_another_folder(image, label.file, hint):
            return Match(why=f"is for {hint}, which is not there; {image} lies in another folder")
    return match


def _match_by_names(source: Source, label: ImageLabel) -> Match:
    """The image of a label file that has its name, or that it names."""
    by_stem = source.index.by_stem(label.file, label.image_name)
    if not label.image_name:
        return by_stem
    by_name = source.index.by_name(label.image_name, label.file)
    if by_stem.image and by_name.image and by_stem.image != by_name.image:
        return Match((by_stem.image, by_name.image))
    if by_stem.image:
        return by_stem
    return by_name if by_name.images else by_stem if by_stem.images else by_name


def _drop_weak_claims(
    plan: Plan,
    image: PurePosixPath,
    claims: list[tuple[ImageLabel, Match]],
    doubtful: dict[PurePosixPath, str],
) -> None:
    """Of labels that name an image differently, those that name it best; none where that does not decide."""
    names = {(label.form, parts_of(label.image_name)) for label, _ in claims if label.image_name}
    by_file: dict[PurePosixPath, int] = {}
    for label, match in claims:
        by_file[label.file] = max(by_file.get(label.file, 0), match.length)
    exact = any(match.exact for _, match in claims)
    kept = [
        (label, match)
        for label, match in claims
        if match.length == by_file[label.file] and (match.exact or not exact)
    ]
    for label, _ in claims:
        if not any(label is other for other, _ in kept):
            plan.skipped[_lost_name(label)] = (
                f"{label.file} names {label.image_name!r}, which is not there; {image} is another image."
            )
    if not exact and len(names) > 1 and len({parts_of(label.image_name) for label, _ in kept}) > 1:
        listed = ", ".join(sorted({label.image_name for label, _ in kept})[:4])
        doubtful[image] = f"{image} may be any of {listed}; put it into its folder."
    claims[:] = kept


def _refuse_if_nothing_fed(
    plan: Plan, joined: dict[PurePosixPath, list[ImageLabel]], doubtful: dict[PurePosixPath, str]
) -> None:
    """Refuse a source whose label files all fed nothing: it was meant as a labelled one."""
    source = plan.source
    said = any(
        label.error or label.boxes or speaks_of_vectors(label, plan.choice)
        for labels in joined.values()
        for label in labels
    )
    if said or not (source.labels or source.unused):
        return
    if doubtful and not joined:
        why = next(iter(doubtful.values()))
    elif source.unused:
        why = next(iter(source.unused.values()))
    else:
        why = f"{source.labels[0].path} says nothing of Vectors."
    count = len(source.labels) + sum(file not in {f.path for f in source.labels} for file in source.unused)
    raise UserError(
        f"No label file of {source.folder} labels an image, of {count} there: {why} Correct that, or take "
        "the images alone with --images-only."
    )


# -- What an image's labels say together -----------------------------------------------------------


def _unite(
    plan: Plan, joined: dict[PurePosixPath, list[ImageLabel]], doubtful: dict[PurePosixPath, str]
) -> dict[PurePosixPath, list[ImageLabel]]:
    """The labels of each image that speak of Vectors and agree; images with others become doubtful."""
    boxes_of = Counter(
        (label.form, label.file if label.form not in PER_IMAGE_FORMS else None)
        for labels in joined.values()
        for label in labels
        for box in label.boxes
        if box.class_name in plan.choice.vector
    )
    united: dict[PurePosixPath, list[ImageLabel]] = {}
    silent = 0
    for image, labels in joined.items():
        if image in doubtful:
            continue
        if broken := next((label for label in labels if label.error), None):
            doubtful[image] = str(broken.error)
            continue
        kept, crowds = [], False
        for label in labels:
            own = [box for box in label.boxes if box.class_name in plan.choice.vector]
            crowds |= any(box.crowd for box in own)
            if not own and any(name in plan.choice.vector or is_vector(name) for name in label.whole):
                doubtful[image] = f"{label.where} says that the image shows a Vector, but not where; mark it."
            if own or speaks_of_vectors(label, plan.choice):
                kept.append(label)
        if image in doubtful:
            continue
        if len({label.form for label in kept}) > 1:  # another tool's project file without any label
            busy = [
                label
                for label in kept
                if boxes_of[label.form, label.file if label.form not in PER_IMAGE_FORMS else None]
            ]
            kept = busy or kept
        plan.ignored.update(
            box.class_name
            for label in labels
            for box in label.boxes
            if box.class_name not in plan.choice.vector
        )
        if not kept:
            silent += 1
            continue
        plain = [box for label in kept for box in vectors_of(label, plan.choice)]
        if crowds and not plain:
            doubtful[image] = (
                f"{kept[0].where} marks only a region of several Vectors: no box, and no image without one."
            )
            continue
        if crowds:
            plan.notes.append(f"{kept[0].where}: a region of several Vectors (iscrowd) is no box; left out")
        if why := disagreement(kept, plan.choice):
            doubtful[image] = f"{image}: {why}; delete the wrong one."
            continue
        united[image] = kept
    if silent:
        plan.notes.append(
            f"{counted(silent, 'image')} in label files that say nothing of Vectors: left unlabelled"
        )
    _note_silent_files(plan, joined, united)
    return united


def _note_silent_files(
    plan: Plan,
    joined: dict[PurePosixPath, list[ImageLabel]],
    united: dict[PurePosixPath, list[ImageLabel]],
) -> None:
    """Label files that were read and fed no image are counted as unused."""
    fed = {label.file for labels in united.values() for label in labels}
    broken = {label.file for labels in joined.values() for label in labels if label.error}
    for file in plan.source.labels:
        if file.path not in fed | broken and file.path not in plan.source.unused:
            plan.source.unused[file.path] = f"{file.path} ({file.form}) says nothing that was used."


# -- Sessions and splits ---------------------------------------------------------------------------


def _splits_of_label_files(joined: dict[PurePosixPath, list[ImageLabel]]) -> dict[PurePosixPath, set[str]]:
    """The splits that label files say of their images: by a subset, or by their own name."""
    found: dict[PurePosixPath, set[str]] = {}
    for image, labels in joined.items():
        said = set()
        for label in labels:
            split = split_in_file_name(label.split) if label.split else None
            if split is None and label.form not in PER_IMAGE_FORMS:
                split = split_of_label_file(label.file.stem)
            said |= {split} if split else splits_of_folders(parts_of(label.file)[:-1])
        found[image] = said
    return found


def _place(
    plan: Plan, planned: PlannedImage, session: str, prefix: str | None, by_label_file: set[str]
) -> None:
    """Decide an image's session, name and split."""
    image = planned.path
    for folder in plan.source.own:
        if folder.folder in (image, *image.parents) and (own := folder.session_of(image)):
            planned.session, planned.name = own
            planned.split = folder.splits.get(own[0])
            if folder.kind == "old export":
                planned.split = next(iter(splits_of_folders(image.parts[:-1])), None)
            if prefix:
                planned.session = f"{prefix}-{planned.session}"
            return
    folders = splits_of_folders(parts_of(image)[:-1])
    for said in (plan.source.splits.get(image, set()), folders | by_label_file):
        if len(said) == 1:
            planned.split = next(iter(said))
            break
        if said:
            plan.notes.append(f"{image} is in the splits {', '.join(sorted(said))} at once; it is given none")
            break
    planned.session = f"{session}-{planned.split}" if planned.split else session


def _settle_sessions(plan: Plan) -> None:
    """No session is in two splits: where a source has it so, each part is a session of its own."""
    homes = {own.folder: own.kind for own in plan.source.own if own.kind != "old export"}
    first: dict[str, PurePosixPath] = {}
    for image in (*plan.images, *plan.films):
        home = next((folder for folder in homes if folder in image.path.parents), PurePosixPath())
        if first.setdefault(image.session, home) != home:  # two exports with a session of one name
            image.session = f"{image.session}-{parts_of(home)[-1] if home.parts else 'more'}"
    seen: dict[str, set[str | None]] = defaultdict(set)
    for image in (*plan.images, *plan.films):
        seen[image.session].add(image.split)
    divided = {session for session, splits in seen.items() if len(splits) > 1}
    for session in sorted(divided):
        plan.notes.append(f"the session {session} has images in several splits; it becomes one for each")
    for image in (*plan.images, *plan.films):
        if image.session in divided and image.split:
            image.session = f"{image.session}-{image.split}"
        plan.sessions[image.session] = image.split
    old = [folder.folder for folder in plan.source.own if folder.kind == "old export"]
    if old:
        plan.notes.append(
            "this is an export of an older version, which joined session and name by '__': the last '__' "
            "of each name was taken for the joint"
        )


def _plain(name: str) -> str:
    """A name that files may have on every system, composed as one character where it was taken apart."""
    name = unicodedata.normalize("NFC", name).encode("utf-8", "replace").decode()
    return (
        "".join("_" if c in '/\\:*?"<>|' or not c.isprintable() else c for c in name).lstrip(".") or "image"
    )


def _name_apart(images: list[PlannedImage]) -> None:
    """Images of one name in one session get the names of their folders, and then numbers."""
    for image in images:
        image.name = _plain(image.name)
    count = Counter((image.session, image.name.casefold()) for image in images)
    taken: set[tuple[str, str]] = set()
    for image in images:
        name = image.name
        if count[image.session, name.casefold()] > 1:
            name = _with_folders(image)
        image.name = _free(name, image.session, taken, MAX_NAME_BYTES)


def _name_films_apart(plan: Plan) -> None:
    """Films too, so that none of their frames has the name of another film's, or of an image."""
    for film in plan.films:
        film.name = _plain(film.name)
    count = Counter((film.session, film.name.casefold()) for film in plan.films)
    taken = {(i.session, found[1]) for i in plan.images if (found := FRAME.fullmatch(i.name.casefold()))}
    for film in plan.films:
        key = (film.session, film.name.casefold())
        name = _with_folders(film) if count[key] > 1 or key in taken else film.name
        film.name = _free(name, film.session, taken, MAX_FILM_BYTES)


def _with_folders(image: PlannedImage) -> str:
    """An image's or film's name, with those of the last two folders that say something before it."""
    folders = [_plain(part) for part in image.path.parts[:-1] if not says_nothing(part)]
    return "-".join([*folders[-2:], image.name])


def _cut(name: str, max_bytes: int) -> str:
    return name.encode()[:max_bytes].decode("utf-8", "ignore")


def _free(name: str, session: str, taken: set[tuple[str, str]], max_bytes: int) -> str:
    """The name, or with a number behind it the first that is not taken in a session; it then is."""
    free, number = _cut(name, max_bytes), 2
    while (session, free.casefold()) in taken:
        free, number = _cut(name, max_bytes - len(f"-{number}")) + f"-{number}", number + 1
    taken.add((session, free.casefold()))
    return free
