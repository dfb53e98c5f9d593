"""The attacks: what each sends, and what has to become of it."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, TypeAlias

from tests.protos.echo_pb2 import Note
from tests.stress.attacks import frames
from tests.stress.attacks.frames import Requests, chunks, frame, greeting, message, reset, settings, window

Step: TypeAlias = tuple[bytes, int] | float
"""Bytes and the number of frames in them; or seconds to do nothing."""

MANY = 10**9
LARGEST = 2**31 - 1
ASKS_MUCH = message(Note(number=MANY).SerializeToString())
OPEN_CALLS = 1000
"""What the server lets a client have open by default."""


@dataclass(frozen=True)
class Attack:
    """One kind of abuse."""

    name: str
    steps: Callable[[], Iterator[Step]]
    """What one connection sends; when it has no more it stays open."""
    end: Literal["cut", "throttled", "refused", "held"]
    """Cut off; slowed down to its share; each call refused at once; or held at no cost, within the limits."""
    within_seconds: float
    """By then."""
    counter: str = ""
    """Under which name the server counts it; more than one with a space between."""
    reads: bool = True
    """Whether it reads what the server answers."""
    connections: int = 1
    over_tls: bool = False
    """It is for the port that speaks TLS."""
    memory_bytes: int = 50 * 1024 * 1024
    """What the server may grow by."""
    returns: bool = True
    """It connects again when it was cut."""

    @property
    def counters(self) -> list[str]:
        """The names under which the server counts it."""
        return self.counter.split()


def rapid_reset() -> Iterator[Step]:
    requests = Requests("Unary")
    yield greeting(), 1
    yield from chunks((requests.opened(end=True)[1] + reset(requests._stream) for _ in range(MANY)), 2)


def made_you_reset(breach: Callable[[int], bytes]) -> Callable[[], Iterator[Step]]:
    def steps() -> Iterator[Step]:
        requests = Requests("Unary")
        yield greeting(), 1
        calls = (requests.opened(end=True)[1] + breach(requests._stream) for _ in range(MANY))
        yield from chunks(calls, 2)

    return steps


def continuations(payload: bytes) -> Callable[[], Iterator[Step]]:
    def steps() -> Iterator[Step]:
        yield greeting(), 1
        yield frame(frames.HEADERS, frames.END_STREAM, 1, Requests("Unary").block()), 1
        yield from chunks(repeat(frame(frames.CONTINUATION, 0, 1, payload)), 1)

    return steps


def hpack_bomb() -> Iterator[Step]:
    # Literal with incremental indexing, a value of 3,900 bytes; then 60,000 times that entry. Source: RFC 7541 6.2.1.
    entry = b"\x40\x01x\x7f" + bytes([(3900 - 127) & 0x7F | 0x80, (3900 - 127) >> 7]) + b"v" * 3900
    requests = Requests("Unary", literal=True)
    yield greeting(), 1
    yield requests.opened(end=True, tail=entry)[1], 1
    yield from chunks((requests.opened(end=True, tail=b"\xbe" * 60_000)[1] for _ in range(MANY)), 1)


def tiny_headers(*, hold: bool) -> Callable[[], Iterator[Step]]:
    def steps() -> Iterator[Step]:
        requests = Requests("ServerStream", literal=True)
        yield greeting(initial_window_size=0), 1
        yield requests.opened(end=True, tail=b"\x40\x01a\x00")[1] + reset(1), 2
        for _ in range(OPEN_CALLS if hold else MANY):
            # One byte on the wire is one field of 33 bytes: as many as the limit takes.
            stream, opening = requests.opened(end=False, tail=b"\xbe" * 470)
            close = b"" if hold else reset(stream)
            yield opening + frame(frames.DATA, frames.END_STREAM, stream, ASKS_MUCH) + close, 2

    return steps


def data_flood(payload: bytes, calls: int, first: bytes = b"") -> Callable[[], Iterator[Step]]:
    def steps() -> Iterator[Step]:
        requests = Requests("ClientStream")
        yield greeting(), 1
        streams = []
        for _ in range(calls):
            stream, opening = requests.opened(end=False)
            yield opening + (frame(frames.DATA, 0, stream, first) if first else b""), 1
            streams.append(stream)
        round_of_all = b"".join(frame(frames.DATA, 0, stream, payload) for stream in streams)
        yield from chunks(repeat(round_of_all), calls)

    return steps


def control_flood(some: bytes, calls: int = 0, ended: int = 0, count: int = 1) -> Callable[[], Iterator[Step]]:
    """Frames of which there is no end, with open calls, and ended ones, before them."""

    def steps() -> Iterator[Step]:
        requests = Requests("ClientStream")
        yield greeting(), 1
        for _ in range(ended):
            yield requests.opened(end=True)[1] + reset(requests._stream), 2
        for _ in range(calls):
            yield requests.opened(end=False)[1], 1
        yield from chunks(repeat(some), count)

    return steps


def trickle(begin: bytes, drop: Callable[[int], bytes]) -> Callable[[], Iterator[Step]]:
    def steps() -> Iterator[Step]:
        yield begin, 0
        for number in range(MANY):
            yield 0.5
            yield drop(number), 0

    return steps


def slow_headers() -> Iterator[Step]:
    block = Requests("Unary").block()
    yield greeting(), 1
    yield frame(frames.HEADERS, frames.END_STREAM, 1, block[:1]), 1
    for at in range(1, 4):
        yield 1.0
        yield frame(frames.CONTINUATION, 0, 1, block[at : at + 1]), 1


def zero_window() -> Iterator[Step]:
    requests = Requests("ServerStream")
    yield greeting(initial_window_size=0), 1
    for _ in range(OPEN_CALLS):
        stream, opening = requests.opened(end=False)
        yield opening + frame(frames.DATA, frames.END_STREAM, stream, ASKS_MUCH), 2


def unread_upload() -> Iterator[Step]:
    requests = Requests("ClientStream")
    yield greeting(), 1
    bulk = frame(frames.DATA, 0, 0, bytes(16_000))
    streams = []
    for _ in range(OPEN_CALLS):
        stream, opening = requests.opened(end=False)
        yield opening, 1
        streams.append(stream.to_bytes(4, "big"))
    for _ in range(60):  # just below the window of 1 MiB
        for stream_bytes in streams:
            yield bulk[:5] + stream_bytes + bulk[9:], 1


def calls_with(data: bytes, *extra: tuple[str, str]) -> Callable[[], Iterator[Step]]:
    def steps() -> Iterator[Step]:
        requests = Requests("Unary", *extra)
        yield greeting(), 1
        yield from chunks(
            (
                requests.opened(end=False)[1] + frame(frames.DATA, frames.END_STREAM, requests._stream, data)
                for _ in range(MANY)
            ),
            2,
        )

    return steps


BOMB = gzip.compress(Note(payload=bytes(4 * 1024 * 1024 - 16)).SerializeToString(), 9)
"""The largest message there may be, from 4 KiB."""

HELLO = bytes([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3])
"""A ClientHello of 512 bytes begins."""

TOGGLES = settings(initial_window_size=70_000) + settings(initial_window_size=60_000)

ATTACKS = [
    Attack("rapid-reset", rapid_reset, "throttled", 1.0, "rapid_reset"),
    Attack("reset-by-window-0", made_you_reset(lambda stream: window(stream, 0)), "cut", 1.0, "protocol_error"),
    Attack(
        "reset-by-priority-length",
        made_you_reset(lambda stream: frame(frames.PRIORITY, 0, stream, bytes(4))),
        "cut",
        1.0,
        "protocol_error",
    ),
    Attack(
        "reset-by-priority-self",
        made_you_reset(lambda stream: frame(frames.PRIORITY, 0, stream, stream.to_bytes(4, "big") + b"\x10")),
        "cut",
        1.0,
        "made_resets",
    ),
    Attack("reset-by-overflow", made_you_reset(lambda stream: window(stream, LARGEST)), "cut", 1.0, "made_resets"),
    Attack(
        "reset-by-headers-after-end",
        made_you_reset(lambda stream: frame(frames.HEADERS, 5, stream, b"\x83")),
        "cut",
        1.0,
        "protocol_error",
    ),
    Attack(
        "reset-by-data-after-end",
        made_you_reset(lambda stream: frame(frames.DATA, 0, stream, b"more")),
        "cut",
        1.0,
        "protocol_error",
    ),
    Attack("continuation-flood", continuations(b"\x00\x01a\x01b" * 3000), "cut", 1.0, "protocol_error"),
    Attack("empty-continuations", continuations(b""), "cut", 1.0, "protocol_error"),
    Attack("hpack-bomb", hpack_bomb, "cut", 1.0, "protocol_error"),
    Attack("tiny-headers-flood", tiny_headers(hold=False), "throttled", 1.0, "rapid_reset"),
    Attack("tiny-headers-held", tiny_headers(hold=True), "held", 1.0, reads=False),
    Attack("small-data", data_flood(b"x", 100, b"\x00\x00\x10\x00\x00"), "cut", 1.0, "data_flood"),
    Attack("empty-data", data_flood(b"", 100), "cut", 1.0, "data_flood"),
    Attack("empty-messages", data_flood(message(b""), 100), "held", 1.0),
    Attack("ping-flood", control_flood(frame(frames.PING, 0, 0, bytes(8))), "cut", 1.0, "too_many_pings"),
    Attack(
        "ping-flood-unread",
        control_flood(frame(frames.PING, 0, 0, bytes(8))),
        "cut",
        1.0,
        "too_many_pings",
        reads=False,
    ),
    Attack("ping-ack-flood", control_flood(frame(frames.PING, 1, 0, bytes(8))), "cut", 1.0, "control_flood"),
    Attack("settings-flood", control_flood(settings()), "cut", 1.0, "control_flood"),
    Attack("settings-with-calls", control_flood(TOGGLES, calls=900, count=2), "cut", 1.0, "control_flood"),
    Attack("reset-flood", control_flood(reset(1), ended=1), "cut", 1.0, "control_flood"),
    Attack("window-flood", control_flood(window(0, 1)), "cut", 1.0, "control_flood"),
    Attack("stream-window-flood", control_flood(window(3, 1), ended=1, calls=1), "cut", 1.0, "control_flood"),
    Attack(
        "priority-flood", control_flood(frame(frames.PRIORITY, 0, 5, bytes(4) + b"\x10")), "cut", 1.0, "control_flood"
    ),
    Attack("unknown-frames", control_flood(frame(frames.UNKNOWN, 0, 0, b"x")), "cut", 1.0, "control_flood"),
    Attack(
        "slow-preface",
        trickle(frames.PREFACE[:1], lambda number: frames.PREFACE[1 + number : 2 + number]),
        "cut",
        11.0,
        "slow_handshake",
        connections=500,
        returns=False,
    ),
    Attack(
        "slow-tls",
        trickle(HELLO, lambda _number: b"\x00"),
        "cut",
        11.0,
        "slow_handshake",
        connections=200,
        over_tls=True,
        returns=False,
    ),
    Attack("slow-headers", slow_headers, "cut", 11.0, "slow_headers", connections=100, returns=False),
    Attack("zero-window", zero_window, "held", 1.0),
    # It never answers the SETTINGS that make windows smaller: it is read slowly, and would be cut off after 10 s.
    Attack("unread-upload", unread_upload, "held", 1.0),
    Attack("4gib-prefix", calls_with(b"\x00\xff\xff\xff\xff"), "throttled", 1.0, "refused_calls"),
    Attack(
        "zip-bomb", calls_with(message(BOMB, 1), ("grpc-encoding", "gzip")), "throttled", 1.0, "expansions made_resets"
    ),
]
