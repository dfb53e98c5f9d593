"""How messages become bytes: protobuf, raw bytes, or what a program brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PROTOBUF", "RAW", "Codec"]


class Codec(Protocol):
    """Makes the two functions of a message type.

    `encoder` and `decoder` are called once for each method; what they return is called for each message. `None` means
    that messages are `bytes` already.
    """

    def encoder(self, message_type: type[Any], /) -> Callable[[Any], bytes] | None:
        """Return `message -> bytes`. Its exceptions reach the caller of `send`."""

    def decoder(self, message_type: type[Any], /) -> Callable[[bytes], Any] | None:
        """Return `bytes -> message`, never `None`. Its exceptions end the call with INTERNAL."""


class _Protobuf:
    def encoder(self, message_type: type[Any]) -> Callable[[Any], bytes]:
        encode: Callable[[Any], bytes] = message_type.SerializeToString
        return encode

    def decoder(self, message_type: type[Any]) -> Callable[[bytes], Any]:
        decode: Callable[[bytes], Any] = message_type.FromString
        return decode


class _Raw:
    def encoder(self, message_type: type[Any]) -> None:
        del message_type

    def decoder(self, message_type: type[Any]) -> None:
        del message_type


PROTOBUF: Codec = _Protobuf()
"""Messages of google.protobuf."""

RAW: Codec = _Raw()
"""`bytes`, as they are."""
