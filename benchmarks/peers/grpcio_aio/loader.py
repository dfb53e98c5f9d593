"""The client that measures under load."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_pb2_grpc import BenchStub
from benchmarks.load.clients import ENDLESS, LARGE_BYTES
from benchmarks.load.loader import main
from benchmarks.peers.grpcio_aio.options import OPTIONS
from benchmarks.work import DEADLINE_SECONDS, TEXT, check

__all__ = ["GrpcioLoad", "GrpcioPair"]

OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)
"""Channels with the same options share their connection otherwise."""

OVER_TLS = ("grpc.ssl_target_name_override", "localhost")

Call = grpc.aio.StreamStreamCall[Request, Reply]


class GrpcioPair:
    """A task writes what was posted, one message after another: a second `write` has to wait for the first."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._posted = asyncio.Semaphore(0)
        self.writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while True:
            await self._posted.acquire()
            await self._call.write(Request(text=TEXT))

    async def trip(self) -> None:
        """Make a round trip."""
        await self._call.write(Request(text=TEXT))
        await self._receive()

    def post(self) -> None:
        """Have a text sent."""
        self._posted.release()

    async def follow(self, count: int, heard: Callable[[], None]) -> None:
        """Receive texts."""
        for _ in range(count):
            await self._receive()
            heard()

    async def _receive(self) -> None:
        reply = await self._call.read()
        if not isinstance(reply, Reply) or reply.text != TEXT:
            check("reply", reply, Reply(text=TEXT))


class GrpcioLoad:
    """One channel for each connection."""

    def __init__(self, channels: Sequence[grpc.aio.Channel]) -> None:
        self._stubs = [BenchStub(channel) for channel in channels]

    @asynccontextmanager
    async def pair(self, connection: int) -> AsyncIterator[GrpcioPair]:
        """Open a stream."""
        call = self._stubs[connection].BothStream(timeout=DEADLINE_SECONDS)
        pair = GrpcioPair(call)
        try:
            yield pair
        finally:
            pair.writer.cancel()
            call.cancel()

    async def read(self, *, large: bool, heard: Callable[[], None]) -> None:
        """Receive texts or blobs."""
        blob_bytes = LARGE_BYTES if large else 0
        request = Request(text=TEXT, count=ENDLESS, blob_bytes=blob_bytes)
        text = "" if large else TEXT
        async for reply in self._stubs[0].ServerStream(request, timeout=DEADLINE_SECONDS):
            if reply.text != text or len(reply.blob) != blob_bytes:
                check("reply", (reply.text, len(reply.blob)), (text, blob_bytes))
            heard()

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._stubs[0].Unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)


def _channel(address: str, authority: str | None) -> grpc.aio.Channel:
    if authority is None:
        return grpc.aio.insecure_channel(address, [*OPTIONS, OWN_CONNECTION])
    credentials = grpc.ssl_channel_credentials(Path(authority).read_bytes())
    return grpc.aio.secure_channel(address, credentials, [*OPTIONS, OWN_CONNECTION, OVER_TLS])


@asynccontextmanager
async def connect(address: str, connections: int, authority: str | None) -> AsyncIterator[GrpcioLoad]:
    """Give a client with so many connections to the server at this address."""
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(_channel(address, authority)) for _ in range(connections)]
        yield GrpcioLoad(channels)


if __name__ == "__main__":
    main(connect)
