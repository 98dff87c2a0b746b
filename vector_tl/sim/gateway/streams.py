"""What all answers share: the usual status, answers that are always the same, and how a stream ends."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from anki_vector.messaging import protocol

from vector_tl.sim.engine.outbox import Ended, Outbox

OK = protocol.ResponseStatus(code=protocol.ResponseStatus.RESPONSE_RECEIVED)
PROCESSING = protocol.ResponseStatus(code=protocol.ResponseStatus.REQUEST_PROCESSING)  # nobody waits for more


def always(response: Callable[..., Any], **fields: Any) -> Callable[..., Any]:
    """A call that changes nothing and always gets the same answer."""
    message = response(status=OK, **fields)

    async def answer(self: Any, request: Any, context: grpc.aio.ServicerContext) -> Any:
        return message

    return answer


async def until_ended(outbox: Outbox, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
    """The messages of an outbox, until the robot ends the stream."""
    try:
        while True:
            yield await outbox.get()
    except Ended as ended:
        if ended.aborted:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the robot broke off the stream")
