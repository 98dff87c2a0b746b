"""JSON as the robot's gateway reads and writes it: paths, requests, answers and errors of each call.

Paths and fields are those of the protocol's descriptors (their `google.api.http` options). What is written
follows grpc-gateway 1 with the options that the robot sets (vector-cloud, gateway/main.go): original field
names, every field also when it has its default, enums as numbers. Fields of a request that the protocol
does not have are ignored.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import grpc
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from vector_tl.sim.gateway.full_protocol import rpc_path

WHOLE = "*"  # an annotation's `body`: the request is the whole body
VERBS = ("get", "put", "post", "delete", "patch")
# grpc-gateway 1.16, runtime/errors.go: HTTPStatusFromCode.
HTTP_STATUS = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 408,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
}


class Malformed(Exception):
    """What a request holds is not what its call takes."""


@dataclass(frozen=True)
class Binding:
    """One address of a call.

    Attributes:
        method: the call.
        verb: of HTTP, in capitals.
        path: with `{field}` where a field of the request stands.
        body: `WHOLE`, or the field that the body is, or "" for none.
    """

    method: MethodDescriptor
    verb: str
    path: str
    body: str

    @property
    def rpc(self) -> str:
        """The call's name in gRPC."""
        return rpc_path(self.method)


def bindings(service: ServiceDescriptor) -> Iterator[Binding]:
    """The addresses of a service's calls; those whose requests stream have none in grpc-gateway 1's JSON."""
    for method in service.methods:
        if method.client_streaming:
            continue
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for way in (rule, *rule.additional_bindings):
            verb = way.WhichOneof("pattern")
            if verb in VERBS:
                yield Binding(method, verb.upper(), getattr(way, verb), way.body)


def read_request(
    binding: Binding, body: bytes, path: Mapping[str, str], query: list[tuple[str, str]]
) -> Message:
    """The request of a call.

    Args:
        binding: by which it was called.
        body: JSON; empty for an empty request.
        path: the fields in the path.
        query: the fields after the path, dots before nested ones; not read where the body is all.

    Raises:
        Malformed: it is not JSON, or not of the request's form.
    """
    message = GetMessageClass(binding.method.input_type)()
    values = _first_value(body) if binding.body and body.strip() else None
    if binding.body == WHOLE:
        query = []
        values = {} if values is None else values
        if not isinstance(values, dict):
            raise Malformed("The body is no JSON object.")
    else:
        values = {} if values is None else {binding.body: values}
    for name, text in [*query, *path.items()]:
        _put(values, message.DESCRIPTOR, name.split("."), text)
    try:
        json_format.ParseDict(values, message, ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise Malformed(str(error)) from None
    return message


def _first_value(body: bytes) -> Any:
    """The JSON value that the body begins with; the robot reads no further."""
    try:
        return _DECODER.raw_decode(body.decode().lstrip())[0]
    except (ValueError, RecursionError) as error:
        raise Malformed(f"The body is not JSON: {error}") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def _put(values: dict[str, Any], descriptor: Descriptor, names: list[str], text: str) -> None:
    """Write a field that was given as text, where JSON would have it; one that there is not is left out."""
    field = descriptor.fields_by_name.get(names[0])
    if field is None:
        return
    if len(names) > 1:
        if field.message_type and not field.is_repeated:
            _put(values.setdefault(field.name, {}), field.message_type, names[1:], text)
        return
    value = {"true": True, "false": False}.get(text.lower(), text) if field.type == field.TYPE_BOOL else text
    if field.is_repeated:
        values.setdefault(field.name, []).append(value)
    else:
        values[field.name] = value


def write_answer(message: Message) -> dict[str, Any]:
    """A message as the JSON that the robot makes of it: messages that are not there are null."""
    values = json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        use_integers_for_enums=True,
        always_print_fields_with_no_presence=True,
    )
    return _with_nulls(message.DESCRIPTOR, values)


def _with_nulls(descriptor: Descriptor, values: dict[str, Any]) -> dict[str, Any]:
    for field in descriptor.fields:
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry:
            continue
        value = values.get(field.name)
        for part in value if isinstance(value, list) else [value]:
            if part is not None:
                _with_nulls(inner, part)
        if value is None and field.containing_oneof is None:
            values[field.name] = None
    return values


def to_bytes(values: dict[str, Any]) -> bytes:
    """JSON text without blanks."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def error_body(code: grpc.StatusCode, message: str) -> dict[str, Any]:
    """What is answered instead of an answer."""
    return {"error": message, "code": code.value[0], "message": message}


def stream_error(code: grpc.StatusCode, message: str) -> dict[str, Any]:
    """The last line of a stream that breaks off."""
    status = HTTP_STATUS[code]
    error = {"grpc_code": code.value[0], "http_code": status, "message": message}
    return {"error": error | {"http_status": HTTPStatus(status).phrase}}
