"""One builder for both networks, whatever their initial weights."""

import logging
from pathlib import Path

from torch import Tensor

from vector_tl.errors import UserError
from vector_tl.nets import mobilenet_v1, mobilenet_v3, state_dict
from vector_tl.nets.archs import VECTOR
from vector_tl.nets.checkpoint import load
from vector_tl.nets.coco_file import find_weights
from vector_tl.nets.model_file import resolve
from vector_tl.nets.networks import make_network
from vector_tl.nets.ssd import VectorSSD
from vector_tl.nets.tflite import load_coco

log = logging.getLogger(__name__)


def build(
    arch: str,
    init: str | Path,
    seed: int = 0,
    coco: Path | None = None,
    classes: tuple[str, ...] = VECTOR,
    images: Tensor | None = None,
) -> VectorSSD:
    """A network ready to train.

    Args:
        arch: one of `archs.ARCHS`.
        init: `scratch` (random weights, nothing pretrained anywhere), `coco`, an own checkpoint (name or
            path), or the path of a torchvision state dict (.pt, .pth) of the same network with any number of
            classes.
        seed: of all random weights; a fresh class head is the same whatever the other initial weights are.
        coco: where TensorFlow's weights are, for `ssd300_mobilenet_v1`.
        classes: `VECTOR`, or COCO's 90 (`tflite.COCO_CLASSES`) to check the port.
        images: (B, 3, h, w) in 0..1 to measure the re-inserted BatchNorm on.

    Raises:
        UsageError: an unknown `arch`.
        UserError: weights or checkpoint are missing or of another network.
    """
    model = make_network(arch, seed, classes)
    if init == "scratch":
        return model
    if init == "coco":
        if arch == mobilenet_v1.ARCH:
            load_coco(model, find_weights(coco), images)
        else:
            mobilenet_v3.load_coco(model)
        model.init = "coco"
    elif Path(init).suffix.lower() in state_dict.SUFFIXES:
        state_dict.load_state_dict(model, Path(init))
        model.init = Path(init).stem
    else:
        _load_own(model, init)
    return model


def _load_own(model: VectorSSD, init: str | Path) -> None:
    """Copy all weights of an own checkpoint, the class head among them."""
    try:
        path = resolve(init)
    except UserError as error:
        raise UserError(
            f"--init takes coco, scratch, a file of weights from torchvision (.pt, .pth) or a model. {error}"
        ) from error
    source, metadata = load(path)
    if metadata["arch"] != model.arch:
        raise UserError(f"{path} holds {metadata['arch']}, not {model.arch}; add --arch {metadata['arch']}.")
    model.load_state_dict(source.state_dict())
    log.info("%s: all %d tensors loaded, the class head among them", path, len(model.state_dict()))
    model.init = source.init  # where the checkpoint's own initial weights came from
