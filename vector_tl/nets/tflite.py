"""TensorFlow's COCO weights, read from its release file itself and fitted into `ssd300_mobilenet_v1`."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vector_tl.nets.ssd import VectorSSD

COCO_CLASSES = tuple(f"coco{i}" for i in range(1, 91))


def read_convolutions(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Every convolution of the file in the order in which they run, dequantised.

    Returns:
        For each its weight (O, I, kh, kw), or (O, 1, kh, kw) of a depthwise one, and bias (O,).
    """
    import tflite  # only for COCO's weights

    model = tflite.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    kinds = (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D)
    found = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        if (kind := max(code.BuiltinCode(), code.DeprecatedBuiltinCode())) in kinds:
            weight, bias = (_dequantised(model, graph.Tensors(int(t))) for t in operator.InputsAsNumpy()[1:3])
            # TFLite stores (O, kh, kw, I), and depthwise (1, kh, kw, O)
            found.append((weight.transpose((0, 3, 1, 2) if kind == kinds[0] else (3, 0, 1, 2)), bias))
    return found


def _dequantised(model: Any, tensor: Any) -> np.ndarray:
    raw: np.ndarray = model.Buffers(tensor.Buffer()).DataAsNumpy()
    values = raw.view(np.int32 if tensor.Type() == 2 else np.uint8).reshape(tensor.ShapeAsNumpy())
    record = tensor.Quantization()
    zero, scale = record.ZeroPointAsNumpy()[0], record.ScaleAsNumpy()[0]
    exact: np.ndarray = (values.astype(np.float64) - zero) * scale
    return exact.astype(np.float32)


@torch.no_grad()
def load_coco(model: VectorSSD, path: Path, images: Tensor | None = None) -> None:
    """Fill `model` with the file's weights; its class head only when the model has COCO's 90 classes.

    The file has BatchNorm folded into its convolutions. It is put back without changing any output: running
    statistics are measured on images, gamma = sqrt(var + eps), beta = folded bias + mean. Statistics like
    those of the images to be trained on make the first training steps gentle.

    Args:
        model: `ssd300_mobilenet_v1`.
        path: the release file.
        images: (B, 3, h, w) in 0..1 to measure on, of any size; `made_images` when None.
    """
    convolutions = [
        (torch.from_numpy(w.copy()), torch.from_numpy(b.copy())) for w, b in read_convolutions(path)
    ]
    blocks = model.backbone.blocks()
    for block, (weight, _) in zip(blocks, convolutions, strict=False):
        block.conv.weight.copy_(weight)
    heads = convolutions[len(blocks) :]  # boxes and classes in turn, for each map
    order = torch.tensor([1, 0, 3, 2])  # TensorFlow's (ty, tx, th, tw) to (tx, ty, tw, th)
    for conv, (weight, bias) in zip(model.head.regression_head.module_list, heads[::2], strict=True):
        conv.weight.copy_(weight.view(-1, 4, *weight.shape[1:])[:, order].reshape(weight.shape))
        conv.bias.copy_(bias.view(-1, 4)[:, order].reshape(-1))
    if len(model.classes) == len(COCO_CLASSES):
        for conv, (weight, bias) in zip(model.head.classification_head.module_list, heads[1::2], strict=True):
            weight = weight.view(-1, 91, *weight.shape[1:])[:, 1:]  # without background
            conv.weight.copy_(weight.reshape(conv.weight.shape))
            conv.bias.copy_(bias.view(-1, 91)[:, 1:].reshape(-1))
    _insert_batch_norm(model, [bias for _, bias in convolutions], made_images() if images is None else images)


def _insert_batch_norm(model: VectorSSD, biases: list[Tensor], images: Tensor) -> None:
    blocks = model.backbone.blocks()
    folded = {block.conv: (block.norm, bias) for block, bias in zip(blocks, biases, strict=False)}

    def measure(conv: nn.Module, _: Any, output: Tensor) -> None:
        norm, bias = folded[conv]
        variance, mean = torch.var_mean(output.double(), dim=(0, 2, 3), correction=0)
        variance = variance.clamp(min=1e-4)  # maps of a single pixel vary little over few images
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((norm.running_var.double() + norm.eps).sqrt())
        norm.bias.copy_(bias.double() + norm.running_mean.double())

    hooks = [conv.register_forward_hook(measure) for conv in folded]
    was_training = model.training
    model.eval().raw(F.interpolate(images, size=model.size_wh[::-1], mode="bilinear"))
    model.train(was_training)
    for hook in hooks:
        hook.remove()


def made_images(count: int = 24, seed: int = 0) -> Tensor:
    """Noise (count, 3, 300, 300) with the 1/f spectrum of photographs, where no real ones are at hand."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(300), np.fft.rfftfreq(300), indexing="ij"))
    frequency[0, 0] = 1.0
    images = []
    for _ in range(count):
        noise = np.fft.rfft2(rng.standard_normal((3, 300, 300)))
        waves = np.fft.irfft2(noise / frequency**1.1, s=(300, 300))
        waves = (waves - waves.mean(axis=(1, 2), keepdims=True)) / waves.std(axis=(1, 2), keepdims=True)
        grey = waves[:1] * 0.85 + waves * 0.3
        images.append(np.clip(rng.uniform(0.25, 0.65) + rng.uniform(0.12, 0.3) * grey, 0, 1))
    return torch.from_numpy(np.stack(images).astype(np.float32))
