"""The last lines of each command: the one place that says what goes on from where."""

from collections.abc import Callable
from typing import Any

from vector_tl.next_steps import of_data, of_machine, of_models, of_robots
from vector_tl.next_steps.forms import Ending
from vector_tl.next_steps.of_demo import after_demo

ENDINGS: dict[str, Callable[[Any, dict[str, Any]], Ending]] = {
    "demo": after_demo,
    "doctor": of_robots.after_doctor,
    "sim rpcs": of_machine.after_rpcs,
    "sim fault": of_robots.after_fault,
    "capture": of_data.after_capture,
    "label import": of_data.after_import,
    "label export": of_data.after_export,
    "label check": of_data.after_check,
    "label split": of_data.after_split,
    "label suggest": of_data.after_suggest,
    "label review": of_data.after_review,
    "label mine": of_data.after_mine,
    "train": of_models.after_train,
    "compare": of_models.after_compare,
    "lesson": of_models.after_lesson,
    "retrain": of_models.after_retrain,
    "evaluate": of_models.after_evaluate,
    "detect": of_models.after_detect,
    "watch": of_models.after_watch,
    "find": of_robots.after_find,
    "stop": of_robots.after_stop,
    "export": of_models.after_export,
    "film": of_models.after_film,
    "poll": of_models.after_poll,
    "bench": of_machine.after_bench,
    "clean": of_machine.after_clean,
}


def ending(command: str, settings: Any, result: dict[str, Any]) -> Ending:
    """The last lines of a command that has done its work; empty ones where there is nothing to say.

    Problems that `label check` found are its work, although it fails then.

    Args:
        command: its name, such as `label import`.
        settings: its settings.
        result: what it is going to print as JSON.
    """
    if command not in ENDINGS or ("error" in result and "problems" not in result):
        return Ending()
    return ENDINGS[command](settings, result)
