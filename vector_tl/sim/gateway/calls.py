"""The list of all calls, for `vector-tl sim rpcs`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RpcSettings:
    """The calls of Vector's protocol, all of which the simulator answers, with their paths over HTTP.

    Example: vector-tl sim rpcs
    """


def rpcs(settings: RpcSettings) -> dict[str, str]:
    """Every call of the protocol with its path in JSON over HTTP, or that it is reached over gRPC alone."""
    from google.api import annotations_pb2  # here, so that `vector-tl sim --help` needs no SDK

    from vector_tl.sim.gateway.full_protocol import SERVICE

    paths = {
        method.name: method.GetOptions().Extensions[annotations_pb2.http].post for method in SERVICE.methods
    }
    return {name: paths[name] or "over gRPC alone" for name in sorted(paths)}
