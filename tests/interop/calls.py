"""A call as the interop tests describe it, and what its two sides saw: the same for every implementation.

Each implementation has the Echo service of echo.proto, and all of them behave alike. A reply is the request again; with
the payload `pattern(size)` if the request has a `size`, and with a number:

    Unary         the request's own
    ServerStream  as many replies as the request's number says, counted from 1; one without a number if that is 0
    ClientStream  the last request's reply, its number the count of requests; no number if the request has none
    BothStream    one reply for each request, with the request's own

Then the text of the request says what to do, after its replies:

    status CODE MESSAGE   end the call with that status
    cancel                cancel the call, as far as the implementation lets a handler do that
    wait                  wait until the call is over; methods with one reply send initial metadata first
    end                   end the call with OK now, without reading what else the client sends
    answer                BothStream: no reply yet; after the client's half-close replies as ServerStream gives them

Metadata with a key that begins with `initial-` or `trailing-` comes back as initial or trailing metadata.
"""

import base64
import itertools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from penstock import MetadataValue, StatusCode
from tests.protos.echo_pb2 import Note

Kind = Literal["unary", "server_stream", "client_stream", "both_stream"]
KINDS: tuple[Kind, ...] = get_args(Kind)

BOUND_SECONDS = 15.0
"""What a test waits at most for what must come: a bound for failures, never a pace."""

Values: TypeAlias = dict[str, list[MetadataValue]]
"""Metadata by key: implementations keep the order of a key's values, not that of the keys."""

CYCLE = bytes(range(251))
"""What payloads repeat; its length is a prime, so that nothing shifted looks the same."""

_ids = itertools.count(1)


def pattern(size: int) -> bytes:
    """Make a payload."""
    return (CYCLE * (size // len(CYCLE) + 1))[:size]


@dataclass(frozen=True)
class Request:
    """What a client sends: a note, perhaps many times, and then numbered from 1."""

    text: str = ""
    number: int = 0
    size: int = 0
    payload_bytes: int = 0
    times: int = 1

    def notes(self) -> Iterator[Note]:
        """Make the messages."""
        payload = pattern(self.payload_bytes)
        for index in range(self.times):
            number = index + 1 if self.times > 1 else self.number
            yield Note(text=self.text, number=number, size=self.size, payload=payload)


@dataclass(frozen=True)
class Call:
    """What a client is asked to do."""

    kind: Kind
    requests: tuple[Request, ...] = (Request(),)
    metadata: tuple[tuple[str, MetadataValue], ...] = ()
    timeout_seconds: float | None = None
    enforce_timeout: bool = True
    """False: the server is told of the timeout, and the client lets it pass."""
    half_close: bool = True
    flood: bool = False
    """Send the last request again and again, until the call takes no more."""
    cancel_after: int | None = None
    """Cancel after so many replies; 0: as soon as the response begins."""
    id: str = field(default_factory=lambda: f"call {next(_ids)}")

    def notes(self) -> Iterator[Note]:
        """Make the messages it sends, without the flood."""
        for request in self.requests:
            yield from request.notes()

    def pairs(self) -> list[tuple[str, MetadataValue]]:
        """Give the metadata it sends."""
        return [*self.metadata, ("call-id", self.id)]

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON can hold it."""
        texts = [(key, value if isinstance(value, str) else _to_text(value)) for key, value in self.metadata]
        return {**asdict(self), "metadata": texts}


@dataclass
class Tally:
    """Messages that came: how many, and what they were, in order."""

    count: int = 0
    digest: int = 0

    def add(self, note: Note) -> None:
        """Count one more."""
        head = note.text.encode() + b"\0" + note.number.to_bytes(8, "big") + note.size.to_bytes(4, "big")
        self.count += 1
        self.digest = zlib.crc32(note.payload, zlib.crc32(head, self.digest))


@dataclass
class Outcome:
    """What a client saw of a call."""

    code: StatusCode
    message: str
    initial: Values
    trailing: Values
    replies: Tally

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Outcome":
        """Read what the Go client prints."""
        return cls(
            code=StatusCode(fields["code"]),
            message=fields["message"],
            initial=echoed(_pairs(fields["initial"])),
            trailing=echoed(_pairs(fields["trailing"])),
            replies=Tally(**fields["replies"]),
        )


@dataclass
class Record:
    """What a server saw of a call, once its handler has ended."""

    call: str
    requests: Tally = field(default_factory=Tally)
    ended: StatusCode | None = None
    """How the handler ended, or why it was woken."""
    remaining_seconds: float | None = None
    """What the client's timeout left when the handler began; `None` if it set none."""

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Record":
        """Read what the Go server prints."""
        return cls(
            call=fields["call"],
            requests=Tally(**fields["requests"]),
            ended=StatusCode(fields["ended"]),
            remaining_seconds=fields["remaining_seconds"],
        )


def tally(notes: Iterable[Note]) -> Tally:
    """Count messages."""
    counted = Tally()
    for note in notes:
        counted.add(note)
    return counted


def reply(request: Note, number: int) -> Note:
    """Make a reply."""
    return Note(text=request.text, number=number, payload=pattern(request.size) if request.size else request.payload)


def copies(request: Note) -> Iterator[Note]:
    """Make the replies of a server stream."""
    for number in range(1, request.number + 1) if request.number else [0]:
        yield reply(request, number)


def all_replies(call: Call) -> list[Note]:
    """Make what a call that nothing cuts short is answered with."""
    requests = list(call.notes())
    last = requests[-1]
    if call.kind == "server_stream" or last.text == "answer":
        return list(copies(last))
    if call.kind == "client_stream":
        return [reply(last, len(requests) if last.number else 0)]
    return [reply(request, request.number) for request in requests]


def echoed(pairs: Iterable[tuple[str, MetadataValue]]) -> Values:
    """Pick what the service sends back from metadata that may hold more."""
    found: Values = {}
    for key, value in pairs:
        if key.startswith(("initial-", "trailing-")):
            found.setdefault(key, []).append(value)
    return found


def _pairs(values: dict[str, list[str]] | None) -> Iterator[tuple[str, MetadataValue]]:
    for key, texts in (values or {}).items():
        for text in texts:
            yield key, base64.b64decode(text) if key.endswith("-bin") else text


def _to_text(value: bytes) -> str:
    return base64.b64encode(value).decode()
