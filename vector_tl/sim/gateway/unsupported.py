"""Calls of the protocol that make no sense for a simulated Vector: they answer UNIMPLEMENTED, with a reason.

`vector-tl sim rpcs` prints this table beside the calls that are answered.
"""

from dataclasses import dataclass

_NO_CUBE = "there is no light cube in the simulated world"
_NO_FACE = "there are no people, so no faces, in the simulated world"

UNSUPPORTED: dict[str, str] = {
    "DockWithCube": _NO_CUBE,
    "FlashCubeLights": _NO_CUBE,
    "ForgetPreferredCube": _NO_CUBE,
    "GoToObject": _NO_CUBE,
    "PickupObject": _NO_CUBE,
    "PlaceObjectOnGroundHere": _NO_CUBE,
    "PopAWheelie": _NO_CUBE,
    "RollBlock": _NO_CUBE,
    "RollObject": _NO_CUBE,
    "SetCubeLights": _NO_CUBE,
    "SetPreferredCube": _NO_CUBE,
    "TurnTowardsFace": _NO_FACE,
}


@dataclass(frozen=True)
class RpcSettings:
    """Which calls of Vector's protocol the simulator answers, and why the others are UNIMPLEMENTED.

    Example: vector-tl sim rpcs
    """


def rpcs(settings: RpcSettings) -> dict[str, str]:
    """Every call of the protocol with "answered" or the reason why not."""
    from vector_tl.sim.gateway.protocol import ANSWERED  # here, so that `vector-tl sim --help` needs no SDK

    table = {name: "answered" for name in sorted(ANSWERED)}
    return table | {name: f"UNIMPLEMENTED: {reason}" for name, reason in sorted(UNSUPPORTED.items())}
