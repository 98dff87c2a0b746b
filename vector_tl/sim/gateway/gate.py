"""What every call passes before it is answered: the token, the faults that delay it, the log."""

import asyncio
import contextlib
import random
from collections.abc import Callable

import grpc

from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.web.wrong_tokens import WrongTokens

OPEN_TO_ALL = {"UserAuthentication"}
NOT_LOGGED = {"DriveWheels"}  # has an entry of its own, with the speeds


class Gate(grpc.aio.ServerInterceptor):
    """Checks, delays and logs the calls of one robot; `sync` brings the world to the present first."""

    def __init__(self, robot: VirtualVector, sync: Callable[[], None]):
        self._robot, self._sync = robot, sync
        self._wrong = WrongTokens()

    async def intercept_service(self, continuation, details):
        """Put `enter` before the call's own handler."""
        handler = await continuation(details)
        if handler is None:
            return None
        rpc = details.method.rsplit("/", 1)[-1]
        given = dict(details.invocation_metadata).get("authorization")
        allowed = rpc in OPEN_TO_ALL or given == f"Bearer {self._robot.identity.guid}"

        async def enter(context: grpc.aio.ServicerContext) -> None:
            if not allowed:
                if await self._wrong.wait():  # of a flood not all are kept
                    self._robot.log("refused", rpc=rpc)
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid token")
            await self._robot.unstalled.wait()
            late = self._robot.faults.get("rpc_latency")
            if late:
                late_ms = late.numbers["latency_ms"] + random.random() * late.numbers["jitter_ms"]
                await asyncio.sleep(late_ms / 1000)
            self._sync()
            if rpc not in NOT_LOGGED:
                self._robot.log("call", rpc=rpc)

        return _wrapped(handler, enter)


def _wrapped(handler, enter):
    """The same handler behind `enter`. A client that disconnects ends a stream quietly."""
    if not handler.response_streaming:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def unary(request, context):
            await enter(context)
            return await inner(request, context)

        return _Handler(handler, unary)
    inner = handler.stream_stream if handler.request_streaming else handler.unary_stream

    async def stream(request, context):
        await enter(context)
        answers = inner(request, context)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                async for answer in answers:
                    yield answer
        finally:
            await answers.aclose()

    return _Handler(handler, stream)


class _Handler(grpc.RpcMethodHandler):
    def __init__(self, like, behaviour):
        self.request_streaming, self.response_streaming = like.request_streaming, like.response_streaming
        self.request_deserializer = like.request_deserializer
        self.response_serializer = like.response_serializer
        self.unary_unary = self.unary_stream = self.stream_unary = self.stream_stream = None
        requests, answers = (
            "stream" if many else "unary" for many in (like.request_streaming, like.response_streaming)
        )
        setattr(self, f"{requests}_{answers}", behaviour)
