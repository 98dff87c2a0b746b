"""Connections that ask nothing, or never end, keep nobody out: they are cut, and make room for others."""

import contextlib
import resource
import socket
import time

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from vector_tl.system import allow_files
from vector_tl.web import connections
from vector_tl.web.connections import Crowd, peer_of, usual_crowd
from vector_tl.web.server import PageServer, bind, page_app

pytestmark = pytest.mark.fast
ASK = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
MUCH = 20_000_000  # bytes; more than the system takes for a client that does not read
ROOM = 8  # connections of one address


@pytest.fixture
def port(tmp_path):
    """A server that lets few in at once."""

    def hello(request: Request) -> Response:
        return PlainTextResponse("hello")

    def much(request: Request) -> Response:
        return PlainTextResponse("x" * MUCH)

    app = page_app([Route("/hello", hello, methods=["GET", "POST"]), Route("/much", much)], tmp_path)
    server = PageServer(app, bind(), Crowd(ROOM, 2 * ROOM))
    with server.in_thread("page"):
        yield server.socket.getsockname()[1]


@pytest.fixture
def client(port):
    """Opens connections from an address of this machine, and closes them all in the end."""
    with contextlib.ExitStack() as stack:

        def connect(data: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
            made = stack.enter_context(
                socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(address, 0))
            )
            made.sendall(data)
            return made

        yield connect


def answers(connection: socket.socket) -> bool:
    """Whether it is answered; what is late fails, by the socket's own limit."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(ASK)
        said = connection.recv(4096)
        return b"200 OK" in said and (said.endswith(b"hello") or connection.recv(100) == b"hello")
    return False


def is_cut(connection: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        while connection.recv(1 << 20):
            pass
    return True


@pytest.mark.parametrize("held", [b"", b"G", ASK[:-2], b"POST /hello HTTP/1.1\r\nContent-Length: 9\r\n"])
def test_sockets_that_are_only_held_open_keep_nobody_out(client, held):
    silent = [client(held) for _ in range(5 * ROOM)]
    assert all(answers(client()) for _ in range(3))
    for connection in silent[: 4 * ROOM]:
        assert is_cut(connection), "the oldest go"


def test_who_has_asked_stays_longer_than_who_never_did(client):
    person = client()
    assert answers(person)
    for _ in range(3 * ROOM):
        client(b"G")
    assert answers(person)


def test_idle_ones_make_room_when_all_have_asked(client):
    idle = [client() for _ in range(ROOM)]
    assert all(answers(connection) for connection in idle)
    assert answers(client())
    assert is_cut(idle[0]) and answers(idle[-1])


def test_bodies_that_never_end_and_answers_that_nobody_reads_make_room(client):
    for _ in range(ROOM):
        client(b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n...")
    assert answers(client())
    for _ in range(ROOM):
        client(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answers(client())


def test_one_address_leaves_room_for_others_and_all_together_are_limited(client):
    other = client(b"", "127.0.0.2")
    for _ in range(3 * ROOM):
        client(b"G")
    assert answers(other), "who came from elsewhere has not asked either, and is older"
    for number in range(3, 9):
        for _ in range(ROOM):
            client(b"G", f"127.0.0.{number}")
    assert answers(client()) and answers(client(b"", "127.0.0.3"))


@pytest.mark.parametrize(
    "begun",
    [b"G", b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n", ASK + b"G"],
)
def test_who_sends_a_byte_now_and_then_is_cut(client, monkeypatch, begun):
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    slow = client(begun)
    end_s = time.monotonic() + 3
    with pytest.raises(ConnectionError):
        while time.monotonic() < end_s:
            slow.sendall(b"x")
            time.sleep(0.05)
    assert time.monotonic() < end_s - 1


def test_who_does_not_read_is_cut(client, monkeypatch):
    monkeypatch.setattr(connections, "UNREAD_S", 0.2)
    lazy = client(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
    lazy.recv(1)  # it is being answered
    time.sleep(0.5)
    size = 1
    with contextlib.suppress(ConnectionError):
        while part := lazy.recv(1 << 20):
            size += len(part)
    assert size < MUCH


def test_a_head_without_end_is_refused(client):
    endless = client()
    said = b""
    with contextlib.suppress(ConnectionError):
        endless.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000)
        said = endless.recv(100)
    assert b"200" not in said and is_cut(endless)


def test_a_household_is_onepeer_of():
    assert peer_of("2001:db8::1:2:3:4") == peer_of("2001:db8::ffff") != peer_of("2001:db8:0:1::1")
    assert peer_of("10.0.0.1") != peer_of("10.0.0.2") and peer_of("fe80::1%eth0") and peer_of("") == ""


def test_files_are_allowed_up_to_what_the_system_allows(monkeypatch):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        allow_files(512)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 512
        assert allow_files(300) == 512
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 512, "never lowered"
        monkeypatch.setattr(connections, "FILES", 512)
        crowd = usual_crowd()
        assert (crowd.max_of_peer, crowd.max_in_all) == (256, 256), "half of the files stay the program's own"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
