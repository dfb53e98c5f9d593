"""How grpcio learns whether a message came compressed: it is told to leave it as it came, and looks itself."""

import gzip
from collections.abc import Callable
from typing import Generic, TypeVar

MessageT = TypeVar("MessageT")

AS_IT_CAME = [("grpc.per_message_decompression", 0)]
"""Options of a channel or a server whose deserializers get the bytes that were on the wire."""

GZIP_BEGINS = b"\x1f\x8b"
"""No message of the test service begins so. Source: RFC 1952 section 2.3.1."""


class Received(Generic[MessageT]):
    """A message and how it came."""

    def __init__(self, message: MessageT, *, compressed: bool) -> None:
        self.message = message
        self.compressed = compressed


def reader(parse: Callable[[bytes], MessageT]) -> Callable[[bytes], Received[MessageT]]:
    """Make a deserializer for bytes as they came."""

    def read(data: bytes) -> Received[MessageT]:
        if data.startswith(GZIP_BEGINS):
            return Received(parse(gzip.decompress(data)), compressed=True)
        return Received(parse(data), compressed=False)

    return read
