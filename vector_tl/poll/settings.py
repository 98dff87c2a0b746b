"""What `vector-tl poll` can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import tyro

from vector_tl.errors import UsageError

HOURS = 24.0
LONGEST_TEXT = 300  # of the question and the contact


@dataclass(frozen=True)
class PollSettings:
    """A blind vote on which of two models people like better: make its films and its page, and take votes.

    Example: vector-tl poll runs/first.mcap --left scratch --right transfer --out runs/poll

    Again, with the votes so far: vector-tl poll runs/poll

    The result: vector-tl poll runs/poll --result --json
    """

    input: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="INPUT")]]
    """A recording, a video or a folder of images to make a poll of (with --left, --right and --out); or the folder of a poll."""
    left: str | None = None
    """One model: a checkpoint's path, or a name in models/. Which side a voter sees it on is drawn for each."""
    right: str | None = None
    """The other model."""
    out: Path | None = None
    """The poll's folder, to be made: films, votes and the key to which film is whose."""
    hours: float | None = None
    """How long people can vote, from the first serving or export on (24 when not given); for an open poll: its new length."""
    host: str = "127.0.0.1"
    """The address to serve on; others than this machine reach it with 0.0.0.0."""
    port: int | None = None
    """The port to serve on: the same as the time before, or a free one, when not given."""
    url: str | None = None
    """Where voters find the page when something in front passes it on, for instance https://poll.example.org."""
    threshold: float = 0.5
    """Show boxes from this score on, for both models alike."""
    fps: float | None = None
    """Frames a second of the films: the input's own when not given."""
    width: int = 640
    """Width of each film in pixels."""
    device: str = "auto"
    """Where the detectors run: auto, cpu or cuda."""
    question: str = "Which one marks the other robot better?"
    """What the page asks."""
    contact: str = ""
    """Where voters of an exported poll send their code, for instance a mail address; shown on the page."""
    invitations: int = 0
    """Make so many personal addresses, one vote each (they go to invitations.txt in the poll's folder); 0: one vote per browser."""
    result: bool = False
    """Give the result instead of serving. Which film is whose is said once voting has closed."""
    reveal: bool = False
    """Say which film is whose before voting has closed."""
    csv: Path | None = None
    """Write the votes to this file instead of serving."""
    export: Path | None = None
    """Write the page and the films to this folder, to be hosted anywhere, instead of serving; a vote then is a code that voters send back."""
    take_votes: Path | None = None
    """Count the codes in this text file (mails, notes, one or many), instead of serving."""
    close: bool = False
    """Close the voting now, instead of serving."""
    no_serve: bool = False
    """Make the poll and end."""
    overwrite: bool = False
    """Replace an existing CSV file or export. A poll's folder is never replaced: it may hold votes."""

    @property
    def makes(self) -> bool:
        """Whether a new poll is to be made."""
        return self.left is not None or self.right is not None or self.out is not None

    @property
    def serves(self) -> bool:
        """Whether the page is to be served."""
        return not (self.result or self.csv or self.export or self.take_votes or self.close or self.no_serve)

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.makes and not (self.left and self.right and self.out):
            raise UsageError(
                "A new poll needs --left MODEL, --right MODEL and --out DIR; an existing one is named by its folder alone."
            )
        if not self.makes and self.invitations:
            raise UsageError(
                "--invitations is for a new poll; who may vote in an existing one does not change."
            )
        if self.hours is not None and not 0 < self.hours <= 24 * 366:
            raise UsageError(f"--hours must be more than 0 and at most a year, not {self.hours:g}.")
        if self.port is not None and not 0 <= self.port <= 65535:
            raise UsageError(f"--port must be from 0 to 65535, not {self.port}.")
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"--threshold must be between 0 and 1, not {self.threshold:g}.")
        if self.fps is not None and not 0.1 <= self.fps <= 120:
            raise UsageError(f"--fps must be between 0.1 and 120, not {self.fps:g}.")
        if not 160 <= self.width <= 1920:
            raise UsageError(f"--width must be between 160 and 1920, not {self.width}.")
        if not 0 <= self.invitations <= 100_000:
            raise UsageError(f"--invitations must be from 0 to 100000, not {self.invitations}.")
        for name, text in (("question", self.question), ("contact", self.contact)):
            if len(text) > LONGEST_TEXT:
                raise UsageError(f"--{name} must have at most {LONGEST_TEXT} characters, not {len(text)}.")
        if self.url is not None and (
            urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname
        ):
            raise UsageError(f"--url must be a web address such as https://poll.example.org, not {self.url}.")
