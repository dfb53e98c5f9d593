"""Frames of an attacker: bytes by the thousand, legal or not."""

from collections.abc import Iterable, Iterator

from hpack import Encoder, HeaderTuple, NeverIndexedHeaderTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
UNKNOWN = 0x5E
END_STREAM, END_HEADERS = 1, 4
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
CANCEL = (8).to_bytes(4, "big")

SERVICE = "/penstock.test.echo.Echo/"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """u24 length | u8 kind | u8 flags | u32 stream | payload."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def settings(**values: int) -> bytes:
    """SETTINGS of the two that attackers care for."""
    numbers = {"header_table_size": HEADER_TABLE_SIZE, "initial_window_size": INITIAL_WINDOW_SIZE}
    pairs = (numbers[name].to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in values.items())
    return frame(SETTINGS, 0, 0, b"".join(pairs))


def greeting(**values: int) -> bytes:
    """What a client says first, with its answer to the SETTINGS of the server."""
    return PREFACE + settings(**values) + frame(SETTINGS, 1, 0)


def window(stream: int, increment: int) -> bytes:
    """WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def reset(stream: int) -> bytes:
    """RST_STREAM that cancels."""
    return frame(RST_STREAM, 0, stream, CANCEL)


def message(payload: bytes, flag: int = 0) -> bytes:
    """One message with its prefix."""
    return bytes([flag]) + len(payload).to_bytes(4, "big") + payload


class Requests:
    """Header blocks of one connection: the first call fills the peer's table, later ones are a few bytes.

    With `literal` they leave the table alone, for an attacker that fills it by hand.
    """

    def __init__(self, method: str, *extra: tuple[str, str], literal: bool = False) -> None:
        self._encoder = Encoder()
        self._kind = NeverIndexedHeaderTuple if literal else HeaderTuple
        self._pairs = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", SERVICE + method),
            (":authority", "attacked"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *extra,
        ]
        self._stream = -1

    def block(self) -> bytes:
        """Encode the head of the next call."""
        pairs = [self._kind(name.encode(), value.encode()) for name, value in self._pairs]
        return bytes(self._encoder.encode(pairs))

    def stream(self) -> int:
        """Give the id of the next stream."""
        self._stream += 2
        return self._stream

    def opened(self, *, end: bool, tail: bytes = b"") -> tuple[int, bytes]:
        """Open a call: its id, and its HEADERS with `tail` added to the block."""
        stream = self.stream()
        return stream, frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.block() + tail)


def chunks(frames: Iterable[bytes], of_each: int, at_least_bytes: int = 64 * 1024) -> Iterator[tuple[bytes, int]]:
    """Join frames to pieces worth a system call; with each the number of frames in it.

    Args:
        frames: Bytes, each of so many frames.
        of_each: How many.
        at_least_bytes: What a piece has.
    """
    piece, size = [], 0
    for some in frames:
        piece.append(some)
        size += len(some)
        if size >= at_least_bytes:
            yield b"".join(piece), of_each * len(piece)
            piece, size = [], 0
    yield b"".join(piece), of_each * len(piece)
