"""For which server a connection is, and what that server receives."""

import contextlib

import h2.config
import h2.connection
import h2.events
import pytest
from hyperframe.frame import HeadersFrame, PingFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.sim.gateway.first_request import MAX_OPENING_BYTES, PREFACE, FirstRequest, NoRequest

pytestmark = pytest.mark.fast

ACK = SettingsFrame(0, flags=["ACK"]).serialize()


def client(content_type: str, body: bytes = b"") -> bytes:
    """What a client of HTTP/2 sends up to its first request."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    headers = [(":method", "POST"), (":path", "/x"), (":scheme", "https"), (":authority", "v")]
    connection.send_headers(1, [*headers, ("content-type", content_type)], end_stream=not body)
    if body:
        connection.send_data(1, body, end_stream=True)
    return connection.data_to_send()


def fed(data: bytes, sizes: list[int] | None = None) -> tuple[FirstRequest, bytes]:
    """A reader that was given the data in parts of those sizes, and what the server receives."""
    first, received = FirstRequest(), b""
    for size in [*(sizes or []), len(data)]:
        part, data = data[:size], data[size:]
        received += first.receive(part)
    return first, received


def requests(received: bytes) -> list[dict[bytes, bytes]]:
    """The requests that a server of HTTP/2 makes of what it receives."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    events = server.receive_data(received)
    return [dict(event.headers) for event in events if isinstance(event, h2.events.RequestReceived)]


@pytest.mark.parametrize(
    ("content_type", "server"),
    [("application/grpc", "grpc"), ("application/grpc+proto", "grpc"), ("application/json", "http2")],
)
@given(sizes=st.lists(st.integers(0, 40), max_size=40))
def test_http2_is_told_apart_by_the_content_type_however_it_arrives(content_type, server, sizes):
    first, received = fed(client(content_type, b"{}"), sizes)
    assert first.server == server
    assert [headers[b"content-type"] for headers in requests(received)] == [content_type.encode()]


@given(
    request=st.sampled_from([b"POST /v1/x HTTP/1.1\r\n\r\n", b"PUT", b"PRO", b"\0\0\0", b"GET / HTTP/0.9\n"])
)
def test_all_else_is_for_the_server_of_http1_as_it_is(request):
    first, received = fed(request)
    assert first.server == "http1" and received == request and first.settled


def test_the_first_acknowledgement_stays_here_whenever_it_comes():
    request = client("application/grpc")
    settings_end = len(PREFACE) + 9 + int.from_bytes(request[len(PREFACE) : len(PREFACE) + 3], "big")
    early, received_early = fed(request[:settings_end] + ACK + request[settings_end:] + ACK)
    late, received_late = fed(request + ACK + ACK)
    assert received_early == received_late == request + ACK
    assert early.settled and late.settled and not FirstRequest().settled
    assert bytes(early.replies) == SettingsFrame(0).serialize()


def test_pings_are_answered_until_the_server_is_known():
    ping = PingFrame(0, b"12345678").serialize()
    request = client("application/json")
    first, received = fed(PREFACE + ping + request[len(PREFACE) :] + ping)
    assert received == request + ping
    assert bytes(first.replies).endswith(PingFrame(0, b"12345678", flags=["ACK"]).serialize())


@pytest.mark.parametrize(
    "nonsense",
    [
        PREFACE + b"\xff" * 9,
        PREFACE + HeadersFrame(1, b"\xff" * 20, flags=["END_HEADERS"]).serialize(),
        PREFACE + HeadersFrame(1, b"x", flags=["END_HEADERS", "PADDED"], pad_length=200).serialize(),
        PREFACE + PingFrame(0, b"x" * 8).serialize()[:3] + b"\x06\0\0\0\0\x01" + b"x" * 8,
        PREFACE + SettingsFrame(0).serialize() * (MAX_OPENING_BYTES // 9 + 1),
    ],
)
def test_what_is_no_request_is_refused(nonsense):
    with pytest.raises(NoRequest):
        fed(nonsense)


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_do_anything_else_than_be_refused(data, http2):
    with contextlib.suppress(NoRequest):
        fed(PREFACE + data if http2 else data, [7, 30])
