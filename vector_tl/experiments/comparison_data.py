"""What the trainings of a comparison learn from, and what they are measured on."""

from dataclasses import dataclass

from vector_tl.data.dataset import Item, load_dataset
from vector_tl.errors import UserError
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.train.batches import Images, keep_folder, keep_images


@dataclass(frozen=True)
class ComparisonData:
    """What is trained on and measured: the dataset's images by split, and what is only measured."""

    splits: dict[str, list[Item]]
    real_items: tuple[Item, ...] = ()
    real: Images | None = None
    rooms: Images | None = None


def gather(settings: CompareSettings) -> ComparisonData:
    """Read everything that trainings need and are measured on: what is wrong must show now, not after hours.

    Raises:
        UserError: something is missing; with --page-only, what is only measured may be missing.
    """
    splits = {split: load_dataset(settings.data, split).items for split in ("train", "val", "test")}
    for split, items in splits.items():
        if not any(item.boxes_norm is not None and len(item.boxes_norm) for item in items):
            raise UserError(
                f"The {split} sessions of {settings.data} show no Vector, so nothing can be measured; divide "
                "the sessions anew with vector-tl label split."
            )
    real, rooms = (
        None if path and settings.page_only and not path.exists() else path
        for path in (settings.real, settings.test_negatives)
    )
    real_items = tuple(load_dataset(real, "all").items) if real else ()
    return ComparisonData(
        splits,
        real_items,
        keep_images(list(real_items)) if real else None,
        keep_folder(rooms) if rooms else None,
    )
