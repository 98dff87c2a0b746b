"""The options of `vector-tl demo`."""

import sys
from dataclasses import dataclass
from pathlib import Path

from vector_tl.errors import UsageError

# Of the rooms 204 to 216 the one in which both models' recall is nearest to theirs on the test sessions.
WORLD = 207


@dataclass(frozen=True)
class DemoSettings:
    """Let a Vector find another one, and film what two models saw: one pretrained, one trained from scratch.

    Without a robot both Vectors are simulated. What is finished is not made again: a second start says where
    things are.

    Example: vector-tl demo

    Example: vector-tl demo --robot 00e20100
    """

    world: int | None = None
    """Seed of the simulated room: 207 when not given. Each has its own furniture and its own places for the
    robots."""
    robot: str | None = None
    """Serial number of a real robot in sdk_config.ini. The command says first what will happen, and waits for
    Enter; the robot drives at 40 mm/s at most until `vector-tl doctor --wheels` has shown that it always
    stops."""
    seconds: float = 60.0
    """Give up the search after so many seconds of the robot's time."""
    out: Path | None = None
    """Folder for the film and all else: runs/demo, with the world's number or the robot's serial when one is
    given."""
    again: bool = False
    """Make everything again, also what is finished."""
    yes: bool = False
    """With --robot: do not wait for Enter. Without a terminal nothing is driven without this."""
    open: bool = False
    """Open the film in a video player, also where this runs without a terminal or over SSH. In a terminal on
    a computer with a screen it is opened anyway."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.robot is not None and self.world is not None:
            raise UsageError("--world is of the simulator, and --robot is a real robot; leave one out.")
        if self.robot == "sim":
            raise UsageError("--robot takes a real robot's serial; leave it out for a simulated one.")
        if self.yes and self.robot is None:
            raise UsageError("--yes goes with --robot SERIAL; a simulated robot asks nothing.")
        if not self.seconds > 0:
            raise UsageError(f"--seconds must be above 0, not {self.seconds:g}.")
        if self.robot is not None and not self.yes and not (sys.stdin and sys.stdin.isatty()):
            raise UsageError(
                "--robot drives, and there is no terminal here to ask first: add --yes to agree."
            )

    @property
    def room(self) -> int:
        """The simulated world's seed."""
        return WORLD if self.world is None else self.world

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        which = self.robot if self.robot is not None else self.world
        return self.out or Path("runs") / ("demo" if which is None else f"demo-{which}")
