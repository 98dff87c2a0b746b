"""The options of `vector-tl film`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from vector_tl.detect.settings import AnyPrecision
from vector_tl.errors import UsageError, refuse_outside, refuse_suffix

STILLS = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class FilmSettings:
    """Film two models side by side on the same frames, as an MP4 that browsers and video sites play.

    Example: vector-tl film runs/first.mcap --left scratch --right transfer --out runs/first.mp4 --cards
    """

    input: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="INPUT")]]
    """A recording, a video, a folder of images or an image. If it has labels, false alarms and misses are
    marked."""
    left: str
    """The model on the left: a file, or a name in models/."""
    right: str
    """The model on the right."""
    out: Path
    """The film to write, FILE.mp4."""
    also: tuple[str, ...] = ()
    """One or two more models, beside these."""
    overwrite: bool = False
    """Replace an existing film and the files beside it (captions, poster, GIF, page)."""
    fps: float | None = None
    """Frames per second of the film: the input's own when not given (2 for images). Some sites need --fps
    30."""
    threshold: float | None = None
    """Count a box when a model is at least this sure (0 to 1): each model's own threshold when not given."""
    device: str = "auto"
    """Where the models run: auto, cpu or cuda (an NVIDIA GPU)."""
    precision: AnyPrecision = "auto"
    """What a CPU computes in: auto (the fastest of those in which the models passed a check), fp32, bf16 or
    int8."""
    theme: Literal["dark", "light"] = "dark"
    """Colours: dark or light."""
    shape: Literal["wide", "square"] = "wide"
    """wide (16:9, models side by side) or square (one below the other)."""
    width: int | None = None
    """Width of the film in pixels: 1280 for wide, 1080 for square when not given."""
    cards: bool = False
    """Add a title card before and a card with the figures after (not counted in the reported length)."""
    teach: bool = False
    """Explain it: cards on what each model had seen before and on what the figures do not show, a legend of
    the marks, a slow start, a stop at the first find, and captions as OUT.vtt. It lasts longer then."""
    title: str = "Who sees the other Vector?"
    """The question on the title card, of --cards and --teach."""
    singles: bool = False
    """Also make a film of each model alone: OUT-left.mp4, OUT-right.mp4, OUT-also1.mp4."""
    poster: Path | None = None
    """Also write one frame as an image, FILE.png or FILE.jpg: one in which the models differ most."""
    gif: Path | None = None
    """Also write the last 20 s as a GIF, FILE.gif, of at most 8 MB."""
    report: Path | None = None
    """The folder for a web page of this film (index.html, with figures and timelines): OUT-film when not
    given."""
    no_report: bool = False
    """Make no such page."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        refuse_suffix("--out", self.out, ".mp4")
        refuse_outside("--fps", self.fps, 0.1, 120)
        refuse_outside("--threshold", self.threshold, 0, 1)
        refuse_outside("--width", self.width, 320, 3840)
        if len(self.also) > 2:
            raise UsageError(f"--also takes one or two more models, not {len(self.also)}.")
        refuse_suffix("--poster", self.poster, *STILLS)
        refuse_suffix("--gif", self.gif, ".gif")

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
    def captions_path(self) -> Path | None:
        """The file of captions, or None."""
        return self.out.with_suffix(".vtt") if self.teach else None

    @property
    def report_folder(self) -> Path | None:
        """The folder of the page, or None."""
        return None if self.no_report else self.report or self.out.with_name(f"{self.out.stem}-film")
