"""What `vector-tl film` can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from vector_tl.errors import UsageError

STILLS = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class FilmSettings:
    """Two detectors or more side by side on the same frames, as an MP4 that browsers play and sites for posts take.

    Example: vector-tl film runs/first.mcap --left scratch --right transfer --out runs/first.mp4 --cards
    """

    input: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="INPUT")]]
    """A recording, a video, a folder of images or an image. Where labels lie beside, hits and misses are marked."""
    left: str
    """The model on the left: a checkpoint's path, or a name in models/."""
    right: str
    """The model on the right."""
    out: Path
    """The film to write, FILE.mp4."""
    also: tuple[str, ...] = ()
    """One or two more models beside them."""
    overwrite: bool = False
    """Replace an existing film, and what is made beside it."""
    fps: float | None = None
    """Frames a second of the film: the input's own when not given (2 for images). Some sites want 23 or more: --fps 30."""
    threshold: float | None = None
    """Show boxes from this score on: each model's own threshold when not given."""
    device: str = "auto"
    """Where the detectors run: auto, cpu or cuda."""
    theme: Literal["dark", "light"] = "dark"
    """dark or light."""
    shape: Literal["wide", "square"] = "wide"
    """wide (16:9, side by side) or square (one below the other)."""
    width: int | None = None
    """Width of the film in pixels: 1280 for wide, 1080 for square when not given."""
    cards: bool = False
    """Begin with a title card, and end with a card with the figures. The result's `frames` and `seconds` are without them."""
    title: str = "Who sees the other Vector?"
    """What the title card asks."""
    singles: bool = False
    """Also each model alone: OUT-left.mp4, OUT-right.mp4, OUT-also1.mp4."""
    poster: Path | None = None
    """Also the most telling frame as an image, FILE.png or FILE.jpg."""
    gif: Path | None = None
    """Also a GIF below 8 MB, of the last 20 s."""
    report: Path | None = None
    """The folder for the page of this run (index.html: film, figures, timelines): OUT-film beside OUT.mp4 when not given."""
    no_report: bool = False
    """Leave no page."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.out.suffix.lower() != ".mp4":
            raise UsageError(f"--out must name an .mp4 file, not {self.out}.")
        if self.fps is not None and not 0.1 <= self.fps <= 120:
            raise UsageError(f"--fps must be between 0.1 and 120, not {self.fps:g}.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"--threshold must be between 0 and 1, not {self.threshold:g}.")
        if self.width is not None and not 320 <= self.width <= 3840:
            raise UsageError(f"--width must be between 320 and 3840, not {self.width}.")
        if len(self.also) > 2:
            raise UsageError(f"--also takes one or two more models, not {len(self.also)}.")
        if self.poster is not None and self.poster.suffix.lower() not in STILLS:
            raise UsageError(f"--poster must name a .png or .jpg file, not {self.poster}.")
        if self.gif is not None and self.gif.suffix.lower() != ".gif":
            raise UsageError(f"--gif must name a .gif file, not {self.gif}.")

    @property
    def sides(self) -> list[str]:
        """A word for each model."""
        return ["left", "right", *(f"also{number}" for number in range(1, len(self.also) + 1))]

    @property
    def singles_paths(self) -> list[Path]:
        """The films of each model alone."""
        return (
            [self.out.with_name(f"{self.out.stem}-{side}.mp4") for side in self.sides] if self.singles else []
        )

    @property
    def report_folder(self) -> Path | None:
        """Where the page of the run goes."""
        return None if self.no_report else self.report or self.out.with_name(f"{self.out.stem}-film")
