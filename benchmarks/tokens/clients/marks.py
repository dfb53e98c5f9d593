"""The client of servers that have a connection for each stream: it counts how often the bytes of a token come."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.tokens.clients.meter import Caller, Came, main
from benchmarks.tokens.clients.reader import Reader
from benchmarks.tokens.load import EVENT, FRAME

WEBSOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""Source: the example of RFC 6455 section 1.3."""

HELLO = b"\x81\x85\0\0\0\0hello"
"""A frame with a mask of zeros: the prompt."""

MARKS = {"sse": EVENT, "websocket": FRAME}


def request(kind: str, address: str) -> bytes:
    """Give what a client of this kind says first."""
    if kind == "sse":
        return f"GET /generate HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n".encode()
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {WEBSOCKET_KEY}"
    head = f"GET / HTTP/1.1\r\nHost: {address}\r\n{upgrade}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    return head.encode() + HELLO


class MarkCaller:
    """Opens a connection for each stream."""

    def __init__(self, address: str, kind: str) -> None:
        self._address = address
        self._says, self._mark = request(kind, address), MARKS[kind]

    async def follow(self, came: Came) -> None:
        """Count what comes to one stream."""
        await self._reader(came).read(self._address)

    async def crowd(self, streams: int, came: Came) -> None:
        """Count what comes to many."""
        async with asyncio.TaskGroup() as group:
            for _ in range(streams):
                group.create_task(self.follow(came))

    async def first(self) -> None:
        """Connect, and wait for the first token."""
        reader = self._reader(lambda _: reader.stop())
        await reader.read(self._address)

    def _reader(self, came: Came) -> Reader:
        return Reader(self._says, self._mark, came)


def main_of(kind: str) -> None:
    """Run the client of one kind of server."""

    @asynccontextmanager
    async def connect(address: str) -> AsyncIterator[Caller]:
        yield MarkCaller(address, kind)

    main(connect)


if __name__ == "__main__":
    main_of(sys.argv.pop(1))
