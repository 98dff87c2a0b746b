"""What every call passes before it is answered: the token, the log, the latency that a fault adds."""

import asyncio
import random
from collections.abc import Callable

import grpc

from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.gateway.unsupported import UNSUPPORTED

OPEN_TO_ALL = {"UserAuthentication"}
NOT_LOGGED = {"DriveWheels"}  # has an entry of its own, with the speeds


class Gate(grpc.aio.ServerInterceptor):
    """Checks and logs the calls of one robot. `sync` brings the world to the present before a call is answered."""

    def __init__(self, robot: VirtualVector, sync: Callable[[], None]):
        self._robot, self._sync = robot, sync

    async def intercept_service(self, continuation, details):
        handler = await continuation(details)
        if handler is None:
            return None
        rpc = details.method.rsplit("/", 1)[-1]
        allowed = (
            rpc in OPEN_TO_ALL
            or dict(details.invocation_metadata).get("authorization") == f"Bearer {self._robot.identity.guid}"
        )

        async def enter(context) -> None:
            if not allowed:
                self._robot.log("refused", rpc=rpc)
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid token")
            await self._robot.unstalled.wait()
            late = self._robot.faults.get("rpc_latency")
            if late:
                await asyncio.sleep(
                    (late.numbers["latency_ms"] + random.random() * late.numbers["jitter_ms"]) / 1000
                )
            self._sync()
            if rpc in UNSUPPORTED:
                self._robot.log("unimplemented", rpc=rpc)
                await context.abort(
                    grpc.StatusCode.UNIMPLEMENTED, f"{rpc} is not simulated: {UNSUPPORTED[rpc]}"
                )
            if rpc not in NOT_LOGGED:
                self._robot.log("call", rpc=rpc)

        return _wrapped(handler, enter)


def _wrapped(handler, enter):
    """The same handler behind `enter`. A client that goes away ends a stream quietly."""
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
            async for answer in answers:
                yield answer
        except asyncio.CancelledError:
            pass
        finally:
            await answers.aclose()

    return _Handler(handler, stream)


class _Handler(grpc.RpcMethodHandler):
    def __init__(self, like, behaviour):
        self.request_streaming, self.response_streaming = like.request_streaming, like.response_streaming
        self.request_deserializer, self.response_serializer = (
            like.request_deserializer,
            like.response_serializer,
        )
        kind = ("stream_" if self.request_streaming else "unary_") + (
            "stream" if self.response_streaming else "unary"
        )
        self.unary_unary = self.unary_stream = self.stream_unary = self.stream_stream = None
        setattr(self, kind, behaviour)
