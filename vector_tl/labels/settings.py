"""Settings of `vector-tl label import`, `export`, `check` and `split`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from vector_tl.errors import UsageError


@dataclass(frozen=True)
class ImportSettings:
    """Import images: a folder, zip or video, or a labelled dataset in YOLO, COCO or Pascal VOC form.

    Example: vector-tl label import vector.v3.yolov8.zip --data data --session roboflow
    """

    source: Positional[Annotated[Path | None, arg(metavar="SOURCE")]] = None
    """A folder, a zip, a video, or an image."""
    data: Path = Path("data")
    """Dataset folder."""
    session: str | None = None
    """Name of the new session, or the beginning of their names; by default the source's own name."""
    classes: tuple[str, ...] = ()
    """Classes of the source that mean a Vector, by name, or by number where no name fits; by default those
    that are named so, or an only class that nothing names otherwise."""
    novelty: int = 8
    """How different a new frame of a video must be from those taken: 0 takes all, higher takes fewer. It is
    the number, 0 to 64, of light-dark comparisons that must differ."""
    dry_run: bool = False
    """Show what would be imported as what, and what would not be, and write nothing."""
    undo: bool = False
    """Take the sessions of the last import out again, unless their labels were changed since."""
    images_only: bool = False
    """Take the images and leave all labels alone."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.undo and (self.source is not None or self.dry_run):
            raise UsageError("--undo takes no source and no --dry-run; it undoes the last import.")
        if not 0 <= self.novelty <= 64:
            raise UsageError(f"--novelty must be from 0 (take all) to 64, not {self.novelty}.")


@dataclass(frozen=True)
class ExportSettings:
    """Write the labelled images of a dataset in the form that another tool reads.

    Example: vector-tl label export vectors.zip --data data --format coco
    """

    out: Positional[Annotated[Path, arg(metavar="OUT")]]
    """A new folder, or a .zip."""
    data: Path = Path("data")
    """Dataset folder."""
    format: Literal["yolo", "coco", "voc", "huggingface", "labelstudio"] = "yolo"
    """yolo, coco (a JSON file for each split, as Roboflow writes it), voc (an XML file for each image),
    huggingface (an image folder with metadata.jsonl, for the package datasets) or labelstudio (tasks.json,
    for images in its local storage)."""
    decimals: bool = False
    """Pascal VOC with fractions of pixels; few readers take them."""
    overwrite: bool = False
    """Replace an existing OUT; a folder only if it is an earlier export, or empty."""


@dataclass(frozen=True)
class CheckSettings:
    """Find what is wrong with a dataset, and count what is in it.

    Example: vector-tl label check --data data --report runs/check.html
    """

    data: Path = Path("data")
    """Dataset folder."""
    report: Path | None = None
    """Write a page (HTML) with plots and contact sheets to this file."""
    overwrite: bool = False
    """Replace an existing page."""


@dataclass(frozen=True)
class SplitSettings:
    """Divide sessions into the splits train, val and test; sessions that have a split keep it.

    A session stays whole, as its images look alike: a model is then measured in rooms that it was not trained
    in. With --by image the images of a session are divided instead, for one folder of own photographs.

    Example: vector-tl label split --data data --shares 70 15 15
    """

    data: Path = Path("data")
    """Dataset folder."""
    shares: tuple[float, float, float] = (70.0, 15.0, 15.0)
    """How large train, val and test should be, in parts of all images."""
    seed: int = 0
    """Seed of the order in which sessions get their split."""
    again: bool = False
    """Divide all sessions again, also those that have a split."""
    by: Literal["session", "image"] = "session"
    """What is divided: whole sessions, or the images of each session, which then becomes one session for each
    split (photos-train and so on)."""
    session: tuple[str, ...] = ()
    """With --by image: divide only these sessions, whether or not they have a split."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.session and self.by != "image":
            raise UsageError("--session names what to divide by image; add --by image.")
        if not all(0 <= share < 1e9 for share in self.shares) or sum(self.shares) <= 0:
            raise UsageError(
                "--shares takes three numbers of 0 or more, not all 0; "
                f"not {' '.join(f'{s:g}' for s in self.shares)}."
            )
