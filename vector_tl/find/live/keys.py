"""Keys in the terminal that `vector-tl find` runs in."""

from contextlib import AbstractContextManager

from vector_tl.find.live.board import Board
from vector_tl.web.keys import terminal_keys

HELP = "keys: Space or q stop at once, p pause, Enter start or continue"


def keys(live: Board) -> AbstractContextManager[None]:
    """Take keys until the block ends, where standard input is a terminal and ours."""

    def pressed(names: list[str]) -> None:
        if meant := action(names, live.state):
            live.press(meant)

    return terminal_keys(pressed, HELP)


def action(names: list[str], state: str) -> str | None:
    """What keys mean, the strongest first."""
    if {" ", "q", "escape"} & set(names):
        return "stop"
    if "p" in names:
        return "pause" if state == "running" else "start"
    return "start" if "enter" in names else None
