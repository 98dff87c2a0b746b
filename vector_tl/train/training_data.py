"""The images of a training: to train on, to evaluate on, and to choose the threshold with."""

import logging
import math
from dataclasses import dataclass

import numpy as np

from vector_tl.data.dataset import Item, load_dataset
from vector_tl.errors import UsageError, UserError
from vector_tl.plain import counted
from vector_tl.train.batches import Images, files_below, keep_folder, keep_images, own_images
from vector_tl.train.paste import Cutout, cut_out, refuse_without_masks
from vector_tl.train.ranks import Ranks
from vector_tl.train.settings import TrainSettings

log = logging.getLogger(__name__)
HELD_OUT = 10  # one background in so many is not trained on but helps choose the threshold
DEFAULT_EPOCHS = 20


@dataclass(frozen=True)
class TrainingData:
    """Images of a training, in memory.

    Attributes:
        training: images to train on.
        validation: images to evaluate on.
        val_items: the same, as files.
        backgrounds: images without a Vector to train on as well.
        negatives: sets of images without a Vector that only help choose the threshold.
        cutouts: Vectors to paste, where that is asked for.
        sessions: those that `training` and `validation` come from.
    """

    training: Images
    validation: Images
    val_items: list[Item]
    backgrounds: Images | None
    negatives: list[Images]
    cutouts: list[Cutout]
    sessions: set[str]


def load_training_data(
    settings: TrainSettings, items: tuple[list[Item], list[Item]] | None, ranks: Ranks
) -> TrainingData:
    """Read all images; they are decoded now, or for each batch where they are many.

    Args:
        settings: of `vector-tl train`.
        items: to train on and to evaluate on, instead of the train and val sessions of `settings.data`.
        ranks: only the first process logs a warning.

    Raises:
        UsageError: `--images` asks for more images than there are.
        UserError: an image cannot be read, or no image to train on shows a Vector.
    """
    train_items, val_items = items or (
        load_dataset(settings.data, "train").items,
        load_dataset(settings.data, "val").items,
    )
    chosen = choose_items(train_items, settings.images, settings.seed)
    folders = [*settings.backgrounds, *([settings.negatives] if settings.negatives else [])]
    count = len(chosen) + len(val_items) + len(files_below(*folders))
    encoded = count > settings.max_decoded
    training, validation = keep_images(chosen, encoded), keep_images(val_items, encoded)
    if not training.with_boxes:
        raise UserError(
            f"No image to train on shows a Vector, of {len(training)} there; label some, or "
            "divide the sessions with vector-tl label split."
        )
    if not validation.with_boxes and ranks.first:
        log.warning(
            "The val sessions show no Vector, so there is no AP and the last model is kept; "
            "divide the sessions with vector-tl label split."
        )
    backgrounds: Images | None = None
    negatives: list[Images] = []
    if settings.backgrounds:
        backgrounds, negatives = hold_out(keep_folder(*settings.backgrounds, encoded=encoded))
    if settings.negatives:
        negatives.append(keep_folder(settings.negatives, encoded=encoded))
    cutouts: list[Cutout] = []
    if settings.paste:
        refuse_without_masks(settings.data, chosen)
        cutouts = cut_out(settings.data, chosen, settings.seed)
        if not cutouts:
            raise UserError(
                f"--paste: no Vector in the masks of {settings.data} is large enough and whole; capture more "
                "with vector-tl capture --robot sim --masks."
            )
    sessions = {item.session for item in (*train_items, *val_items)}
    return TrainingData(training, validation, val_items, backgrounds, negatives, cutouts, sessions)


def hold_out(backgrounds: Images) -> tuple[Images, list[Images]]:
    """The backgrounds to train on, and every tenth, which is not trained on; none of fewer than ten."""
    if len(backgrounds) < HELD_OUT:
        return backgrounds, []
    trained_on = [i for i in range(len(backgrounds)) if i % HELD_OUT]
    return backgrounds.part(trained_on), [backgrounds.part(slice(0, None, HELD_OUT))]


def choose_items(items: list[Item], count: int | None, seed: int) -> list[Item]:
    """`count` of the images, or all, in their order.

    By the same seed a smaller choice is part of a larger one.

    Raises:
        UsageError: there are not so many.
    """
    if count is None:
        return items
    if count > len(items):
        raise UsageError(
            f"--images {count} is more than the train sessions hold: {counted(len(items), 'image')}."
        )
    chosen = set(np.random.default_rng([seed, 685]).permutation(len(items))[:count].tolist())
    return [item for number, item in enumerate(items) if number in chosen]


def count_steps(settings: TrainSettings, data: TrainingData, ranks: Ranks) -> int:
    """The steps of a training; an epoch is over the images of the dataset, not the backgrounds beside them.

    Raises:
        UsageError: a batch cannot be shared by the processes, or has no place for an image of the dataset.
    """
    background_share = settings.background_share if data.backgrounds else 0.0
    own_of_a_batch = ranks.world * own_images(ranks.share(settings.batch_size), background_share)
    epochs = settings.epochs or DEFAULT_EPOCHS
    return settings.steps or math.ceil(epochs * len(data.training) / own_of_a_batch)
