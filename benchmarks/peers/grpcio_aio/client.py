"""The client."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter

import grpc

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_pb2_grpc import BenchStub
from benchmarks.measure import main
from benchmarks.peers.grpcio_aio.options import OPTIONS
from benchmarks.work import DEADLINE_SECONDS, TEXT, check

__all__ = ["GrpcioClient"]


class GrpcioClient:
    """Does the work with async generators and `async for`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._bench = BenchStub(channel)

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._bench.Unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)

    async def server_stream(self, count: int) -> None:
        """Receive texts."""
        received = 0
        async for reply in self._bench.ServerStream(Request(text=TEXT, count=count), timeout=DEADLINE_SECONDS):
            if reply.text != TEXT:
                check("reply", reply.text, TEXT)
            received += 1
        check("replies", received, count)

    async def client_stream(self, count: int) -> None:
        """Send texts."""
        reply = await self._bench.ClientStream(_requests(count), timeout=DEADLINE_SECONDS)
        check("requests", reply.count, count)

    async def both_stream(self, count: int) -> None:
        """Let a generator give the texts and receive them meanwhile."""
        received = 0
        async for reply in self._bench.BothStream(_requests(count), timeout=DEADLINE_SECONDS):
            if reply.text != TEXT:
                check("reply", reply.text, TEXT)
            received += 1
        check("replies", received, count)

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Send a text, wait for it."""
        latencies = []
        expected = Reply(text=TEXT)
        call = self._bench.BothStream(timeout=DEADLINE_SECONDS)
        for _ in range(count):
            started = perf_counter()
            await call.write(Request(text=TEXT))
            reply = await call.read()
            latencies.append(perf_counter() - started)
            check("reply", reply, expected)
        await call.done_writing()
        check("after the last reply", await call.read(), grpc.aio.EOF)
        return latencies

    async def blobs(self, count: int, blob_bytes: int) -> None:
        """Receive blobs."""
        received = 0
        request = Request(count=count, blob_bytes=blob_bytes)
        async for reply in self._bench.ServerStream(request, timeout=DEADLINE_SECONDS):
            check("bytes of a blob", len(reply.blob), blob_bytes)
            received += 1
        check("blobs", received, count)


async def _requests(count: int) -> AsyncIterator[Request]:
    for _ in range(count):
        yield Request(text=TEXT)


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[GrpcioClient]:
    """Give a client of the server at this address."""
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        yield GrpcioClient(channel)


if __name__ == "__main__":
    main(connect)
