"""What all answers share: the usual status, answers that are always the same, and how a stream ends."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from anki_vector.messaging import protocol

from vector_tl.sim.engine.outbox import Ended, Outbox

OK = protocol.ResponseStatus(code=protocol.ResponseStatus.RESPONSE_RECEIVED)
FORBIDDEN = protocol.ResponseStatus(code=protocol.ResponseStatus.FORBIDDEN)
PROCESSING = protocol.ResponseStatus(code=protocol.ResponseStatus.REQUEST_PROCESSING)  # nobody waits for more


class RateLimit:
    """Lets through `burst` at once, and after that one in `every_s` seconds."""

    def __init__(self, burst: int, every_s: float):
        self._burst, self._every_s = burst, every_s
        self._left, self._at_s = float(burst), 0.0

    def allows(self, now_s: float) -> bool:
        """Whether one more passes at this moment."""
        self._left = min(self._left + (now_s - self._at_s) / self._every_s, self._burst)
        self._at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def always(response: Callable[..., Any], **fields: Any) -> Callable[..., Any]:
    """A call that changes nothing and always gets the same answer, with the usual status if none is given."""
    message = response(**{"status": OK} | fields)

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
