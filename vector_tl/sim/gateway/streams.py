"""What all answers share: the usual status, and how a stream ends."""

from collections.abc import AsyncIterator

import grpc
from anki_vector.messaging import protocol

from vector_tl.sim.engine.outbox import Ended, Outbox

OK = protocol.ResponseStatus(code=protocol.ResponseStatus.RESPONSE_RECEIVED)


async def until_ended(outbox: Outbox, context) -> AsyncIterator:
    """What comes into an outbox, until the robot ends the stream."""
    try:
        while True:
            yield await outbox.get()
    except Ended as ended:
        if ended.aborted:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the robot broke off the stream")
