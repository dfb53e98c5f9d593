"""The client."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter

import penstock
from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_penstock import BenchClient
from benchmarks.measure import main
from benchmarks.work import DEADLINE_SECONDS, TEXT, check

__all__ = ["PenstockClient"]


class PenstockClient:
    """Does the work as a program would: no batches, nothing encoded beforehand."""

    def __init__(self, channel: penstock.Channel) -> None:
        self._bench = BenchClient(channel)

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._bench.unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)

    async def server_stream(self, count: int) -> None:
        """Receive texts."""
        received = 0
        async with self._bench.server_stream(Request(text=TEXT, count=count), timeout=DEADLINE_SECONDS) as stream:
            async for reply in stream:
                if reply.text != TEXT:
                    check("reply", reply.text, TEXT)
                received += 1
        check("replies", received, count)

    async def client_stream(self, count: int) -> None:
        """Send texts."""
        async with self._bench.client_stream(timeout=DEADLINE_SECONDS) as stream:
            for _ in range(count):
                await stream.send(Request(text=TEXT))
            reply = await stream.finish()
        check("requests", reply.count, count)

    async def both_stream(self, count: int) -> None:
        """Send texts in one task and receive them in another."""
        received = 0
        async with self._bench.both_stream(timeout=DEADLINE_SECONDS) as stream, asyncio.TaskGroup() as tasks:
            tasks.create_task(_send(stream, count))
            async for reply in stream:
                if reply.text != TEXT:
                    check("reply", reply.text, TEXT)
                received += 1
        check("replies", received, count)

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Send a text, wait for it."""
        latencies = []
        async with self._bench.both_stream(timeout=DEADLINE_SECONDS) as stream:
            for _ in range(count):
                started = perf_counter()
                await stream.send(Request(text=TEXT))
                reply = await stream.receive()
                latencies.append(perf_counter() - started)
                check("reply", reply.text, TEXT)
            await stream.finish()
        return latencies

    async def blobs(self, count: int, blob_bytes: int) -> None:
        """Receive blobs."""
        received = 0
        request = Request(count=count, blob_bytes=blob_bytes)
        async with self._bench.server_stream(request, timeout=DEADLINE_SECONDS) as stream:
            async for reply in stream:
                check("bytes of a blob", len(reply.blob), blob_bytes)
                received += 1
        check("blobs", received, count)


async def _send(stream: penstock.BothStreamCall[Request, Reply], count: int) -> None:
    for _ in range(count):
        await stream.send(Request(text=TEXT))
    await stream.end_sending()


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[PenstockClient]:
    """Give a client of the server at this address."""
    async with penstock.Channel(address) as channel:
        yield PenstockClient(channel)


if __name__ == "__main__":
    main(connect)
