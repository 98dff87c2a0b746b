"""Runs an exported file as others will: by its own runtime where that is installed, else by OpenVINO."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def open_runtime(path: Path, form: str) -> tuple[str, Run]:
    """The name of the runtime, and what makes scores and boxes of an image uint8 (1, h, w, 3)."""
    if form == "onnx" and importlib.util.find_spec("onnxruntime"):
        return "onnxruntime", _onnxruntime(path)
    if form == "tflite" and importlib.util.find_spec("ai_edge_litert"):
        return "LiteRT", _litert(path)
    return "OpenVINO", _openvino(path)


def _onnxruntime(path: Path) -> Run:
    import onnxruntime  # optional

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores, boxes = session.run(["scores", "boxes"], {"images": image})
        return scores, boxes

    return run


def _litert(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter  # optional

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (images,) = interpreter.get_input_details()
    places = {output["name"]: output["index"] for output in interpreter.get_output_details()}

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        interpreter.set_tensor(images["index"], image)
        interpreter.invoke()
        return interpreter.get_tensor(places["scores"]), interpreter.get_tensor(places["boxes"])

    return run


def _openvino(path: Path) -> Run:
    import openvino

    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answer = compiled([image])
        return answer["scores"].copy(), answer["boxes"].copy()

    return run
