"""Where the labels (YOLO form) of an image, a video or a recording lie.

DATA/images/<session>/<name>.jpg    DATA/labels/<session>/<name>.txt
run.mcap, clip.mp4                  run.labels/000012.txt, clip.labels/000012.txt: frame 12, counted from 0
"""

from pathlib import Path

import numpy as np

from vector_tl.data.dataset import read_labels


def label_of_image(path: Path) -> np.ndarray | None:
    """Boxes (N, 4) in 0..1 of a dataset's image; None when it has no label.

    Raises:
        UserError: a broken line in the label file.
    """
    path = Path(path).absolute()
    session = path.parent
    if session.parent.name != "images":
        return None
    return read_labels(session.parent.parent / "labels" / session.name / f"{path.stem}.txt")


def labels_beside(source: Path) -> Path | None:
    """The folder with labels of a video's or recording's frames, if there is one."""
    folder = Path(source).with_suffix(".labels")
    return folder if folder.is_dir() else None


def label_of_frame(folder: Path, index: int) -> np.ndarray | None:
    """Boxes (N, 4) in 0..1 of a frame; None when it has no label."""
    return read_labels(folder / f"{index:06d}.txt")
