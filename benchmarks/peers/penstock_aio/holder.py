"""The client that holds streams open."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import penstock
from benchmarks.bench_pb2 import Request
from benchmarks.bench_penstock import BenchClient
from benchmarks.holding import main
from benchmarks.work import DEADLINE_SECONDS, TEXT, check

__all__ = ["PenstockHolder"]


class PenstockHolder:
    """Waits in `async for`."""

    def __init__(self, alone: penstock.Channel, channels: Sequence[penstock.Channel]) -> None:
        self._alone = BenchClient(alone)
        self._clients = [BenchClient(channel) for channel in channels]

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._alone.unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)

    async def hold(self, connection: int, opened: Callable[[], None]) -> None:
        """Hold one stream."""
        async with self._clients[connection].both_stream() as stream:
            await stream.send(Request(text=TEXT))
            async for reply in stream:
                check("reply", reply.text, TEXT)
                opened()


@asynccontextmanager
async def connect(address: str, connections: int) -> AsyncIterator[PenstockHolder]:
    """Give a client with so many connections to the server at this address, and one for unary calls."""
    async with AsyncExitStack() as stack:
        alone, *channels = [await stack.enter_async_context(penstock.Channel(address)) for _ in range(connections + 1)]
        yield PenstockHolder(alone, channels)


if __name__ == "__main__":
    main(connect)
