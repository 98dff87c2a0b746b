"""Whether programs are using a file or a folder now."""

import contextlib
import os
from pathlib import Path
from typing import TypedDict

from vector_tl.errors import UserError
from vector_tl.files import read_json
from vector_tl.forms import Count


class _Door(TypedDict):
    """What a simulator writes into its folder."""

    pid: Count


class OpenPlaces:
    """What other processes had open, or were in, when it was made; none where the system does not say."""

    def __init__(self) -> None:
        self._places: set[str] = set()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # of another user, or ended
                if process.name != str(os.getpid()):
                    self._add([process / "cwd", *(process / "fd").iterdir()])

    def _add(self, links: list[Path]) -> None:
        for link in links:
            with contextlib.suppress(OSError):
                self._places.add(os.readlink(link))

    def hold(self, path: Path) -> bool:
        """Whether one of them lies at `path` or below, or a simulator has it as its folder."""
        here = str(path.resolve())
        held = any(place == here or place.startswith(here + os.sep) for place in self._places)
        return held or _simulator_runs(path)


def _simulator_runs(folder: Path) -> bool:
    try:
        door = read_json(folder / "truth.json", form=_Door) if folder.is_dir() else None
        if door:
            os.kill(door["pid"], 0)
    except (UserError, ProcessLookupError):
        return False
    except OSError:  # it is of another user
        return True
    return door is not None
