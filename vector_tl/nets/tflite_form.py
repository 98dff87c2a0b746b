"""A network as a TFLite (LiteRT) model, made from its description and the tensors of a model's file.

TensorFlow has no part in it: the file is written by the schema's own classes (the package `tflite`). Weights
are float32, since converters that round them need TensorFlow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from vector_tl.nets.calibration import Calibration
from vector_tl.nets.description import Convolution, Description
from vector_tl.nets.graph_form import GraphForm, Tensors

SCHEMA_VERSION = 3
FILE_ID = b"TFL3"
METADATA = "vector_tl"  # the name under which the facts are in the file, as JSON
FLOAT32, INT32, UINT8 = tflite.TensorType.FLOAT32, tflite.TensorType.INT32, tflite.TensorType.UINT8
ACTIVATIONS = {
    "relu": tflite.ActivationFunctionType.RELU,
    "relu6": tflite.ActivationFunctionType.RELU6,
}
SAME, VALID = tflite.Padding.SAME, tflite.Padding.VALID
BINARY = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Min": "MINIMUM", "Max": "MAXIMUM"}
UNARY = {"Exp": "EXP", "Sigmoid": "LOGISTIC"}
Options = dict[str, Any]


def tflite_form(
    description: Description, tensors: Tensors, classes: int, calibration: Calibration, facts: bytes
) -> bytes:
    """The file of the network from bytes to scores and boxes, for one image at a time.

    Args:
        description: of the network.
        tensors: float32, as `description.tensors(classes)` names them.
        classes: how many there are.
        calibration: of the scores.
        facts: JSON, under the name `METADATA` in the file.

    Returns:
        A file's content: from `images` uint8 (1, h, w, 3) RGB to `scores` (1, A) and `boxes` xyxy (1, A, 4)
        in 0..1.
    """
    form, (width, height) = _TfliteForm(description, tensors, classes), description.size_wh
    images = form.tensor((1, height, width, 3), UINT8, "images")
    logits, boxes = form.logits_and_boxes(form.pixels(images))
    scaled = form.binary("Mul", logits, form.constant(np.array([calibration.scale])))
    shifted = form.binary("Add", scaled, form.constant(np.array([calibration.shift])))
    scores = form.unary("Sigmoid", shifted)
    form.held[scores].name, form.held[boxes].name = "scores", "boxes"
    return _File(form, [images], [scores, boxes], facts).content()


@dataclass
class _Tensor:
    shape: tuple[int, ...]
    kind: int
    name: str
    data: bytes = b""


@dataclass(frozen=True)
class _Operator:
    code: int
    inputs: list[int]
    outputs: list[int]
    kind: str = ""  # of its options, such as Conv2DOptions
    options: Options = field(default_factory=dict)


class _TfliteForm(GraphForm[int]):
    """See `GraphForm`; maps are (1, h, w, C), nodes are numbers of tensors."""

    def __init__(self, description: Description, tensors: Tensors, classes: int):
        super().__init__(description, tensors, classes)
        self.held: list[_Tensor] = []
        self.operators: list[_Operator] = []

    def tensor(self, shape: tuple[int, ...], kind: int = FLOAT32, name: str = "", data: bytes = b"") -> int:
        self.held.append(_Tensor(shape, kind, name or f"tensor_{len(self.held)}", data))
        return len(self.held) - 1

    def shape(self, node: int) -> tuple[int, ...]:
        return self.held[node].shape

    def add(
        self, code: str, inputs: list[int], shape: tuple[int, ...], kind: str = "", **options: Any
    ) -> int:
        """An operator with one output of this shape; the output's number."""
        output = self.tensor(shape)
        number = getattr(tflite.BuiltinOperator, code)
        self.operators.append(_Operator(number, inputs, [output], kind, options))
        return output

    def integers(self, values: Any) -> int:
        array = np.asarray(values, np.int32)
        return self.tensor(array.shape, INT32, data=array.tobytes())

    def pixels(self, images: int) -> int:
        scale, shift = self.scale_and_shift()
        x = self.add(
            "CAST", [images], self.shape(images), "CastOptions", InDataType=UINT8, OutDataType=FLOAT32
        )
        x = self.binary("Mul", x, self.constant(scale.reshape(1)))
        return self.binary("Add", x, self.constant(shift.reshape(1)))

    def constant(self, value: np.ndarray) -> int:
        array = np.asarray(value, np.float32)
        return self.tensor(array.shape, data=np.ascontiguousarray(array).tobytes())

    def binary(self, operation: str, a: int, b: int, activation: int = 0) -> int:
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        code = BINARY[operation]
        if code in ("MINIMUM", "MAXIMUM"):
            return self.add(code, [a, b], shape, "MaximumMinimumOptions")
        return self.add(code, [a, b], shape, f"{operation}Options", FusedActivationFunction=activation)

    def unary(self, operation: str, x: int) -> int:
        kind = "ExpOptions" if operation == "Exp" else ""
        return self.add(UNARY[operation], [x], self.shape(x), kind)

    def convolve(self, x: int, layer: Convolution, weight: np.ndarray, bias: np.ndarray) -> int:
        _, height, width, _ = self.shape(x)
        shape = (1, -(-height // layer.stride), -(-width // layer.stride), layer.outputs)
        padding = SAME
        if layer.stride > 1 and layer.kernel > 1 and not self.description.odd_padding_last:
            x, padding = self._padded(x, layer.kernel // 2), VALID
        how: Options = {"Padding": padding, "StrideW": layer.stride, "StrideH": layer.stride}
        how["FusedActivationFunction"] = ACTIVATIONS.get(layer.activation or "", 0)
        how |= {"DilationWFactor": 1, "DilationHFactor": 1}
        if layer.groups > 1:  # each channel by itself
            kernel = self.constant(weight.transpose(1, 2, 3, 0))  # (1, k, k, O)
            inputs = [x, kernel, self.constant(bias)]
            y = self.add(
                "DEPTHWISE_CONV_2D", inputs, shape, "DepthwiseConv2DOptions", DepthMultiplier=1, **how
            )
        else:
            inputs = [x, self.constant(weight.transpose(0, 2, 3, 1)), self.constant(bias)]  # (O, k, k, I)
            y = self.add("CONV_2D", inputs, shape, "Conv2DOptions", **how)
        return self._activated(y, layer.activation)

    def _activated(self, y: int, activation: str | None) -> int:
        """What convolutions do not do themselves."""
        if activation == "hardswish":
            return self.add("HARD_SWISH", [y], self.shape(y), "HardSwishOptions")
        if activation == "hardsigmoid":
            y = self.binary("Add", y, self.constant(np.array([3.0])), ACTIVATIONS["relu6"])
            return self.binary("Mul", y, self.constant(np.array([1 / 6])))
        return y

    def _padded(self, x: int, around: int) -> int:
        one, height, width, channels = self.shape(x)
        shape = (one, height + 2 * around, width + 2 * around, channels)
        return self.add(
            "PAD", [x, self.integers([[0, 0], [around] * 2, [around] * 2, [0, 0]])], shape, "PadOptions"
        )

    def mean_of_places(self, x: int) -> int:
        shape = (1, 1, 1, self.shape(x)[3])
        return self.add("MEAN", [x, self.integers([1, 2])], shape, "ReducerOptions", KeepDims=True)

    def reshaped(self, x: int, shape: tuple[int, ...]) -> int:
        return self.add("RESHAPE", [x, self.integers(shape)], shape, "ReshapeOptions")

    def rows(self, x: int, columns: int) -> int:
        return self.reshaped(x, (1, int(np.prod(self.shape(x))) // columns, columns))

    def join(self, parts: list[int], axis: int) -> int:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(part)[axis] for part in parts)
        return self.add("CONCATENATION", parts, tuple(shape), "ConcatenationOptions", Axis=axis)

    def columns(self, x: int, first: int, last: int) -> int:
        shape = (1, self.shape(x)[1], last - first)
        return self.add(
            "SLICE", [x, self.integers([0, 0, first]), self.integers(shape)], shape, "SliceOptions"
        )

    def best_class(self, logits: int) -> int:
        shape = self.shape(logits)[:2]
        if self.classes == 1:
            return self.reshaped(logits, shape)
        return self.add("REDUCE_MAX", [logits, self.integers([2])], shape, "ReducerOptions", KeepDims=False)


class _File:
    """The flatbuffer; what is inside another thing is written before it."""

    def __init__(self, form: _TfliteForm, inputs: list[int], outputs: list[int], facts: bytes):
        self._form, self._inputs, self._outputs, self._facts = form, inputs, outputs, facts
        self._builder = flatbuffers.Builder(1 << 20)

    def content(self) -> bytes:
        """All of it."""
        form, builder = self._form, self._builder
        codes = sorted({operator.code for operator in form.operators})
        data = [b"", self._facts, *(tensor.data for tensor in form.held)]  # the first must be empty
        buffers = self._list([self._table("Buffer", Data=self._bytes(part)) for part in data])
        written = [
            self._table(
                "Tensor",
                Shape=self._integers(tensor.shape),
                Type=tensor.kind,
                Buffer=2 + number if tensor.data else 0,
                Name=builder.CreateString(tensor.name),
            )
            for number, tensor in enumerate(form.held)
        ]
        graph = self._table(
            "SubGraph",
            Tensors=self._list(written),
            Inputs=self._integers(self._inputs),
            Outputs=self._integers(self._outputs),
            Operators=self._list([self._operator(operator, codes) for operator in form.operators]),
            Name=builder.CreateString(form.description.arch),
        )
        metadata = self._table("Metadata", Name=builder.CreateString(METADATA), Buffer=1)
        model = self._table(
            "Model",
            Version=SCHEMA_VERSION,
            OperatorCodes=self._list(
                [
                    self._table(
                        "OperatorCode", BuiltinCode=code, DeprecatedBuiltinCode=min(code, 127), Version=1
                    )
                    for code in codes
                ]
            ),
            Subgraphs=self._list([graph]),
            Description=builder.CreateString("written by vector_tl"),
            Buffers=buffers,
            Metadata=self._list([metadata]),
        )
        builder.Finish(model, FILE_ID)
        return bytes(builder.Output())

    def _operator(self, operator: _Operator, codes: list[int]) -> int:
        facts: Options = {
            "OpcodeIndex": codes.index(operator.code),
            "Inputs": self._integers(operator.inputs),
            "Outputs": self._integers(operator.outputs),
        }
        if operator.kind:
            facts["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, operator.kind)
            facts["BuiltinOptions"] = self._table(operator.kind, **operator.options)
        return self._table("Operator", **facts)

    def _table(self, kind: str, **values: Any) -> int:
        """A table of the schema; values are numbers, or places of what is written already."""

        def of_schema(name: str) -> Callable[..., Any]:
            found: Callable[..., Any] = getattr(tflite, f"{kind}{name}")
            return found

        of_schema("Start")(self._builder)
        for name, value in values.items():
            if value is not None:
                of_schema(f"Add{name}")(self._builder, value)
        place: int = of_schema("End")(self._builder)
        return place

    def _integers(self, values: Any) -> int:
        place: int = self._builder.CreateNumpyVector(np.asarray(values, np.int32).reshape(-1))
        return place

    def _bytes(self, data: bytes) -> int | None:
        """Data where 16 divides its address, as runtimes want it; None where there is none."""
        if not data:
            return None
        builder = self._builder
        builder.StartVector(1, len(data), 16)
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        place: int = builder.EndVector()
        return place

    def _list(self, places: list[int]) -> int:
        builder = self._builder
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        made: int = builder.EndVector()
        return made
