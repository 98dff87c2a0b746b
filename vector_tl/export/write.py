"""Writes a model in each format, with what one must know to use it in the file itself."""

import json
from pathlib import Path
from typing import Any

import vector_tl
from vector_tl.errors import UserError, cannot_write
from vector_tl.files import write_atomic
from vector_tl.nets.archs import describe
from vector_tl.nets.calibration import calibration_of
from vector_tl.nets.model_file import Weights
from vector_tl.nets.suppression import MAX_IOU, MAX_SHARE_INSIDE
from vector_tl.parts import Part

MISSING = "The package {0} is not installed, which writes such files; run pip install {0}."


def facts_of(weights: Weights, name: str, threshold: float, suppression: bool) -> dict[str, Any]:
    """What the file says of itself."""
    return {
        "model": name,
        "labels": list(weights.classes),
        "threshold": round(threshold, 4),
        "arch": weights.arch,
        "init": weights.init,
        "input": "images: uint8 (1, height, width, 3), RGB, resized without keeping the aspect ratio",
        "output": "scores, boxes: x1, y1, x2, y2 as a share of the image's width and height",
        "suppression": "in the file" if suppression else f"IoU {MAX_IOU}, share inside {MAX_SHARE_INSIDE}",
        "written_by": f"vector_tl {vector_tl.__version__}",
    }


def write(
    path: Path, form: str, weights: Weights, metadata: dict[str, Any], facts: dict[str, Any], chosen: bool
) -> None:
    """Write a model; whole or not at all.

    Args:
        path: the file.
        form: one of `settings.SUFFIXES`.
        weights: of the model.
        metadata: of the model's file.
        facts: what the file says of itself.
        chosen: whether boxes are chosen in the file.

    Raises:
        UserError: a package that writes the format is missing, or the file cannot be written.
    """
    description, calibration = describe(weights.arch), calibration_of(metadata)
    given = (description, weights.tensors, len(weights.classes))
    if form == "onnx":
        try:
            from vector_tl.nets.onnx_form import onnx_form  # brings onnx, which is optional
        except ImportError as error:
            raise UserError(MISSING.format("onnx")) from error
        words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
        model = onnx_form(*given, calibration, facts["threshold"] if chosen else None, words)
        write_atomic(path, model.SerializeToString())
    elif form == "tflite":
        try:
            from vector_tl.nets.tflite_form import tflite_form  # brings tflite, which is optional
        except ImportError as error:
            raise UserError(MISSING.format("tflite")) from error
        write_atomic(path, tflite_form(*given, calibration, json.dumps(facts).encode()))
    else:
        from vector_tl.nets.openvino_form import openvino_form

        _save_openvino(path, openvino_form(*given, calibration=calibration), facts)


def _save_openvino(path: Path, model: Any, facts: dict[str, Any]) -> None:
    """The network (.xml) and its weights (.bin), in single precision."""
    import openvino

    for output, name in zip(model.outputs, ("scores", "boxes"), strict=True):
        output.tensor.set_names({name})
    for key, value in facts.items():
        model.set_rt_info(value if isinstance(value, str) else json.dumps(value), ["vector_tl", key])
    try:
        with Part(path, folder=True) as part:
            openvino.save_model(model, part.path / path.name, compress_to_fp16=False)
            for suffix in (".bin", ".xml"):  # the network last: it is whole then
                made = (part.path / path.name).with_suffix(suffix)
                write_atomic(path.with_suffix(suffix), made.read_bytes())
    except (OSError, RuntimeError) as error:  # the latter is OpenVINO's, of a disk that is full
        raise cannot_write(path, error) from error
