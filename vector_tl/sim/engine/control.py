"""Who may move the robot: the SDK's behaviours, who asked for them, and the robot's own above them.

As in the firmware there is one wish for all clients together: whoever asks has it, whoever releases ends it
for everybody. An SDK behaviour becomes active, or ends, when the engine's behaviours have their turn
(`Control.update`, once per tick).
"""

from collections.abc import Callable
from typing import Any

from anki_vector.messaging import protocol

from vector_tl.sim.engine.outbox import Outbox

OVERRIDE = protocol.ControlRequest.OVERRIDE_BEHAVIORS  # a smaller number is a higher priority
DEFAULT = protocol.ControlRequest.DEFAULT
RESERVE = protocol.ControlRequest.RESERVE_CONTROL
PRIORITY_NAMES = {number: name for name, number in protocol.ControlRequest.Priority.items()}


class Claim:
    """One client's control stream. `deliver` puts an answer into its outbox, at once or late."""

    def __init__(self, deliver: Callable[[Outbox, protocol.BehaviorControlResponse], None]):
        self._deliver = deliver
        self.outbox = Outbox(None)

    def send(self, **answer: Any) -> None:
        """Answer the client, with one of the fields of a `BehaviorControlResponse`."""
        self._deliver(self.outbox, protocol.BehaviorControlResponse(**answer))

    def keep_alive(self) -> None:
        """Send a sign of life: never late, as time may stand still."""
        self.outbox.put(protocol.BehaviorControlResponse(keep_alive=protocol.KeepAlivePing()))


class Control:
    """One robot's behaviour control.

    It calls `changed(event, **details)` after every change, and `deliver(outbox, answer)` to answer a client.
    """

    def __init__(
        self,
        changed: Callable[..., None],
        deliver: Callable[[Outbox, protocol.BehaviorControlResponse], None] = Outbox.put,
    ):
        self._changed, self._deliver = changed, deliver
        self.claims: list[Claim] = []  # the open control streams, oldest first
        self.active: int | None = None  # the priority of the SDK behaviour that is active
        self._wanted = False
        self._level = DEFAULT
        self._asker: Claim | None = None  # the last who asked; None is the firmware's connection 0
        self._reserved_by: Claim | None = None
        self._own: set[str] = set()  # the robot's own behaviours above DEFAULT that are active

    @property
    def overrides_reactions(self) -> bool:
        """Whether the SDK behaviour runs above the robot's physical reactions (a stop at an edge is one)."""
        return self.active == OVERRIDE

    def open(self) -> Claim:
        """A client has opened a control stream."""
        claim = Claim(self._deliver)
        self.claims.append(claim)
        return claim

    def keep_alive(self) -> None:
        """Send every client a sign of life."""
        for claim in self.claims:
            claim.keep_alive()

    def request(self, claim: Claim, priority: int) -> None:
        """A client asks for control: it is granted at once where an SDK behaviour is active, whoever's."""
        self._changed("request", priority=PRIORITY_NAMES.get(priority, str(priority)))
        if priority not in (OVERRIDE, DEFAULT, RESERVE):
            return
        self._level = priority
        if priority == RESERVE:
            if self._reserved_by not in (None, claim):
                lost = protocol.ReservedControlLostResponse()
                self._reserved_by.send(reserved_control_lost_event=lost)
            self._reserved_by = claim
            claim.send(control_granted_response=protocol.ControlGrantedResponse())
            return
        self._wanted, self._asker = True, claim
        if self.active is not None:
            self._grant(priority)

    def release(self, claim: Claim) -> None:
        """A client gives control back, or its stream has ended: that of everybody ends with it."""
        if claim is self._reserved_by:
            self._reserved_by = None
            claim.send(control_lost_event=protocol.ControlLostResponse())
        self._wanted, self._asker = False, None
        self._changed("release")

    def close(self, claim: Claim) -> None:
        """A client's stream has ended; the gateway releases control for it."""
        self.claims.remove(claim)
        self._changed("client gone", clients_left=len(self.claims))

    def take(self, reason: str) -> None:
        """A behaviour of the robot itself begins, above DEFAULT, and lasts until `give_back`."""
        self._own.add(reason)

    def give_back(self, reason: str) -> None:
        """That behaviour of the robot itself has ended."""
        self._own.discard(reason)

    def update(self) -> None:
        """The behaviours' turn: end the SDK behaviour, or begin one, as wishes and the robot's own have it.

        After a loss the wish stays: once the robot's own behaviour has ended, whoever asked last is granted
        control again.
        """
        level = self._due()
        if level == self.active:
            return
        before, self.active = self.active, level
        if level is None:
            heard_by = self._asker or next(iter(self.claims), None)  # connection 0: the oldest stream
            if heard_by:
                heard_by.send(control_lost_event=protocol.ControlLostResponse())
            if self._wanted:
                self._changed("lost", reason=", ".join(sorted(self._own)))
            else:
                self._changed("ended")
        elif before is None:
            self._grant(level)
        else:
            self._changed("raised", priority=PRIORITY_NAMES[level])

    def _due(self) -> int | None:
        """The SDK behaviour whose turn it is: the first of the order that is active or wants to be."""
        if not self._wanted:
            return None
        if OVERRIDE in (self.active, self._level):
            return OVERRIDE
        if self._own:
            return None
        return DEFAULT if DEFAULT in (self.active, self._level) else None

    def _grant(self, priority: int) -> None:
        if self._asker:
            self._asker.send(control_granted_response=protocol.ControlGrantedResponse())
        self._changed("granted", priority=PRIORITY_NAMES[priority])
