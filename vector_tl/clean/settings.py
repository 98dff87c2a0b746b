"""The options of `vector-tl clean`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from vector_tl.errors import UsageError

GROUPS = ("leftovers", "downloads", "caches", "runs")


@dataclass(frozen=True)
class CleanSettings:
    """Say what lies in runs/, in caches, and what killed runs left; remove what you name, with --yes.

    Datasets, models, and polls with their votes are never removed, wherever they lie, and neither is what a
    program has open. Without --yes nothing is removed: it shows what would be.

    Example: vector-tl clean

    Example: vector-tl clean leftovers runs/first.mcap --yes
    """

    what: Positional[Annotated[tuple[str, ...], arg(metavar="WHAT")]] = ()
    """What to remove: leftovers (of killed runs), downloads (COCO weights, which are fetched again when
    needed), caches (compiled models; compiled shaders and fonts, which other programs use too), runs (all in
    it that may be removed), or the path of one thing that it lists. Without any it only lists."""
    older_than: float | None = None
    """Remove only what has not changed for so many days."""
    yes: bool = False
    """Remove it."""
    runs: Path = Path("runs")
    """Folder of runs: recordings, films, reports."""
    data: Path = Path("data")
    """Dataset, in which only leftovers of killed runs are looked for."""
    models: Path = Path("models")
    """Folder of models, in which only leftovers of killed runs are looked for."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.older_than is not None and not self.older_than >= 0:
            raise UsageError(f"--older-than must be 0 days or more, not {self.older_than:g}.")
        if self.yes and not self.what:
            raise UsageError(f"--yes needs what to remove: {', '.join(GROUPS)}, or a path.")
