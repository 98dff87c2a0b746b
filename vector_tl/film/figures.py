"""What a film shows, in words for the terminal."""

from typing import Any

from vector_tl.plain import counted


def describe(result: dict[str, Any]) -> str:
    """The result of `film` for a person."""
    width, height = result["size_wh"]
    lines = [
        f"A film of {result['seconds']:.0f} s, {counted(result['frames'], 'frame')} of {width} x "
        f"{height}, in "
        f"{result['film']}."
    ]
    return "\n".join([*lines, *map(_of_model, result["models"])])


def _of_model(model: dict[str, Any]) -> str:
    """How often a model saw a Vector, and how often rightly where that is known."""
    who = f"  {model['side']}: {model['model']}"
    if not model["labelled_images"] or model["recall"] is None:
        return f"{who} reported a Vector in {model['seen_in']} of {counted(model['images'], 'frame')}."
    there = model["true_positives"] + model["false_negatives"]
    alarms = model["false_positives"]
    return (
        f"{who} found {model['recall']:.0%} of the Vectors ({model['true_positives']} of {there}), "
        f"with {counted(alarms, 'false alarm') if alarms else 'no false alarms'}."
    )
