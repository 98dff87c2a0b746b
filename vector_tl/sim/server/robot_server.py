"""What answers at a robot's port: the gRPC server, the JSON gateway beside it, and the front before both.

The servers are reached over abstract Unix sockets: those are no files, and a killed process leaves none.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable

import grpc

from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.gateway.front import Front
from vector_tl.sim.gateway.full_protocol import SERVICE, add_to_server
from vector_tl.sim.gateway.gate import Gate
from vector_tl.sim.gateway.http2 import Http2
from vector_tl.sim.gateway.json_gateway import json_app
from vector_tl.sim.gateway.protocol import VectorServicer
from vector_tl.web.server import PageServer


class RobotServer:
    """Serves one robot, over gRPC and JSON; `sync` brings the world to the present before each call."""

    def __init__(self, robot: VirtualVector, sync: Callable[[], None]):
        name = f"vector-{robot.serial}-{secrets.token_hex(8)}"
        self._grpc = grpc.aio.server(interceptors=[Gate(robot, sync)])
        add_to_server(VectorServicer(robot), self._grpc)
        self._grpc.add_insecure_port(f"unix-abstract:{name}-grpc")
        self._channel = grpc.aio.insecure_channel(f"unix-abstract:{name}-grpc")
        self._app = json_app(SERVICE, self._channel)
        self._http2_socket = _bound(f"{name}-http2")
        self._http1 = PageServer(self._app, _bound(f"{name}-http1"))
        self._front = Front(robot.identity, {way: f"\0{name}-{way}" for way in ("grpc", "http2", "http1")})
        robot.stall_link = self._front.stall
        self._http2: asyncio.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, bound: socket.socket) -> None:
        """Take connections at a socket."""
        await self._grpc.start()
        loop = asyncio.get_running_loop()
        self._http2 = await loop.create_unix_server(lambda: Http2(self._app), sock=self._http2_socket)
        self._serving = asyncio.create_task(self._http1.serve(sockets=[self._http1.socket]))
        await self._front.start(bound)

    async def stop(self) -> None:
        """Cut all connections and end."""
        self._front.stop()
        if self._http2:
            self._http2.close()
        self._http1.should_exit = self._http1.force_exit = True
        await self._channel.close()
        await self._grpc.stop(None)
        if self._serving:
            await self._serving
        self._http1.socket.close()


def _bound(name: str) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(f"\0{name}")
    return bound
