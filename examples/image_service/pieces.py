"""Large pictures in a stream: cut into several messages, and put together again."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from typing import TypeVar

from examples.image_service.images_pb2 import Picture, Result

PIECE_BYTES = 1 << 20
"""Bytes of a picture in one message, at most; a message may have 4 MiB, unless both sides agree on more."""

MAX_PICTURE_BYTES = 64 << 20
"""Pieces are kept until the last has come: so many bytes of them, at most."""

PieceT = TypeVar("PieceT", Picture, Result)


class PiecesError(ValueError):
    """What came makes no picture."""


def cut(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Give the pieces of a picture, and of each whether it goes on; at least one."""
    for begin in range(0, max(1, len(data)), PIECE_BYTES):
        end = begin + PIECE_BYTES
        yield data[begin:end], end < len(data)


class Joiner:
    """Puts the pieces of one picture after another together."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._bytes = 0

    def add(self, data: bytes, more: bool) -> bytes | None:
        """Take the next piece, and give the picture if it was the last.

        Raises:
            PiecesError: A picture has more than MAX_PICTURE_BYTES.
        """
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes > MAX_PICTURE_BYTES:
            raise PiecesError(f"a picture has at most {MAX_PICTURE_BYTES >> 20} MiB")
        if more:
            return None
        parts, self._parts, self._bytes = self._parts, [], 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def end(self) -> None:
        """Take the end of the stream.

        Raises:
            PiecesError: It comes within a picture.
        """
        if self._parts:
            raise PiecesError("the stream ended within a picture")


async def joined(messages: AsyncIterable[PieceT]) -> AsyncGenerator[tuple[bytes, PieceT], None]:
    """Give each picture whole, with its last message.

    Raises:
        PiecesError: What came makes no picture.
    """
    joiner = Joiner()
    async for message in messages:
        if (data := joiner.add(message.data, message.more)) is not None:
            yield data, message
    joiner.end()
