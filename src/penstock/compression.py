"""How messages are made smaller on their way."""

from __future__ import annotations

from enum import Enum

__all__ = ["Compression"]


class Compression(Enum):
    """What messages are compressed with; the values are the names on the wire.

    Compressing happens in the event loop, message by message: a MiB of JSON takes about 8 ms. It pays on slow networks
    and for text, not for what is small or compressed already. Expanding a received message needs no setting: both
    sides always offer gzip and deflate, expand a message when the application takes it, and stop at
    `Limits.max_receive_message_bytes`.

    Does not promise: secrecy of what is compressed together with text an attacker chooses, over TLS too (CRIME).

    Source: gRPC compression.md.
    """

    IDENTITY = "identity"
    """As they are."""
    GZIP = "gzip"
    """RFC 1952."""
    DEFLATE = "deflate"
    """RFC 1950, the zlib format, as gRPC has it."""
