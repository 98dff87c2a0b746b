"""Reliability: whether of the boxes with a confidence of .8 about 80 % are right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vector_tl.evaluate.metrics import Outcome, match
from vector_tl.web.report import Illustration, finish_plot, new_plot, plotted

BINS = 10  # of equal width, as in Guo et al., 2017, arXiv:1706.04599
FEW = 10  # boxes; the share of fewer says little, so they are drawn hollow
COLOR, AS_IT_SHOULD_BE = "#0b8a7a", "#8a8f99"


@dataclass(frozen=True)
class ReliabilityBin:
    """Boxes with confidences in a range: how many, their mean confidence, and the share that is right."""

    low: float
    high: float
    boxes: int
    confidence: float
    right: float


def reliability(outcomes: Sequence[Outcome]) -> list[ReliabilityBin]:
    """Boxes by confidence, bins without any left out; right is a box that matches a label at IoU >= .5."""
    if not outcomes:
        return []
    scores = np.concatenate([outcome.scores for outcome in outcomes])
    right = np.concatenate([match(outcome)[1] for outcome in outcomes])
    number = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        ReliabilityBin(
            bin_ / BINS,
            (bin_ + 1) / BINS,
            int(chosen.sum()),
            float(scores[chosen].mean()),
            float(right[chosen].mean()),
        )
        for bin_ in range(BINS)
        if (chosen := number == bin_).any()
    ]


@plotted
def reliability_plot(bins: Sequence[ReliabilityBin]) -> Illustration:
    """The share of right boxes over their confidence; on the diagonal, a confidence is what it says."""
    figure, axes = new_plot(4.5, 3.6)
    axes.plot([0, 1], [0, 1], color=AS_IT_SHOULD_BE, linewidth=1, label="as it should be")
    axes.plot([b.confidence for b in bins], [b.right for b in bins], color=COLOR, linewidth=1.8)
    for few in (False, True):
        some = [b for b in bins if (b.boxes < FEW) is few]
        face = "white" if few else COLOR
        label = f"fewer than {FEW} boxes" if few else f"{FEW} boxes or more"
        axes.scatter(
            [b.confidence for b in some], [b.right for b in some], color=face, edgecolors=COLOR, zorder=3,
            label=label,
        )  # fmt: skip
    for b in bins:
        axes.annotate(str(b.boxes), (b.confidence, b.right), (4, -10), textcoords="offset points", fontsize=7)
    axes.set(xlim=(0, 1), ylim=(-0.05, 1.05), xlabel="confidence of a box", ylabel="share that is right")
    return finish_plot(figure, "How often boxes are right, by their confidence; numbers of boxes beside")
