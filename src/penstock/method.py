"""A method as both sides know it: its path, its kind, its messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from penstock import _engine
from penstock.codec import PROTOBUF, RAW, Codec

if TYPE_CHECKING:
    from penstock.limits import Limits

__all__ = ["Kind", "Method"]

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")


class Kind(Enum):
    """Which sides send a stream: request → reply."""

    one_request: bool
    """The client sends exactly one message."""
    one_reply: bool
    """The server sends exactly one message."""

    UNARY = "one → one"
    SERVER_STREAM = "one → many"
    CLIENT_STREAM = "many → one"
    BOTH_STREAM = "many → many"

    def __init__(self, value: str) -> None:
        # Asked for with every call: as properties that compare members they took 600 ns each.
        self.one_request, self.one_reply = value.startswith("one"), value.endswith("one")


@dataclass(frozen=True, slots=True)
class Method(Generic[RequestT, ReplyT]):
    """One method of a service. Generated code has a constant for each."""

    path: str
    """`/package.Service/Method`, exactly."""

    kind: Kind
    """Which sides send a stream."""

    request_type: type[RequestT]
    """Class of the requests."""

    reply_type: type[ReplyT]
    """Class of the replies."""

    codec: Codec = PROTOBUF
    """How both become bytes."""

    def __hash__(self) -> int:
        """Of the path alone: each call looks for its codec with this, and who else has the path is the same method."""
        return hash(self.path)


def raw_method(path: str) -> Method[bytes, bytes]:
    """A method whose messages stay bytes, many both ways: any method fits it on the wire."""
    return Method(path, Kind.BOTH_STREAM, bytes, bytes, RAW)


def client_codec(method: Method[RequestT, ReplyT], limits: Limits) -> _engine.Codec:
    """How a client sends and receives."""
    encode, decode = method.codec.encoder(method.request_type), method.codec.decoder(method.reply_type)
    return _codec(method.request_type, encode, decode, limits)


def server_codec(method: Method[RequestT, ReplyT], limits: Limits) -> _engine.Codec:
    """How a server sends and receives."""
    encode, decode = method.codec.encoder(method.reply_type), method.codec.decoder(method.request_type)
    return _codec(method.reply_type, encode, decode, limits)


def _codec(send_type: type[Any], encode: Any, decode: Any, limits: Limits) -> _engine.Codec:
    sizes = (limits.max_send_message_bytes, limits.max_receive_message_bytes)
    return _engine.Codec(send_type, encode, decode, *sizes)
