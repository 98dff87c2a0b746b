"""TensorFlow's release file with COCO's weights: where it lies, and that it is the right one."""

import os
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.nets.downloads import NotDownloaded, cache_folder, cached_bytes, download, right_bytes

FILE = "detect.tflite"
SHA256 = "e4b118e5e4531945de2e659742c7c590f7536f8d0ed26d135abcfe83b4779d13"
ARCHIVE = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.zip"
RELEASE = f"https://storage.googleapis.com/download.tensorflow.org/models/tflite/{ARCHIVE}"
VARIABLE = "VECTOR_TL_COCO"


def find_weights(coco: Path | None = None, fetch: bool = True) -> Path:
    """TensorFlow's release file, verified by its checksum.

    Args:
        coco: the file or its folder; else the environment variable VECTOR_TL_COCO names it, or it is in the
            user's cache.
        fetch: whether to download it where it is not there.

    Raises:
        UserError: it is nowhere, cannot be downloaded, or is another file than TensorFlow released.
    """
    named = coco or os.environ.get(VARIABLE)
    if named:
        path = Path(named)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise UserError(
                f"There are no COCO weights at {path}; "
                f"give the release file {FILE} or the folder that holds it."
            )
        return _verified(path)
    cached, failed = cache_folder() / FILE, ""
    if cached_bytes(cached, SHA256):
        return cached
    if fetch:
        try:
            download(RELEASE, cached, SHA256, member=FILE)
            return cached
        except NotDownloaded as error:
            failed = f" and could not be downloaded ({error})"
    raise UserError(
        f"TensorFlow's COCO weights are not here{failed}; "
        f"download {RELEASE} elsewhere and put {FILE} from it into {cache_folder()}, "
        f"or name it with --coco or {VARIABLE}."
    )


def _verified(path: Path) -> Path:
    if right_bytes(path, SHA256) is None:
        raise UserError(
            f"{path} is not TensorFlow's release file (its checksum differs); "
            f"unpack {FILE} again from {ARCHIVE}."
        )
    return path
