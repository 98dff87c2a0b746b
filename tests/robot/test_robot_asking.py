"""When control is asked for again, told as stories of times."""

import pytest

from vector_tl.robot.asking import Asking

pytestmark = pytest.mark.fast


def ask_times(story: list[tuple[float, str]], until_s: float = 200.0) -> list[float]:
    """When it asks; a grant follows 0.1 s after each request where the story says `open`, else never."""
    asking, asked, is_open, grant_s = Asking(), [], True, None
    story = sorted(story)
    for tenth in range(round(until_s * 10)):
        now_s = tenth / 10
        while story and story[0][0] <= now_s:
            _, event = story.pop(0)
            if event in ("open", "shut"):
                is_open = event == "open"
            else:
                {"lost": asking.lost, "granted": asking.granted, "cause": asking.saw_cause}[event](now_s)
        if grant_s is not None and now_s >= grant_s and is_open:
            asking.granted(now_s)
            grant_s = None
        if asking.is_due(now_s):
            asked.append(now_s)
            grant_s = now_s + 0.1
    return asked


@pytest.mark.parametrize(
    ("story", "asked"),
    [
        ([], []),
        ([(10, "lost")], [11]),
        ([(10, "lost"), (10.5, "granted")], []),  # the robot's own behaviour was soon over
        ([(10, "lost"), (20, "lost")], [11]),  # taken back once, and that is all
        ([(10, "lost"), (100, "lost")], [11, 101]),  # long ago
        ([(10, "cause"), (10, "lost"), (20, "lost")], [11, 21]),  # an edge took it: no other program
        ([(10, "lost"), (10.5, "cause"), (20, "lost")], [11, 21]),
        ([(10, "shut"), (10, "lost"), (19, "open"), (30, "lost")], [11, 31]),  # it waited for a behaviour
        ([(10, "lost"), (10.2, "lost")], [11]),
    ],
)
def test_it_asks_again_and_never_fights(story, asked):
    assert ask_times(story) == pytest.approx(asked)
