"""The client that measures under load."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import penstock
import penstock.tls
from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_penstock import BenchClient
from benchmarks.load.clients import ENDLESS, LARGE_BYTES
from benchmarks.load.loader import main
from benchmarks.work import DEADLINE_SECONDS, TEXT, check

__all__ = ["PenstockLoad", "PenstockPair"]


class PenstockPair:
    """Posts with `send_nowait`, which hands over what was posted in one turn of the loop together."""

    def __init__(self, stream: penstock.BothStreamCall[Request, Reply]) -> None:
        self._stream = stream
        self._behind = 0
        """Messages that found no room."""
        self._catching_up: asyncio.Task[None] | None = None

    async def trip(self) -> None:
        """Make a round trip."""
        await self._stream.send(Request(text=TEXT))
        reply = await self._stream.receive()
        check("reply", reply.text, TEXT)

    def post(self) -> None:
        """Send a text, or have it sent when there is room."""
        if not self._behind:
            try:
                self._stream.send_nowait(Request(text=TEXT))
            except penstock.WouldBlock:
                self._catching_up = asyncio.create_task(self._catch_up())
            else:
                return
        self._behind += 1

    async def _catch_up(self) -> None:
        while self._behind:
            await self._stream.send(Request(text=TEXT))
            self._behind -= 1

    async def follow(self, count: int, heard: Callable[[], None]) -> None:
        """Receive texts."""
        if not count:
            return
        async for reply in self._stream:
            if reply.text != TEXT:
                check("reply", reply.text, TEXT)
            heard()
            count -= 1
            if not count:
                return


class PenstockLoad:
    """One channel for each connection."""

    def __init__(self, channels: Sequence[penstock.Channel]) -> None:
        self._benches = [BenchClient(channel) for channel in channels]

    @asynccontextmanager
    async def pair(self, connection: int) -> AsyncIterator[PenstockPair]:
        """Open a stream."""
        async with self._benches[connection].both_stream(timeout=DEADLINE_SECONDS) as stream:
            yield PenstockPair(stream)

    async def read(self, *, large: bool, heard: Callable[[], None]) -> None:
        """Receive texts or blobs."""
        blob_bytes = LARGE_BYTES if large else 0
        request = Request(text=TEXT, count=ENDLESS, blob_bytes=blob_bytes)
        text = "" if large else TEXT
        async with self._benches[0].server_stream(request, timeout=DEADLINE_SECONDS) as stream:
            async for reply in stream:
                if reply.text != text or len(reply.blob) != blob_bytes:
                    check("reply", (reply.text, len(reply.blob)), (text, blob_bytes))
                heard()

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._benches[0].unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)


@asynccontextmanager
async def connect(address: str, connections: int, authority: str | None) -> AsyncIterator[PenstockLoad]:
    """Give a client with so many connections to the server at this address."""
    tls = penstock.tls.client_context(authority) if authority else None
    async with AsyncExitStack() as stack:
        channels = [penstock.Channel(address, tls=tls, authority="localhost") for _ in range(connections)]
        yield PenstockLoad([await stack.enter_async_context(channel) for channel in channels])


if __name__ == "__main__":
    main(connect)
