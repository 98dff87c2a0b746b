"""One builder for both networks and every start."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from vector_tl.errors import UsageError, UserError
from vector_tl.nets import mobilenet_v1, mobilenet_v3, state_dict
from vector_tl.nets.ssd import VectorSSD

log = logging.getLogger(__name__)
ARCHS = (mobilenet_v1.ARCH, mobilenet_v3.ARCH)
VECTOR = ("vector",)


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
        arch: one of `ARCHS`.
        init: `scratch` (random weights, nothing pretrained anywhere), `coco`, an own checkpoint (name or path), or the path of a torchvision state dict
            (.pt, .pth) of the same network with any number of classes.
        seed: of all random weights; the fresh class head is the same from either start.
        coco: where TensorFlow's weights are, for `ssd300_mobilenet_v1`.
        classes: `VECTOR`, or COCO's 90 (`tflite.COCO_CLASSES`) to check the port.
        images: (B, 3, h, w) in 0..1 to measure the re-inserted BatchNorm on.

    Raises:
        UsageError: an unknown `arch`.
        UserError: weights or checkpoint are missing or of another network.
    """
    if arch not in ARCHS:
        raise UsageError(f"There is no network {arch!r}; choose one of {', '.join(ARCHS)}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = (mobilenet_v1 if arch == mobilenet_v1.ARCH else mobilenet_v3).make(classes)
    if init == "scratch":
        return model
    if init == "coco":
        if arch == mobilenet_v1.ARCH:
            from vector_tl.nets.tflite import find_weights, load_coco

            load_coco(model, find_weights(coco), images)
        else:
            mobilenet_v3.load_coco(model)
        model.init = "coco"
        return model
    if Path(init).suffix.lower() in state_dict.SUFFIXES:
        state_dict.take_over(model, Path(init))
        model.init = Path(init).stem
        return model
    from vector_tl.nets.checkpoint import load, resolve

    try:
        path = resolve(init)
    except UserError as error:
        raise UserError(
            f"--init takes coco, scratch, a state dict (.pt, .pth) or a model. {error}"
        ) from error
    source, metadata = load(path)
    if metadata["arch"] != arch:
        raise UserError(f"{path} holds {metadata['arch']}, not {arch}; add --arch {metadata['arch']}.")
    model.load_state_dict(source.state_dict())
    log.info("%s: all %d tensors taken over, the class head among them", path, len(model.state_dict()))
    model.init = source.init  # where its first weights came from
    return model
