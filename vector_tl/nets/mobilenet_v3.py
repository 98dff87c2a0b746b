"""`ssdlite320_mobilenet_v3_large`: torchvision's network, with this project's scores and loss.

Made of torchvision's own blocks from the description in `mobilenet_v3_layers.py`.
"""

import io
from functools import partial

import torch
from torch import nn
from torchvision.models.detection import SSDLite320_MobileNet_V3_Large_Weights
from torchvision.models.detection.ssdlite import SSDLiteFeatureExtractorMobileNet, SSDLiteHead
from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3

from vector_tl.errors import UserError
from vector_tl.nets import mobilenet_v3_layers as layers
from vector_tl.nets.description import NORM_EPS, Description
from vector_tl.nets.downloads import NotDownloaded, cached_bytes, download, torchvision_folder
from vector_tl.nets.ssd import CLASS_BIAS, VectorSSD
from vector_tl.nets.state_dict import load_same_shapes

COCO_URL = SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.url
COCO_SHA256 = "a79551df90c79834bcd3bb3845ef9d966b5449a3a9b2833ae8404778ca5d65d2"  # its name begins so, too


def make(classes: tuple[str, ...], description: Description) -> VectorSSD:
    """The network with random weights, drawn as torchvision draws them.

    Neither COCO's weights nor, what torchvision's default argument would bring, ImageNet's.
    """
    norm = partial(nn.BatchNorm2d, eps=NORM_EPS, momentum=0.03)
    plain = MobileNetV3(_torchvision_blocks(), last_channel=640, norm_layer=norm)
    _draw_convolutions(plain)
    backbone = SSDLiteFeatureExtractorMobileNet(plain.features, layers.SPLIT + 1, norm)
    channels, anchors = description.map_channels, [len(sizes) for sizes in description.anchors_wh]
    # torchvision's has a background class more; its box head, drawn after that, is the one to keep
    boxes = SSDLiteHead(channels, anchors, len(classes) + 1, norm).regression_head
    head = SSDLiteHead(channels, anchors, len(classes), norm)
    head.regression_head = boxes
    model = VectorSSD(description, backbone, head, classes)
    for block in model.head.classification_head.module_list:
        nn.init.constant_(block[-1].bias, CLASS_BIAS)
    return model


def _torchvision_blocks() -> list[InvertedResidualConfig]:
    blocks, inputs = [], layers.STEM
    for kernel, expanded, outputs, squeezes, activation, stride in layers.RESIDUALS:
        short = {"relu": "RE", "hardswish": "HS"}[activation]
        blocks.append(
            InvertedResidualConfig(inputs, kernel, expanded, outputs, squeezes, short, stride, 1, 1.0)
        )
        inputs = outputs
    return blocks


def _draw_convolutions(backbone: nn.Module) -> None:
    """As torchvision draws them where no pretrained backbone is asked for."""
    for layer in backbone.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.03)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def load_coco(model: VectorSSD) -> None:
    """Fill backbone and box head with torchvision's COCO_V1 weights, downloaded on first use.

    They lie where torchvision keeps them. Its own loader runs what code such a file holds, and checks its
    checksum only when it downloads it; here no code is run, and the checksum is checked before every use.

    Raises:
        UserError: the file is not here and cannot be downloaded.
    """
    path = torchvision_folder() / COCO_URL.rsplit("/", 1)[1]
    try:
        data = cached_bytes(path, COCO_SHA256) or download(COCO_URL, path, COCO_SHA256)
    except NotDownloaded as error:
        raise UserError(
            f"torchvision's COCO weights are not here and could not be downloaded ({error}); "
            f"download {COCO_URL} elsewhere and put it into {path.parent}."
        ) from error
    load_same_shapes(model, torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
