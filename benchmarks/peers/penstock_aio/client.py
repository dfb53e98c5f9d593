"""The client."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter

import penstock
from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_penstock import BenchClient
from benchmarks.measure import at_once, main
from benchmarks.peers.penstock_aio.raw import BATCH, CLIENT_STREAM, SERVER_STREAM, check_batch
from benchmarks.traffic import receive
from benchmarks.work import DEADLINE_SECONDS, RAW_MESSAGE, SERVER_NAME, SUBSCRIBERS, TEXT, check

__all__ = ["PenstockClient"]

Sending = penstock.BothStreamCall[Request, Reply] | penstock.ClientStreamCall[Request, Reply]


class PenstockClient:
    """Does the work as a program would: message by message, nothing encoded beforehand; only bytes in batches."""

    def __init__(self, channel: penstock.Channel) -> None:
        self._channel = channel
        self._bench = BenchClient(channel)
        self._subscriptions: list[penstock.ServerStreamCall[Reply]] = []

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._bench.unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)

    async def unary_at_once(self, count: int) -> None:
        """Make calls from many tasks."""
        await at_once(self.unary, count)

    async def server_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Receive with `async for`."""
        request = Request(text=TEXT, count=count, blob_bytes=blob_bytes)
        async with self._bench.server_stream(request, timeout=DEADLINE_SECONDS) as stream:
            await receive(stream, count, blob_bytes)

    async def client_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Send one after another."""
        async with self._bench.client_stream(timeout=DEADLINE_SECONDS) as stream:
            await _send(stream, count, blob_bytes)
            reply = await stream.finish()
        check("requests", reply.count, count)

    async def both_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Send in one task and receive in another."""
        async with self._bench.both_stream(timeout=DEADLINE_SECONDS) as stream, asyncio.TaskGroup() as tasks:
            tasks.create_task(_send(stream, count, blob_bytes))
            await receive(stream, count, blob_bytes)

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

    async def raw_server_stream(self, count: int) -> None:
        """Receive in batches."""
        received = 0
        call = self._channel.call_server_stream(SERVER_STREAM, b"%d" % count, timeout=DEADLINE_SECONDS)
        async with call as stream:
            while received < count:
                received += check_batch(await stream.receive_many(BATCH))
            async for _more in stream:
                received += 1
        check("messages", received, count)

    async def raw_client_stream(self, count: int) -> None:
        """Send in batches."""
        batches, rest = divmod(count, BATCH)
        batch = [RAW_MESSAGE] * BATCH
        async with self._channel.call_client_stream(CLIENT_STREAM, timeout=DEADLINE_SECONDS) as stream:
            for _ in range(batches):
                await stream.send_many(batch)
            await stream.send_many(batch[:rest])
            check("count of messages", await stream.finish(), b"%d" % count)

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[None]:
        """Hold the streams, which end with this."""
        async with AsyncExitStack() as stack:
            for _ in range(SUBSCRIBERS):
                call = self._bench.subscribe(Request(), timeout=DEADLINE_SECONDS)
                self._subscriptions.append(await stack.enter_async_context(call))
            for stream in self._subscriptions:
                check("first reply", (await stream.receive()).text, "")
            yield
            self._subscriptions.clear()

    async def broadcast(self, count: int) -> None:
        """Receive in a task for each stream."""
        each = count // SUBSCRIBERS
        async with asyncio.TaskGroup() as tasks:
            for stream in self._subscriptions:
                tasks.create_task(_receive_some(stream, each))
            reply = await self._bench.publish(Request(text=TEXT, count=each), timeout=DEADLINE_SECONDS)
            check("subscribers", reply.count, SUBSCRIBERS)


async def _send(stream: Sending, count: int, blob_bytes: int) -> None:
    """Send all, and tell that it was all."""
    if blob_bytes:
        blob = bytes(blob_bytes)
        for _ in range(count):
            await stream.send(Request(blob=blob))
    else:
        for _ in range(count):
            await stream.send(Request(text=TEXT))
    await stream.end_sending()


async def _receive_some(stream: penstock.ServerStreamCall[Reply], count: int) -> None:
    received = 0
    async for reply in stream:
        if reply.text != TEXT:
            check("delivery", reply.text, TEXT)
        received += 1
        if received == count:
            return
    check("deliveries", received, count)


@asynccontextmanager
async def connect(address: str, ca: Path | None) -> AsyncIterator[PenstockClient]:
    """Give a client of the server at this address."""
    tls = penstock.tls.client_context(ca) if ca else None
    async with penstock.Channel(address, tls=tls, authority=SERVER_NAME) as channel:
        yield PenstockClient(channel)


if __name__ == "__main__":
    main(connect)
