"""The client, which blocks: the loop of `benchmarks.measure` has nothing else to do.

It has no broadcast: each subscription would need a thread of the client and one of the server.
"""

import queue
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import grpc

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_pb2_grpc import BenchStub
from benchmarks.measure import main
from benchmarks.peers.grpcio_aio.options import OPTIONS
from benchmarks.work import CONCURRENT_CALLS, DEADLINE_SECONDS, RAW, RAW_MESSAGE, SERVER_NAME, TEXT, check

__all__ = ["GrpcioSyncClient", "connect"]


class GrpcioSyncClient:
    """Does the work with generators and `for`."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._bench: Any = BenchStub(channel)  # it is typed for asyncio
        # Without a serializer messages are bytes, as they are.
        self._raw_server_stream: grpc.UnaryStreamMultiCallable[bytes, bytes]
        self._raw_server_stream = channel.unary_stream(f"/{RAW}/ServerStream")
        self._raw_client_stream: grpc.StreamUnaryMultiCallable[bytes, bytes]
        self._raw_client_stream = channel.stream_unary(f"/{RAW}/ClientStream")

    async def unary(self) -> None:
        """Make one call."""
        self._unary()

    def _unary(self) -> None:
        reply = self._bench.Unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)

    async def unary_at_once(self, count: int) -> None:
        """Make calls from many threads."""
        share, rest = divmod(count, CONCURRENT_CALLS)

        def caller(number: int) -> None:
            for _ in range(share + (number < rest)):
                self._unary()

        with ThreadPoolExecutor(CONCURRENT_CALLS) as pool:
            list(pool.map(caller, range(CONCURRENT_CALLS)))

    async def server_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Receive with `for`."""
        request = Request(text=TEXT, count=count, blob_bytes=blob_bytes)
        _receive(self._bench.ServerStream(request, timeout=DEADLINE_SECONDS), count, blob_bytes)

    async def client_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Let a generator give the requests."""
        reply = self._bench.ClientStream(_requests(count, blob_bytes), timeout=DEADLINE_SECONDS)
        check("requests", reply.count, count)

    async def both_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Let a generator give the requests and receive meanwhile."""
        _receive(self._bench.BothStream(_requests(count, blob_bytes), timeout=DEADLINE_SECONDS), count, blob_bytes)

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Hand a text to the generator that gives requests, wait for the reply."""
        latencies = []
        waiting: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        replies = self._bench.BothStream(iter(waiting.get, None), timeout=DEADLINE_SECONDS)
        for _ in range(count):
            started = perf_counter()
            waiting.put(Request(text=TEXT))
            reply = next(replies)
            latencies.append(perf_counter() - started)
            check("reply", reply.text, TEXT)
        waiting.put(None)
        check("after the last reply", next(replies, None), None)
        return latencies

    async def raw_server_stream(self, count: int) -> None:
        """Receive with `for`: there are no batches."""
        received = 0
        for message in self._raw_server_stream(b"%d" % count, timeout=DEADLINE_SECONDS):
            if message != RAW_MESSAGE:
                check("message", message, RAW_MESSAGE)
            received += 1
        check("messages", received, count)

    async def raw_client_stream(self, count: int) -> None:
        """Let a generator give the messages."""
        messages = (RAW_MESSAGE for _ in range(count))
        check("count", self._raw_client_stream(messages, timeout=DEADLINE_SECONDS), b"%d" % count)

    def subscribed(self) -> AbstractAsyncContextManager[None]:
        """Not done."""
        raise NotImplementedError

    async def broadcast(self, count: int) -> None:
        """Not done."""
        raise NotImplementedError


def _requests(count: int, blob_bytes: int) -> Iterator[Request]:
    if blob_bytes:
        blob = bytes(blob_bytes)
        for _ in range(count):
            yield Request(blob=blob)
    else:
        for _ in range(count):
            yield Request(text=TEXT)


def _receive(replies: Iterable[Reply], count: int, blob_bytes: int) -> None:
    received = 0
    if blob_bytes:
        for reply in replies:
            check("bytes of a blob", len(reply.blob), blob_bytes)
            received += 1
    else:
        for reply in replies:
            if reply.text != TEXT:
                check("reply", reply.text, TEXT)
            received += 1
    check("replies", received, count)


@asynccontextmanager
async def connect(address: str, ca: Path | None) -> AsyncIterator[GrpcioSyncClient]:
    """Give a client of the server at this address."""
    with _channel(address, ca) as channel:
        yield GrpcioSyncClient(channel)


def _channel(address: str, ca: Path | None) -> grpc.Channel:
    if ca is None:
        return grpc.insecure_channel(address, options=OPTIONS)
    credentials = grpc.ssl_channel_credentials(ca.read_bytes())
    return grpc.secure_channel(address, credentials, options=[*OPTIONS, ("grpc.ssl_target_name_override", SERVER_NAME)])


if __name__ == "__main__":
    main(connect)
