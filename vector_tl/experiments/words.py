"""What the experiments answer, in sentences."""

from typing import Any


def describe(result: dict[str, Any]) -> str:
    """The result of `compare` or `retrain` for a person; the figures are on the page."""
    return "\n".join(result["answer"])
