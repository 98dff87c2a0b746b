"""The robot's protocol as JSON over HTTP: an ASGI app that is a gRPC client of the robot's own server.

So it is on a robot, and so each call passes the same token, faults and log as one over gRPC. A server's
stream is sent as lines, each with a `result`, the last one with an `error` where it breaks off. A client
that disconnects cancels its call.
"""

import asyncio
import contextlib
import logging

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vector_tl.sim.gateway.transcoding import (
    HTTP_STATUS,
    Binding,
    Malformed,
    bindings,
    error_body,
    read_request,
    stream_error,
    to_bytes,
    write_answer,
)

log = logging.getLogger(__name__)
JSON = "application/json"
MAX_BODY_BYTES = 4 << 20  # as gRPC's own limit of a message
MAX_READ_BYTES = 16 << 20  # of a body that is too large
MAX_BODY_S = 30.0  # for a body to arrive


def json_app(service: ServiceDescriptor, channel: grpc.aio.Channel) -> ASGIApp:
    """The calls of a service, each at its addresses.

    Args:
        service: with the addresses as options of its methods.
        channel: to the server that answers them.
    """
    routes = [Route(way.path, _Call(way, channel), methods=[way.verb]) for way in bindings(service)]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return _with_whole_body(app)


def _with_whole_body(app: ASGIApp) -> ASGIApp:
    """The same app, asked once the body is there, as `scope["body"]`.

    An answer before that, such as that there is nothing at an address, would cost the client its connection.
    """

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            try:
                scope["body"] = await _body(request)
                _refuse_other_pages(request)
            except (ClientDisconnect, TimeoutError):
                return
            except PermissionError as error:
                await _refusal(grpc.StatusCode.PERMISSION_DENIED, str(error))(scope, receive, send)
                return
            except Malformed as error:
                await _refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error))(scope, receive, send)
                return
        try:
            await app(scope, receive, send)
        except OSError:  # the client has gone
            raise
        except Exception:
            log.exception("%s failed", scope.get("path"))
            raise

    return ask


class _Call:
    """Answers at one address."""

    def __init__(self, binding: Binding, channel: grpc.aio.Channel):
        self._binding = binding
        self._streams = binding.method.server_streaming
        open_call = channel.unary_stream if self._streams else channel.unary_unary
        self._open = open_call(
            binding.rpc,
            request_serializer=GetMessageClass(binding.method.input_type).SerializeToString,
            response_deserializer=GetMessageClass(binding.method.output_type).FromString,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = request.query_params.multi_items()
        try:
            asked = read_request(self._binding, scope["body"], request.path_params, query)
        except Malformed as error:
            await _refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error))(scope, receive, send)
            return
        call = self._open(asked, metadata=_token(request))
        watching = asyncio.create_task(_cancel_at_disconnect(receive, call))
        try:
            await (self._answer_stream if self._streams else self._answer)(call, scope, receive, send)
        except asyncio.CancelledError:
            if not watching.done():  # it was not the client
                raise
        finally:
            watching.cancel()
            call.cancel()

    async def _answer(self, call: grpc.aio.Call, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = Response(to_bytes(write_answer(await call)), media_type=JSON)
        except grpc.aio.AioRpcError as error:
            answer = _refusal(error.code(), error.details() or "")
        await answer(scope, receive, send)

    async def _answer_stream(self, call: grpc.aio.Call, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        try:
            async for message in call:
                if not begun:
                    begun = True
                    await _begin(send)
                await _send_line(send, {"result": write_answer(message)})
        except grpc.aio.AioRpcError as error:
            if not begun:
                await _refusal(error.code(), error.details() or "")(scope, receive, send)
                return
            await _send_line(send, stream_error(error.code(), error.details() or ""))
        if not begun:
            await _begin(send)
        await send({"type": "http.response.body", "body": b""})


async def _begin(send: Send) -> None:
    headers = [(b"content-type", JSON.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send_line(send: Send, values: dict) -> None:
    await send({"type": "http.response.body", "body": to_bytes(values) + b"\n", "more_body": True})


def _refusal(code: grpc.StatusCode, message: str) -> Response:
    return Response(to_bytes(error_body(code, message)), HTTP_STATUS[code], media_type=JSON)


async def _body(request: Request) -> bytes:
    """The request's body.

    Raises:
        Malformed: it is too large. It was read nevertheless, unless it is far too large: not all clients look
            at an answer before that.
        TimeoutError: it does not arrive in time.
    """
    body, size = bytearray(), 0
    async with asyncio.timeout(MAX_BODY_S):
        async for part in request.stream():
            size += len(part)
            if size <= MAX_BODY_BYTES:
                body += part
            if size > MAX_READ_BYTES:
                break
    if size > MAX_BODY_BYTES:
        raise Malformed(f"The body holds more than {MAX_BODY_BYTES} bytes.")
    return bytes(body)


def _refuse_other_pages(request: Request) -> None:
    """Let no page of another site ask, whoever has it open; programs name no origin.

    Raises:
        PermissionError: one asks.
    """
    own = f"https://{request.headers.get('host', '')}".lower()
    if not {origin.lower() for origin in request.headers.getlist("origin")} <= {own}:
        raise PermissionError("Requests from other pages are refused.")


def _token(request: Request) -> list[tuple[str, str]]:
    """The header that proves who asks, as gRPC has it; none where gRPC could not carry it."""
    given = request.headers.get("authorization", "")
    return [("authorization", given)] if given.isascii() and given.isprintable() and given else []


async def _cancel_at_disconnect(receive: Receive, call: grpc.aio.Call) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
        call.cancel()
