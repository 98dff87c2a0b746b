"""The robot's one port: what passes through it, what is held back, and who is turned away."""

import asyncio
import secrets
import socket
import ssl

import pytest

from vector_tl.sim.engine.identity import make_identity
from vector_tl.sim.gateway import front as front_module
from vector_tl.sim.gateway.front import Front

pytestmark = pytest.mark.fast

IDENTITY = make_identity(0)
WAIT_S = 5.0


class Rig:
    """A front before a server that answers each line with the same; `served` are the server's connections."""

    def __init__(self):
        address = f"\0front-{secrets.token_hex(8)}"
        self.front = Front(IDENTITY, {"http1": address})
        self.address, self.served, self.serving, self.clients = address, [], [], []
        self.reads = asyncio.Event()
        self.reads.set()

    async def __aenter__(self):
        bound = socket.create_server(("127.0.0.1", 0))
        self.port = bound.getsockname()[1]
        self._server = await asyncio.start_unix_server(self._serve, self.address)
        await self.front.start(bound)
        return self

    async def __aexit__(self, *_):
        self.front.stop()
        self._server.close()
        for writer in self.served:
            writer.close()
        await asyncio.gather(*self.serving, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.served.append(writer)
        self.serving.append(asyncio.current_task())
        await self.reads.wait()
        while line := await reader.readline():
            writer.write(line)
            if line == b"bye\n":
                break
        writer.close()

    async def connect(self, first: bytes = b"hello\n"):
        context = ssl.create_default_context(cadata=IDENTITY.certificate.decode())
        secured = {"ssl": context, "server_hostname": IDENTITY.name, "ssl_shutdown_timeout": 0.1}
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **secured)
        self.clients.append(writer)  # one that nobody holds closes itself
        writer.write(first)
        return reader, writer


def run(scenario):
    async def within_time():
        async with asyncio.timeout(WAIT_S), Rig() as rig:
            await scenario(rig)

    asyncio.run(within_time())


async def is_silent(reader) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), 0.1)
    except TimeoutError:
        return True
    return False


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_bytes_pass_and_an_end_passes_both_ways():
    async def scenario(rig):
        reader, writer = await rig.connect()
        assert await reader.readline() == b"hello\n"
        writer.write(b"bye\n")
        assert await reader.read() == b"bye\n"  # with its end
        reader, writer = await rig.connect()
        await reader.readline()
        writer.transport.abort()
        await until(lambda: rig.served[1].is_closing() and not rig.front.clients)

    run(scenario)


def test_a_stalled_link_holds_back_and_then_passes_on():
    async def scenario(rig):
        (reader, writer), (other, other_writer) = await rig.connect(), await rig.connect()
        assert await reader.readline() == await other.readline() == b"hello\n"
        rig.front.stall(1, True)
        writer.write(b"one\n")
        other_writer.write(b"two\n")
        assert await is_silent(reader) and await other.readline() == b"two\n"
        rig.front.stall(0, True)
        other_writer.write(b"three\n")
        late, _ = await rig.connect()
        assert await is_silent(other) and await is_silent(late)
        rig.front.stall(0, False)
        for held, line in ((reader, b"one\n"), (other, b"three\n"), (late, b"hello\n")):
            assert await held.readline() == line

    run(scenario)


def test_a_server_that_does_not_read_makes_the_client_wait():
    async def scenario(rig):
        rig.reads.clear()
        reader, writer = await rig.connect()
        line = b"x" * 65_000 + b"\n"
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 1000:
                writer.write(line)
                await asyncio.wait_for(writer.drain(), 0.3)
                sent += 1
        assert sent < 200  # 13 MB, most of it in the sockets' buffers
        rig.reads.set()
        for _ in range(sent):
            assert len(await reader.readline()) in (len(line), len(b"hello\n"))

    run(scenario)


def test_who_says_nothing_is_turned_away(monkeypatch):
    monkeypatch.setattr(front_module, "HANDSHAKE_S", 0.3)

    async def scenario(rig):
        talks, _ = await rig.connect()
        silent, _ = await rig.connect(b"")
        assert await talks.readline() == b"hello\n"
        assert not await silent.read()
        assert len(rig.front.clients) == 1

    run(scenario)


def test_one_connection_too_many_is_turned_away(monkeypatch):
    monkeypatch.setattr(front_module, "MAX_CONNECTIONS", 1)

    async def scenario(rig):
        reader, writer = await rig.connect()
        one_more, _ = await rig.connect()
        assert not await one_more.read()
        assert await reader.readline() == b"hello\n"

    run(scenario)


def test_connections_that_ask_nothing_make_room(monkeypatch, caplog):
    monkeypatch.setattr(front_module, "MAX_CONNECTIONS", 3)

    async def scenario(rig):
        reader, writer = await rig.connect()
        assert await reader.readline() == b"hello\n"
        silent = [await rig.connect(b"") for _ in range(2)]
        for number in range(2):
            late, _ = await rig.connect()
            assert await late.readline() == b"hello\n"
            assert not await silent[number][0].read(), "the oldest"
        refused, _ = await rig.connect()
        assert not await refused.read(), "all others have asked"
        writer.write(b"bye\n")
        assert await reader.readline() == b"bye\n"

    run(scenario)
    assert len(caplog.records) == 1
