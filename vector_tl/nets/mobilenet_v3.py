"""`ssdlite320_mobilenet_v3_large`: torchvision's network, with this project's scores and loss."""

import io
from functools import partial

import torch
from torch import nn
from torchvision.models.detection import SSDLite320_MobileNet_V3_Large_Weights, ssdlite320_mobilenet_v3_large
from torchvision.models.detection.ssdlite import SSDLiteHead

from vector_tl.errors import UserError
from vector_tl.nets.downloads import cached_bytes, download, torchvision_folder
from vector_tl.nets.ssd import CLASS_BIAS, VectorSSD
from vector_tl.nets.state_dict import load_same_shapes

ARCH = "ssdlite320_mobilenet_v3_large"
SIZE_WH = (320, 320)
MAP_SIZES = [(20, 20), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]
MAP_CHANNELS = [672, 480, 512, 256, 256, 128]
COCO_URL = SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.url
COCO_SHA256 = "a79551df90c79834bcd3bb3845ef9d966b5449a3a9b2833ae8404778ca5d65d2"  # its name begins so, too


def make(classes: tuple[str, ...]) -> VectorSSD:
    """The network with random weights.

    Neither COCO's weights nor, what torchvision's default argument would bring, ImageNet's.
    """
    plain = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=len(classes) + 1)
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    head = SSDLiteHead(MAP_CHANNELS, plain.anchor_generator.num_anchors_per_location(), len(classes), norm)
    head.regression_head = plain.head.regression_head
    model = VectorSSD(
        ARCH, plain.backbone, plain.anchor_generator, head, SIZE_WH, classes, 0.5, 0.5, MAP_SIZES
    )
    for block in model.head.classification_head.module_list:
        nn.init.constant_(block[-1].bias, CLASS_BIAS)
    return model


def load_coco(model: VectorSSD) -> None:
    """Fill backbone and box head with torchvision's COCO_V1 weights, downloaded on first use.

    They lie where torchvision keeps them. Its own loader runs what code such a file holds, and checks its
    checksum only when it downloads it; here no code is run, and the checksum is checked before every use.

    Raises:
        UserError: the file is not here and cannot be downloaded.
    """
    path = torchvision_folder() / COCO_URL.rsplit("/", 1)[1]
    data = cached_bytes(path, COCO_SHA256) or download(COCO_URL, path, COCO_SHA256)
    if data is None:
        raise UserError(
            f"torchvision's COCO weights are not here and could not be downloaded; download {COCO_URL} "
            f"elsewhere and put it into {path.parent}."
        )
    load_same_shapes(model, torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
