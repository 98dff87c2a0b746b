"""The options of `vector-tl poll`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import tyro

from vector_tl.errors import UsageError, refuse_outside
from vector_tl.web.hosts import is_loopback

HOURS = 24.0
INVITATIONS = 64  # a class
MAX_TEXT = 300  # of the question and the contact


@dataclass(frozen=True)
class PollSettings:
    """Let people vote, blindly, which of two models is better: make films of both and a page, and take votes.

    Example: vector-tl poll runs/first.mcap --left scratch --right transfer --out runs/poll

    Serve it again, with the votes so far: vector-tl poll runs/poll

    The result: vector-tl poll runs/poll --result --json
    """

    input: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="INPUT")]]
    """For a new poll: a recording, a video or a folder of images, with --left, --right and --out. For an
    existing poll: its folder."""
    left: str | None = None
    """One model: a file, or a name in models/. Each voter sees it on the left or on the right, at random."""
    right: str | None = None
    """The other model."""
    out: Path | None = None
    """The folder of the new poll: films, votes, and the secret of which film is whose."""
    hours: float | None = None
    """How long people can vote, counted from the first serving or export: 24 when not given. For a poll that
    is open already: its new length."""
    host: str = "127.0.0.1"
    """The address to serve on. With 0.0.0.0 other computers can reach the page, whose address then has a
    token; by default only this one can."""
    port: int | None = None
    """The port to serve on: the same as last time, or a free one, when not given."""
    url: str | None = None
    """The address that voters use, if another server passes them on to this page: for instance
    https://poll.example.org."""
    threshold: float = 0.5
    """Show a box when the model is at least this sure (0 to 1); the same for both models."""
    fps: float | None = None
    """Frames per second of the films: the input's own when not given."""
    width: int = 640
    """Width of each film in pixels."""
    device: str = "auto"
    """Where the models run: auto, cpu or cuda (an NVIDIA GPU)."""
    question: str = "Which one marks the other robot better?"
    """The question on the page."""
    contact: str = ""
    """Where voters of an exported poll send their code, for instance an e-mail address; shown on the page."""
    invitations: int | None = None
    """Make this many personal addresses, one vote each (written to invitations.txt in the poll's folder):
    64 when not given and the page leaves this computer at first (--host, --url, --export), else 0. With 0
    there is one vote for each browser."""
    result: bool = False
    """Give the result instead of serving. It names the models once voting has closed."""
    reveal: bool = False
    """Name the models before voting has closed."""
    csv: Path | None = None
    """Write the votes to this file instead of serving."""
    export: Path | None = None
    """Write the page and the films to this folder, for any web host, instead of serving. Voters then send
    back a code."""
    take_votes: Path | None = None
    """Count the codes in this text file (e-mails or notes, with one code or many) instead of serving."""
    close: bool = False
    """Close the voting now, instead of serving."""
    no_serve: bool = False
    """Make the poll, and do not serve it."""
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

    @property
    def leaves(self) -> bool:
        """Whether others than this computer's users are to reach the page."""
        return self.export is not None or self.url is not None or not is_loopback(self.host)

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.makes and not (self.left and self.right and self.out):
            raise UsageError(
                "A new poll needs --left MODEL, --right MODEL and --out DIR; an existing one only its folder."
            )
        if not self.makes and self.invitations:
            raise UsageError(
                "--invitations is for a new poll; who may vote in an existing one does not change."
            )
        if self.hours is not None and not 0 < self.hours <= 24 * 366:
            raise UsageError(f"--hours must be more than 0 and at most a year, not {self.hours:g}.")
        refuse_outside("--port", self.port, 0, 65535)
        refuse_outside("--threshold", self.threshold, 0, 1)
        refuse_outside("--fps", self.fps, 0.1, 120)
        refuse_outside("--width", self.width, 160, 1920)
        refuse_outside("--invitations", self.invitations, 0, 100_000)
        for name, text in (("question", self.question), ("contact", self.contact)):
            if len(text) > MAX_TEXT:
                raise UsageError(f"--{name} must have at most {MAX_TEXT} characters, not {len(text)}.")
        url = urlsplit(self.url or "https://none")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise UsageError(f"--url must be a web address such as https://poll.example.org, not {self.url}.")
