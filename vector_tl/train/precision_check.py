"""What a training does last: see in which faster precisions a CPU may run the model."""

import logging

from vector_tl.data.dataset import Dataset, Item
from vector_tl.evaluate.precisions import settle_precisions
from vector_tl.train.settings import TrainSettings

log = logging.getLogger(__name__)


def check_precisions(settings: TrainSettings, val_items: list[Item]) -> None:
    """Note thresholds for the precisions in which the model finds as much, and say what came out.

    The model is finished, whatever comes of it: it runs in fp32 then.

    Args:
        settings: of the training.
        val_items: the images that chose the model.
    """
    out, data = settings.out, settings.data
    try:
        log.info(settle_precisions(out, Dataset(data, "val", val_items, 0), settings.threads))
    except Exception as error:  # of many kinds, OpenVINO's own among them
        log.warning(
            "%s was not checked in faster precisions, so it runs in fp32 (%s: %s); to try again: vector-tl "
            "evaluate %s --data %s --check-precisions",
            *(out.stem, type(error).__name__, error, out, data),
        )
