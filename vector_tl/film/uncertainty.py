"""How sure a share of a film's frames is, although frames that follow each other are alike."""

from collections.abc import Sequence

import numpy as np

BLOCK_S = 1.0
MIN_BLOCKS = 5  # fewer say nothing about how much they differ


def share_interval(
    times_s: Sequence[float], found: Sequence[int], there: Sequence[int], draws: int = 2000
) -> tuple[float, float] | None:
    """The 95 % interval of `sum(found) / sum(there)`, by a bootstrap over blocks of a second.

    Frames of one second show nearly the same, so whole seconds are drawn (a block bootstrap; H. R. Kuensch,
    Annals of Statistics 17 (1989) 1217-1241). What lasts longer than a second makes the true one wider.

    Args:
        times_s: when each image was shown.
        found: for each image, how many Vectors were found in it.
        there: for each image, how many it shows.
        draws: how many samples are drawn, always the same ones.

    Returns:
        The interval, None where the images that show a Vector fill fewer than `MIN_BLOCKS` seconds.
    """
    blocks = (np.asarray(times_s) // BLOCK_S).astype(int)
    size = int(blocks.max(initial=-1)) + 1
    by_block = np.stack([np.bincount(blocks, weights, size) for weights in (found, there)])  # (2, B)
    by_block = by_block[:, by_block[1] > 0]
    count = by_block.shape[1]
    if count < MIN_BLOCKS:
        return None
    drawn = by_block[:, np.random.default_rng(0).integers(0, count, (draws, count))].sum(2)  # (2, draws)
    low, high = np.percentile(drawn[0] / drawn[1], (2.5, 97.5))
    return float(low), float(high)
