"""A detector's outcomes on the images of a dataset."""

import numpy as np

from vector_tl.data.dataset import Dataset, Item
from vector_tl.detect.interface import ImageDetector
from vector_tl.detect.many import in_order
from vector_tl.evaluate.metrics import AP_SCORE, Outcome
from vector_tl.evaluate.recorded import RecordedDataset
from vector_tl.nets.calibration import UNCALIBRATED
from vector_tl.progress import track


def run_detector(detector: ImageDetector, dataset: Dataset | RecordedDataset) -> list[Outcome]:
    """The detector's boxes on every image, all that AP needs, beside the ground truth."""
    calibration = getattr(detector, "calibration", UNCALIBRATED)
    lowest = float(calibration(AP_SCORE))
    # of a recording only its end says how many there are
    total = len(dataset) if isinstance(dataset, Dataset) else None

    def look(item: Item) -> Outcome:
        image = item.image()
        size_wh = (image.shape[1], image.shape[0])
        found = detector(image, threshold=lowest)
        finite = np.isfinite(found.boxes_xyxy).all(axis=1) & np.isfinite(found.scores)
        scores = found.scores[finite]
        own_scores = calibration.own_scores(scores)
        return Outcome(size_wh, item.boxes_xyxy(size_wh), found.boxes_xyxy[finite], scores, own_scores)

    done = in_order(look, dataset.items, getattr(detector, "lanes", 1))
    return list(track(done, "evaluate", total))
