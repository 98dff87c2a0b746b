"""What answers at a robot's port: the gRPC server, the JSON gateway beside it, and the front before both.

Both are reached over abstract Unix sockets: those are no files, so a process that is killed leaves none.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable
from typing import Any

import grpc
from hypercorn.asyncio import serve
from hypercorn.config import Config

from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.gateway.front import Front
from vector_tl.sim.gateway.full_protocol import SERVICE, SERVICE_NAME, add_to_server
from vector_tl.sim.gateway.gate import Gate
from vector_tl.sim.gateway.json_gateway import json_app
from vector_tl.sim.gateway.protocol import VectorServicer

IDLE_S = 300.0  # for which a JSON client may keep its connection and ask nothing


class RobotServer:
    """Serves one robot, over gRPC and JSON; `sync` brings the world to the present before each call."""

    def __init__(self, robot: VirtualVector, sync: Callable[[], None]):
        name = f"vector-{robot.serial}-{secrets.token_hex(8)}"
        self._grpc_name, self._json_name = f"{name}-grpc", f"{name}-json"
        self._grpc = grpc.aio.server(interceptors=[Gate(robot, sync)])
        add_to_server(VectorServicer(robot), self._grpc)
        self._grpc.add_insecure_port(f"unix-abstract:{self._grpc_name}")
        self._channel = grpc.aio.insecure_channel(f"unix-abstract:{self._grpc_name}")
        self._front = Front(robot.identity, {"grpc": f"\0{self._grpc_name}", "json": f"\0{self._json_name}"})
        self._ending = asyncio.Event()
        self._json: asyncio.Task[None] | None = None

    async def start(self, bound: socket.socket) -> None:
        """Take connections at a socket."""
        await self._grpc.start()
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(f"\0{self._json_name}")
        listening.listen()  # connections wait until it is served
        # hypercorn's types of the same ASGI are narrower
        app: Any = json_app(SERVICE, SERVICE_NAME, self._channel)
        self._json = asyncio.create_task(serve(app, _config(listening), shutdown_trigger=self._ending.wait))
        await self._front.start(bound)

    async def stop(self) -> None:
        """Cut all connections and end."""
        self._front.stop()
        self._ending.set()
        await self._channel.close()
        await self._grpc.stop(None)
        if self._json:
            await asyncio.gather(self._json, return_exceptions=True)


def _config(listening: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.loglevel = "ERROR"
    config.include_server_header = False
    config.keep_alive_timeout = IDLE_S
    config.graceful_timeout = 0.5
    return config
