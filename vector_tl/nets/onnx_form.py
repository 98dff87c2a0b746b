"""A network as an ONNX model, made from its description and the tensors of a model's file.

PyTorch has no part in it. The operations are those of opset 17, which runtimes have known since 2022. Where
the choice of boxes is in the graph, it is that of `suppression.py`, step by step.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vector_tl.nets.calibration import Calibration
from vector_tl.nets.description import Convolution, Description
from vector_tl.nets.graph_form import GraphForm, Tensors
from vector_tl.nets.suppression import (
    BEST_SCORES,
    MAX_BOXES,
    MAX_IOU,
    MAX_SHARE_INSIDE,
    VOTE_POWER,
    VOTE_SPREAD,
)

OPSET, IR_VERSION = 17, 8
FLOAT, BOOL = TensorProto.FLOAT, TensorProto.BOOL
TINY = 1e-30  # added to what is divided by


def onnx_form(
    description: Description,
    tensors: Tensors,
    classes: int,
    calibration: Calibration,
    threshold: float | None,
    facts: dict[str, str],
) -> Any:
    """The network from bytes to boxes, for one image at a time.

    Args:
        description: of the network.
        tensors: float32, as `description.tensors(classes)` names them.
        classes: how many there are.
        calibration: of the scores.
        threshold: confidence threshold of the choice of boxes, which is then in the graph; without such a
            choice when None.
        facts: the file's metadata.

    Returns:
        An `onnx.ModelProto` from `images` uint8 (1, h, w, 3) RGB to `scores` and `boxes` xyxy in 0..1:
        (1, A) and (1, A, 4), or of n chosen boxes (n,) and (n, 4), best first.
    """
    form = _OnnxForm(description, tensors, classes)
    width, height = description.size_wh
    inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, [1, height, width, 3])]
    logits, boxes = form.logits_and_boxes(form.pixels())
    if threshold is None:
        form.result(_calibrated(form, logits, calibration), "scores")
        form.result(boxes, "boxes")
        shapes: list[list[Any]] = [[1, None], [1, None, 4]]
    else:
        form.initializers.append(numpy_helper.from_array(np.array(threshold, np.float32), "threshold"))
        _choose(form, logits, boxes, calibration)
        shapes = [["n"], ["n", 4]]
    outputs = [
        helper.make_tensor_value_info(name, FLOAT, shape)
        for name, shape in zip(("scores", "boxes"), shapes, strict=True)
    ]
    graph = helper.make_graph(form.nodes, description.arch, inputs, outputs, form.initializers)
    model = helper.make_model(
        graph,
        producer_name="vector_tl",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    return model


class _OnnxForm(GraphForm[str]):
    """See `GraphForm`; maps are (1, C, h, w)."""

    def __init__(self, description: Description, tensors: Tensors, classes: int):
        super().__init__(description, tensors, classes)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node of ONNX's with one output; its output's name."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def number(self, value: Any, kind: Any = np.int64) -> str:
        """A constant that is not of floating point."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def result(self, node: str, name: str) -> None:
        """Give a node's output a name of the graph's."""
        self.nodes.append(helper.make_node("Identity", [node], [name], f"out_{name}"))

    def pixels(self) -> str:
        scale, shift = self.scale_and_shift()
        x = self.add("Transpose", self.add("Cast", "images", to=FLOAT), perm=[0, 3, 1, 2])
        return self.add("Add", self.add("Mul", x, self.constant(scale)), self.constant(shift))

    def constant(self, value: np.ndarray) -> str:
        return self.number(value, np.float32)

    def binary(self, operation: str, a: str, b: str) -> str:
        return self.add(operation, a, b)

    def unary(self, operation: str, x: str) -> str:
        return self.add(operation, x)

    def convolve(self, x: str, layer: Convolution, weight: np.ndarray, bias: np.ndarray) -> str:
        around: dict[str, Any] = {"pads": [layer.kernel // 2] * 4}
        if self.description.odd_padding_last:
            around = {"auto_pad": "SAME_UPPER"}
        y = self.add(
            "Conv",
            *(x, self.constant(weight), self.constant(bias)),
            strides=[layer.stride] * 2,
            kernel_shape=[layer.kernel] * 2,
            group=layer.groups,
            **around,
        )
        if layer.activation == "relu6":
            return self.add("Clip", y, self.constant(np.array(0.0)), self.constant(np.array(6.0)))
        if layer.activation == "hardsigmoid":
            return self.add("HardSigmoid", y, alpha=1 / 6, beta=0.5)
        return (
            self.add({"relu": "Relu", "hardswish": "HardSwish"}[layer.activation], y)
            if layer.activation
            else y
        )

    def mean_of_places(self, x: str) -> str:
        return self.add("ReduceMean", x, axes=[2, 3], keepdims=1)

    def rows(self, x: str, columns: int) -> str:
        x = self.add("Transpose", x, perm=[0, 2, 3, 1])
        return self.add("Reshape", x, self.number([1, -1, columns]))

    def join(self, parts: list[str], axis: int) -> str:
        return self.add("Concat", *parts, axis=axis)

    def columns(self, x: str, first: int, last: int) -> str:
        return self.add("Slice", x, self.number([first]), self.number([last]), self.number([-1]))

    def best_class(self, logits: str) -> str:
        return self.add("ReduceMax", logits, axes=[2], keepdims=0)


def _calibrated(form: _OnnxForm, logits: str, calibration: Calibration) -> str:
    """Calibrated scores: the network's own are sigmoids of its logits."""
    scaled = form.add("Mul", logits, form.constant(np.array(calibration.scale)))
    return form.add("Sigmoid", form.add("Add", scaled, form.constant(np.array(calibration.shift))))


def _choose(form: _OnnxForm, logits: str, boxes: str, calibration: Calibration) -> None:
    """`suppression.select_boxes`, with the outputs of the graph."""
    count = min(BEST_SCORES, len(form.description.anchors_xyxy()))
    flat = form.add("Reshape", logits, form.number([-1]))
    chosen_from = [form.add("Sigmoid", flat), form.number([count])]  # of equal ones the first, as there
    form.nodes.append(helper.make_node("TopK", chosen_from, ["best", "order"]))
    boxes = form.add("Gather", form.add("Reshape", boxes, form.number([-1, 4])), "order")  # (K, 4)
    shown = _calibrated(form, form.add("Gather", flat, "order"), calibration)  # (K,)
    candidates = form.add("Cast", form.add("Greater", shown, "threshold"), to=FLOAT)
    shared, areas = _shared_areas(form, boxes), _areas(form, boxes)
    union = _minus(form, form.add("Add", _column(form, areas), areas), shared)
    inside = form.add("Mul", areas, form.constant(np.array(MAX_SHARE_INSIDE)))
    overlap = form.add("Greater", shared, form.add("Mul", union, form.constant(np.array(MAX_IOU))))
    drops = form.add("Cast", form.add("Or", overlap, form.add("Greater", shared, inside)), to=FLOAT)
    drops = form.add("Trilu", drops, form.number(1), upper=1)  # a better one drops a worse one
    kept = form.add("Cast", _fixed_point(form, drops, candidates), to=BOOL)
    first = form.add("Slice", form.add("Compress", form.add("Range", *_zero_to(form, count)), kept),
                     form.number([0]), form.number([MAX_BOXES]))  # fmt: skip
    form.result(form.add("Gather", shown, first), "scores")
    form.result(_vote(form, first, boxes, "best", shared, union), "boxes")


def _fixed_point(form: _OnnxForm, drops: str, candidates: str) -> str:
    """`suppression.keep_greedily`: a loop that ends when a round changes nothing."""
    row = form.number([0])
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["kept_row", drops], ["dropped"]),  # (1, K)
            helper.make_node("Squeeze", ["dropped", row], ["dropped_flat"]),
            helper.make_node("Sub", [candidates, "dropped_flat"], ["left"]),
            helper.make_node("Relu", ["left"], ["next"]),  # 1 or, where one or more drop it, 0
            helper.make_node("Unsqueeze", ["next", row], ["next_row"]),
            helper.make_node("Sub", ["next_row", "kept_row"], ["change"]),
            helper.make_node("Abs", ["change"], ["changes"]),
            helper.make_node("ReduceMax", ["changes"], ["largest"], keepdims=0),
            helper.make_node("Cast", ["largest"], ["again"], to=BOOL),
        ],
        "keep_again",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("before", BOOL, []),
            helper.make_tensor_value_info("kept_row", FLOAT, [1, None]),
        ],
        [
            helper.make_tensor_value_info("again", BOOL, []),
            helper.make_tensor_value_info("next_row", FLOAT, [1, None]),
        ],
    )
    begin = form.add("Unsqueeze", candidates, row)
    rounds, yes = form.number(BEST_SCORES), form.number(True, np.bool_)
    return form.add("Squeeze", form.add("Loop", rounds, yes, begin, body=body), row)


def _vote(form: _OnnxForm, first: str, boxes: str, scores: str, shared: str, union: str) -> str:
    """`suppression.vote` of the boxes that were chosen, `first` (n,) of them, to (n, 4)."""
    tiny, one = form.constant(np.array(TINY)), form.constant(np.array(1.0))
    iou = form.add("Div", shared, form.add("Max", union, tiny))  # (K, K)
    iou = form.add("Gather", iou, first)  # (n, K)
    apart = form.add("Mul", _minus(form, one, iou), _minus(form, one, iou))
    near = form.add("Exp", form.add("Mul", apart, form.constant(np.array(-1 / VOTE_SPREAD))))
    share = form.add("Div", scores, _column(form, form.add("Gather", scores, first)))
    share = form.add("Pow", form.add("Min", share, one), form.constant(np.array(float(VOTE_POWER))))
    touches = form.add("Cast", form.add("Greater", iou, form.constant(np.array(0.0))), to=FLOAT)
    weights = form.add("Mul", touches, form.add("Mul", near, share))
    total = form.add("ReduceSum", weights, form.number([1]), keepdims=1)  # (n, 1)
    moved = form.add("Div", form.add("MatMul", weights, boxes), form.add("Max", total, tiny))
    own = form.add("Gather", boxes, first)
    return form.add("Where", form.add("Greater", total, form.constant(np.array(0.0))), moved, own)


def _zero_to(form: _OnnxForm, count: int) -> tuple[str, str, str]:
    return form.number(0), form.number(count), form.number(1)


def _minus(form: _OnnxForm, a: str, b: str) -> str:
    return form.add("Sub", a, b)


def _column(form: _OnnxForm, x: str) -> str:
    return form.add("Unsqueeze", x, form.number([1]))


def _side(form: _OnnxForm, boxes: str, number: int) -> str:
    """(K,), one of x1, y1, x2, y2."""
    return form.add("Gather", boxes, form.number(number), axis=1)


def _areas(form: _OnnxForm, boxes: str) -> str:
    x1, y1, x2, y2 = (_side(form, boxes, number) for number in range(4))
    return form.add("Mul", _minus(form, x2, x1), _minus(form, y2, y1))


def _shared_areas(form: _OnnxForm, boxes: str) -> str:
    """The area that each box shares with each: (K, K)."""
    lengths = []
    for low, high in ((0, 2), (1, 3)):
        begins, ends = _side(form, boxes, low), _side(form, boxes, high)
        end = form.add("Min", _column(form, ends), ends)
        begin = form.add("Max", _column(form, begins), begins)
        lengths.append(form.add("Relu", _minus(form, end, begin)))
    return form.add("Mul", *lengths)
