"""Who may move the robot: requests, priorities, release and loss of behaviour control."""

from collections.abc import Callable
from typing import Any

from anki_vector.messaging import protocol

from vector_tl.sim.engine.outbox import Outbox

OVERRIDE = protocol.ControlRequest.OVERRIDE_BEHAVIORS  # a smaller number is a higher priority
RESERVE = protocol.ControlRequest.RESERVE_CONTROL
PRIORITY_NAMES = {number: name for name, number in protocol.ControlRequest.Priority.items()}


class Claim:
    """One client's control stream. `deliver` puts an answer into its outbox, at once or late."""

    def __init__(self, deliver: Callable[[Outbox, protocol.BehaviorControlResponse], None]):
        self._deliver = deliver
        self.outbox = Outbox(None)
        self.priority = 0
        self.waiting = False

    def send(self, **answer: Any) -> None:
        """Answer the client, with one of the fields of a `BehaviorControlResponse`."""
        self._deliver(self.outbox, protocol.BehaviorControlResponse(**answer))

    def keep_alive(self) -> None:
        """Send a sign of life: never late, as time may stand still."""
        self.outbox.put(protocol.BehaviorControlResponse(keep_alive=protocol.KeepAlivePing()))


class Control:
    """One robot's behaviour control.

    A request of the same or a higher priority takes control from its holder, a lower one waits until it is
    free. RESERVE_CONTROL keeps the robot from moving by itself and hinders no other client.

    It calls `changed(event, **details)` after every change, and `deliver(outbox, answer)` to answer a client.
    """

    def __init__(
        self,
        changed: Callable[..., None],
        deliver: Callable[[Outbox, protocol.BehaviorControlResponse], None] = Outbox.put,
    ):
        self._changed, self._deliver = changed, deliver
        self.claims: list[Claim] = []
        self.holder: Claim | None = None
        self._taken: set[str] = set()  # the robot's own reasons to keep control for itself

    @property
    def overrides_reactions(self) -> bool:
        """Whether the holder runs above the robot's physical reactions (such as stopping at an edge)."""
        return self.holder is not None and self.holder.priority == OVERRIDE

    def open(self) -> Claim:
        """A client has opened a control stream."""
        claim = Claim(self._deliver)
        self.claims.append(claim)
        return claim

    def keep_alive(self) -> None:
        """Send every client a sign of life."""
        for claim in self.claims:
            claim.keep_alive()

    def close(self, claim: Claim) -> None:
        """The client's stream has ended."""
        self.claims.remove(claim)
        held = self.holder is claim
        if held:
            self.holder = None
        self._changed("client gone", held=held, clients_left=len(self.claims))
        self._grant_next()

    def request(self, claim: Claim, priority: int) -> None:
        """A client asks for control."""
        claim.priority = priority
        self._changed("request", priority=PRIORITY_NAMES.get(priority, str(priority)))
        if priority == RESERVE:
            claim.send(control_granted_response=protocol.ControlGrantedResponse())
            return
        claim.waiting = True
        holder = self.holder
        if holder is not None and holder is not claim and priority <= holder.priority and not self._taken:
            self.holder = None
            self._lose(holder, "a client of the same or a higher priority")
        elif holder is claim:
            self.holder = None  # granted anew, unless its new priority is below that of somebody who waits
        self._grant_next()
        if holder is claim and self.holder is not claim:
            claim.send(control_lost_event=protocol.ControlLostResponse())

    def release(self, claim: Claim) -> None:
        """A client gives control back, or no longer waits for it."""
        claim.waiting = False
        held = self.holder is claim
        if held:
            self.holder = None
        claim.send(control_lost_event=protocol.ControlLostResponse())
        self._changed("release", held=held)
        self._grant_next()

    def take(self, reason: str) -> None:
        """The robot itself takes control and keeps it until `give_back` for this and all other reasons."""
        self._taken.add(reason)
        holder, self.holder = self.holder, None
        if holder:
            self._lose(holder, reason)

    def give_back(self, reason: str) -> None:
        """A waiting client gets control, once the robot has no other reason to keep it."""
        if reason in self._taken:
            self._taken.remove(reason)
            self._grant_next()

    def _lose(self, claim: Claim, reason: str) -> None:
        claim.waiting = False
        claim.send(control_lost_event=protocol.ControlLostResponse())
        self._changed("lost", reason=reason)

    def _grant_next(self) -> None:
        waiting = [claim for claim in self.claims if claim.waiting]
        if self._taken or self.holder is not None or not waiting:
            return
        self.holder = min(waiting, key=lambda claim: claim.priority)
        self.holder.waiting = False
        self.holder.send(control_granted_response=protocol.ControlGrantedResponse())
        self._changed("granted", priority=PRIORITY_NAMES.get(self.holder.priority, ""))
