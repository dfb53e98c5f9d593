"""The client."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import grpc

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_pb2_grpc import BenchStub
from benchmarks.measure import at_once, main
from benchmarks.peers.grpcio_aio.options import OPTIONS
from benchmarks.traffic import receive, requests
from benchmarks.work import DEADLINE_SECONDS, RAW, RAW_MESSAGE, SERVER_NAME, SUBSCRIBERS, TEXT, check

__all__ = ["GrpcioClient"]

Subscription = grpc.aio.UnaryStreamCall[Request, Reply]


class GrpcioClient:
    """Does the work with async generators and `async for`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._bench = BenchStub(channel)
        # Without a serializer messages are bytes, as they are.
        self._raw_server_stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(
            f"/{RAW}/ServerStream"
        )
        self._raw_client_stream: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(
            f"/{RAW}/ClientStream"
        )
        self._subscriptions: list[Subscription] = []

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._bench.Unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)

    async def unary_at_once(self, count: int) -> None:
        """Make calls from many tasks."""
        await at_once(self.unary, count)

    async def server_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Receive with `async for`."""
        request = Request(text=TEXT, count=count, blob_bytes=blob_bytes)
        await receive(self._bench.ServerStream(request, timeout=DEADLINE_SECONDS), count, blob_bytes)

    async def client_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Let a generator give the requests."""
        reply = await self._bench.ClientStream(requests(count, blob_bytes), timeout=DEADLINE_SECONDS)
        check("requests", reply.count, count)

    async def both_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Let a generator give the requests and receive meanwhile."""
        call = self._bench.BothStream(requests(count, blob_bytes), timeout=DEADLINE_SECONDS)
        await receive(call, count, blob_bytes)

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

    async def raw_server_stream(self, count: int) -> None:
        """Receive with `async for`: there are no batches."""
        received = 0
        async for message in self._raw_server_stream(b"%d" % count, timeout=DEADLINE_SECONDS):
            if message != RAW_MESSAGE:
                check("message", message, RAW_MESSAGE)
            received += 1
        check("messages", received, count)

    async def raw_client_stream(self, count: int) -> None:
        """Let a generator give the messages."""
        reply = await self._raw_client_stream(_messages(count), timeout=DEADLINE_SECONDS)
        check("count of messages", reply, b"%d" % count)

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[None]:
        """Hold the streams, which end with this."""
        for _ in range(SUBSCRIBERS):
            self._subscriptions.append(self._bench.Subscribe(Request(), timeout=DEADLINE_SECONDS))
        try:
            for call in self._subscriptions:
                check("first reply", await call.read(), Reply())
            yield
        finally:
            for call in self._subscriptions:
                call.cancel()
            self._subscriptions.clear()

    async def broadcast(self, count: int) -> None:
        """Receive in a task for each stream."""
        each = count // SUBSCRIBERS
        async with asyncio.TaskGroup() as tasks:
            for call in self._subscriptions:
                tasks.create_task(_read_some(call, each))
            reply = await self._bench.Publish(Request(text=TEXT, count=each), timeout=DEADLINE_SECONDS)
            check("subscribers", reply.count, SUBSCRIBERS)


async def _messages(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield RAW_MESSAGE


async def _read_some(call: Subscription, count: int) -> None:
    for _ in range(count):
        reply = await call.read()
        if not isinstance(reply, Reply) or reply.text != TEXT:
            check("delivery", reply, Reply(text=TEXT))


@asynccontextmanager
async def connect(address: str, ca: Path | None) -> AsyncIterator[GrpcioClient]:
    """Give a client of the server at this address."""
    async with _channel(address, ca) as channel:
        yield GrpcioClient(channel)


def _channel(address: str, ca: Path | None) -> grpc.aio.Channel:
    if ca is None:
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    credentials = grpc.ssl_channel_credentials(ca.read_bytes())
    return grpc.aio.secure_channel(
        address, credentials, options=[*OPTIONS, ("grpc.ssl_target_name_override", SERVER_NAME)]
    )


if __name__ == "__main__":
    main(connect)
