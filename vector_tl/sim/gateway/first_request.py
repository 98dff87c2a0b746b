"""Which server a connection is for, by its first request: gRPC's, or that of JSON over HTTP/1.1 or HTTP/2.

A robot has all at one port. On HTTP/2 the first request's content type says it, but a
client may wait for the server's settings before it asks anything (RFC 9113, 3.4; gRPC's does). So empty
settings are sent to it here, which change nothing, and its acknowledgement of them is left out of what the
server receives: the server sends settings of its own. Pings are answered here until the server is known.
"""

from typing import Literal

from hpack import Decoder, HPACKError
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame, PingFrame, SettingsFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD_BYTES = 9
MAX_FRAME_BYTES = 1 << 14  # until settings say otherwise (RFC 9113, 4.2)
MAX_OPENING_BYTES = 64 << 10
Server = Literal["grpc", "http2", "http1"]
GRPC = b"application/grpc"  # content types begin with it, as "application/grpc+proto"


class NoRequest(Exception):
    """What a client sent is no beginning of a request."""


class FirstRequest:
    """Reads a connection's beginning; no input or output of its own.

    Attributes:
        server: which server the connection is for; None until that is known.
        replies: what the client is to be sent; whoever sends it empties it.
    """

    def __init__(self) -> None:
        self.server: Server | None = None
        self.replies = bytearray()
        self._unread = bytearray()  # the frame that has not arrived wholly
        self._for_server = bytearray()
        self._block = bytearray()  # of the first request's headers
        self._acknowledged = False
        self._read = self._read_start

    @property
    def begun(self) -> bool:
        """Whether the client has said which HTTP it speaks."""
        return self._read != self._read_start

    @property
    def settled(self) -> bool:
        """Whether all that is to come is for the server as it is."""
        return self._read == self._read_rest and not self._unread

    def receive(self, data: bytes) -> bytes:
        """Take what the client sent next, and return what the server is to receive now.

        Raises:
            NoRequest: no server could make anything of it.
        """
        self._unread += data
        while self._read():
            pass
        if self.server is None:
            if len(self._unread) + len(self._for_server) > MAX_OPENING_BYTES:
                raise NoRequest("no request in its first bytes")
            return b""
        passed_on, self._for_server = bytes(self._for_server), bytearray()
        return passed_on

    # Each of these reads one thing, if it is there wholly, and returns whether another may follow.

    def _read_start(self) -> bool:
        if len(self._unread) < 3:
            return False
        if not PREFACE.startswith(self._unread[: len(PREFACE)]):
            self.server, self._read = "http1", self._read_rest
            return True
        if len(self._unread) < len(PREFACE):
            return False
        self._pass_on(len(PREFACE))
        self.replies += SettingsFrame(0).serialize()
        self._read = self._read_frame
        return True

    def _read_frame(self) -> bool:
        if len(self._unread) < FRAME_HEAD_BYTES:
            return False
        try:
            frame, length = Frame.parse_frame_header(memoryview(self._unread[:FRAME_HEAD_BYTES]))
            if length > MAX_FRAME_BYTES:
                raise NoRequest("a frame is too long")
            end = FRAME_HEAD_BYTES + length
            if len(self._unread) < end:
                return False
            if self.server is None and isinstance(frame, HeadersFrame | ContinuationFrame | PingFrame):
                frame.parse_body(memoryview(self._unread[FRAME_HEAD_BYTES:end]))
            self._take(frame, end)
        except (HyperframeError, HPACKError) as error:
            raise NoRequest(str(error)) from None
        if self.server and self._acknowledged:
            self._read = self._read_rest
        return True

    def _take(self, frame: Frame, end: int) -> None:
        if isinstance(frame, SettingsFrame) and "ACK" in frame.flags and not self._acknowledged:
            self._acknowledged = True
            del self._unread[:end]
        elif isinstance(frame, PingFrame) and "ACK" not in frame.flags and self.server is None:
            self.replies += PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize()
            del self._unread[:end]
        else:
            self._pass_on(end)
            if self.server is None and isinstance(frame, HeadersFrame | ContinuationFrame):
                self._block += frame.data
                if "END_HEADERS" in frame.flags:
                    self.server = _server(bytes(self._block))

    def _read_rest(self) -> bool:
        self._pass_on(len(self._unread))
        return False

    def _pass_on(self, size: int) -> None:
        self._for_server += self._unread[:size]
        del self._unread[:size]


def _server(block: bytes) -> Server:
    headers = dict(Decoder(MAX_OPENING_BYTES).decode(block, raw=True))
    return "grpc" if headers.get(b"content-type", b"").startswith(GRPC) else "http2"
