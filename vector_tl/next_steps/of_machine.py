"""After commands that measure this machine, or say what lies on it."""

from typing import Any

from vector_tl.next_steps.forms import Ending, Step, typed

Result = dict[str, Any]
NEXT_SUBJECT = {"detect": "find", "find": "film", "film": "sim", "sim": "detect", "train": "detect"}


def after_bench(settings: Any, result: Result) -> Ending:
    """A ratio needs a word; what else can be measured."""
    means = (
        "A ratio above 1 is better than its baseline, which was measured in the same run. Other programs "
        "that run meanwhile make both slower."
    )
    other = NEXT_SUBJECT.get(settings.what, "detect")
    return Ending(means, (Step(typed("bench", other), "Measure something else"),))


def after_clean(settings: Any, result: Result) -> Ending:
    """What was shown can be removed; after that there is a shorter list."""
    if settings.yes:
        return Ending(steps=(Step(typed("clean"), "See what is left"),))
    if result["chosen_bytes"]:
        words = [*settings.what, *(("--older-than", settings.older_than) if settings.older_than else ())]
        return Ending(
            "Nothing was removed so far.", (Step(typed("clean", *words, "--yes"), "Remove what would go"),)
        )
    if any(entry["group"] == "leftovers" for entry in result["entries"]):
        step = Step(typed("clean", "leftovers"), "See what of it killed runs left; nothing is removed")
        return Ending("Nothing was removed.", (step,))
    return Ending()


def after_rpcs(_settings: Any, _result: Result) -> Ending:
    """A list of calls is there for programs that make them."""
    start = typed("sim", "--home", "runs/sim", "--view")
    return Ending("Each of these calls is answered.", (Step(start, "Start a Vector that answers them"),))
