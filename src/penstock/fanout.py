"""One message for many streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock import _engine
from penstock._engine import Encoded
from penstock.codec import PROTOBUF, RAW, Codec
from penstock.errors import RpcError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.stream import Stream

__all__ = ["Encoded", "broadcast", "encode", "send_each"]

MessageT = TypeVar("MessageT")

REFUSALS = (RpcError, UsageError)
"""What says that a stream could not take a message: too large, another type, or not wanted by who watches."""


def encode(message: MessageT, codec: Codec | None = None) -> Encoded[MessageT]:
    """Encode once; every `send` takes the result in the place of the message.

    Args:
        message: A protobuf message, or `bytes` for streams of raw bytes.
        codec: Another codec, for methods that have one.

    Returns:
        The bytes and the type of the message; `len` is their number. It does not follow later changes of the message.

    Raises:
        UsageError: The message needs a codec, or its codec gave no bytes.
    """
    kind = type(message)
    if codec is None and kind is not bytes and not hasattr(kind, "SerializeToString"):
        msg = f"{kind.__name__} is no protobuf message and not bytes: give the codec of its method"
        raise UsageError(msg)
    encoder = (codec or (RAW if kind is bytes else PROTOBUF)).encoder(kind)
    payload = encoder(message) if encoder is not None else message
    if not isinstance(payload, bytes):
        msg = f"{kind.__name__} was encoded to {type(payload).__name__}, not bytes"
        raise UsageError(msg)
    return Encoded(payload, kind)


def broadcast(streams: Iterable[Stream[MessageT, Any]], encoded: Encoded[MessageT]) -> list[Stream[MessageT, Any]]:
    """Queue one encoded message on each stream that has room. Does not wait; crosses into the engine once.

    Does not promise: that anybody gets it.

    Args:
        streams: Any number; each sends messages of this type.
        encoded: What `encode` gave.

    Returns:
        The streams that had no room or are over, in order. What to do with them is the caller's choice: skip the
        message, or end the slow ones.

    Raises:
        UsageError: A stream sends messages of another type. Those before it have the message.
        ResourceExhausted: It is larger than a stream may send. Those before it have the message.
    """
    return _engine.broadcast(streams, encoded)  # type: ignore[return-value]  # it returns what it was given


def send_each(pairs: Iterable[tuple[Stream[MessageT, Any], MessageT]]) -> list[Stream[MessageT, Any]]:
    """Queue a message of its own on each stream that has room: one step of a model, for all its callers.

    Does not wait; crosses into the engine once.
    Does not promise: that anybody gets its message.

    Args:
        pairs: Each stream with the message for it, in a tuple.

    Returns:
        The streams that had no room, are over, or could not take this message, in order.

    Raises:
        Exception: Whatever the codec raised, or a function of `on_send`. Those before it have their message.
    """
    return _engine.send_each(pairs, REFUSALS)  # type: ignore[return-value]  # it returns what it was given
