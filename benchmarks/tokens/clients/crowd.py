"""Many gRPC calls on one connection that cost next to nothing: HTTP/2 by hand, and messages counted as bytes.

It asks once, opens the largest windows there are, and answers PINGs. It is no client to copy: it is there because every
real one needs more time for a token than the server that is measured.
"""

from benchmarks.tokens.clients.meter import Came
from benchmarks.tokens.clients.reader import Reader
from benchmarks.tokens.load import METHOD, PIECE, PROMPT

__all__ = ["Crowd"]

DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
ACK = END_STREAM = 1
END_HEADERS = 4
INITIAL_WINDOW_SIZE = 4
"""Source: RFC 9113 section 6."""

MOST_WINDOW, FIRST_WINDOW = 2**31 - 1, 65_535


def message(payload: bytes) -> bytes:
    """Put gRPC's prefix before a message."""
    return b"\0" + len(payload).to_bytes(4, "big") + payload


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Make a frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


SETTINGS_ACK = frame(SETTINGS, ACK, 0, b"")
PING_BYTES = 17
PING_BEGIN = frame(PING, 0, 0, bytes(8))[:9]


def head(address: str) -> bytes:
    """Make the header block of a call, uncompressed. Source: RFC 7541 section 6.2.2 and appendix A."""
    known = [(b"\x04", METHOD), (b"\x01", address), (b"\x0f\x10", "application/grpc")]
    others = [("te", "trailers"), ("grpc-timeout", "60S")]
    fields = [name + text(value) for name, value in known] + [
        b"\0" + text(name) + text(value) for name, value in others
    ]
    return b"\x83\x86" + b"".join(fields)  # POST, http


def text(value: str) -> bytes:
    """Make a string literal of HPACK."""
    return bytes([len(value)]) + value.encode()


def hello() -> bytes:
    """Say the preface, and open the windows of all streams and of the connection."""
    window = INITIAL_WINDOW_SIZE.to_bytes(2, "big") + MOST_WINDOW.to_bytes(4, "big")
    opened = frame(WINDOW_UPDATE, 0, 0, (MOST_WINDOW - FIRST_WINDOW).to_bytes(4, "big"))
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, window) + opened


def calls(address: str, count: int) -> bytes:
    """Make so many calls, each with its one request."""
    said = []
    for stream in range(1, 2 * count, 2):
        said.append(frame(HEADERS, END_HEADERS, stream, head(address)))
        said.append(frame(DATA, END_STREAM, stream, message(PROMPT)))
    return b"".join(said)


class Crowd(Reader):
    """One connection with many calls; tells of the tokens of all of them together."""

    def __init__(self, address: str, streams: int, came: Came) -> None:
        super().__init__(hello(), message(PIECE), came)
        # Not before the server's settings were answered: grpcio takes only a hundred calls from who has not.
        self._calls = calls(address, streams)
        self._tail = b""

    def data_received(self, data: bytes) -> None:
        """Count messages, and answer the settings, which are the first frame, and PINGs."""
        answers = b"" if self._tail else SETTINGS_ACK + self._calls
        window = self._tail + data[: PING_BYTES - 1]  # one that was cut in two
        for part in (window, data):
            found = part.find(PING_BEGIN)
            while 0 <= found <= len(part) - PING_BYTES:
                answers += frame(PING, ACK, 0, part[found + 9 : found + PING_BYTES])
                found = part.find(PING_BEGIN, found + PING_BYTES)
        self._tail = (self._tail + data)[1 - PING_BYTES :]
        if answers:
            self.transport.write(answers)
        super().data_received(data)
