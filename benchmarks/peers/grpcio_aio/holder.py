"""The client that holds streams open."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import grpc

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_pb2_grpc import BenchStub
from benchmarks.holding import main
from benchmarks.work import DEADLINE_SECONDS, TEXT, check

__all__ = ["GrpcioHolder"]

OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
"""Channels with the same options share their connection otherwise."""


class GrpcioHolder:
    """Waits in `read`."""

    def __init__(self, alone: grpc.aio.Channel, channels: Sequence[grpc.aio.Channel]) -> None:
        self._alone = BenchStub(alone)
        self._stubs = [BenchStub(channel) for channel in channels]

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._alone.Unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)

    async def hold(self, connection: int, opened: Callable[[], None]) -> None:
        """Hold one stream."""
        call = self._stubs[connection].BothStream()
        await call.write(Request(text=TEXT))
        while True:
            reply = await call.read()
            assert isinstance(reply, Reply)
            check("reply", reply.text, TEXT)
            opened()


@asynccontextmanager
async def connect(address: str, connections: int) -> AsyncIterator[GrpcioHolder]:
    """Give a client with so many connections to the server at this address, and one for unary calls."""
    async with AsyncExitStack() as stack:
        alone, *channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(address, OWN_CONNECTION))
            for _ in range(connections + 1)
        ]
        yield GrpcioHolder(alone, channels)


if __name__ == "__main__":
    main(connect)
