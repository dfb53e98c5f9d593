"""The client.

It does no broadcast: a grpclib server lets a connection have a hundred streams. Nor bytes without protobuf, for which a
channel would need a codec of its own.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from grpclib.client import Channel, StreamStreamMethod, StreamUnaryMethod, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.config import Configuration

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.measure import at_once, main
from benchmarks.peers.grpclib.methods import PATH
from benchmarks.traffic import receive, requests
from benchmarks.work import DEADLINE_SECONDS, SERVER_NAME, TEXT, check

__all__ = ["GrpclibClient"]


class GrpclibClient:
    """Does the work as its documentation shows it."""

    def __init__(self, channel: Channel) -> None:
        self._unary = UnaryUnaryMethod(channel, f"{PATH}Unary", Request, Reply)
        self._server_stream = UnaryStreamMethod(channel, f"{PATH}ServerStream", Request, Reply)
        self._client_stream = StreamUnaryMethod(channel, f"{PATH}ClientStream", Request, Reply)
        self._both_stream = StreamStreamMethod(channel, f"{PATH}BothStream", Request, Reply)

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._unary(Request(text=TEXT), timeout=DEADLINE_SECONDS)
        check("reply", reply.text, TEXT)

    async def unary_at_once(self, count: int) -> None:
        """Make calls from many tasks."""
        await at_once(self.unary, count)

    async def server_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Receive with `async for`."""
        async with self._server_stream.open(timeout=DEADLINE_SECONDS) as stream:
            await stream.send_message(Request(text=TEXT, count=count, blob_bytes=blob_bytes), end=True)
            await receive(stream, count, blob_bytes)

    async def client_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Send one after another."""
        async with self._client_stream.open(timeout=DEADLINE_SECONDS) as stream:
            await _send(stream, count, blob_bytes)
            reply = await stream.recv_message()
            assert reply is not None
            check("requests", reply.count, count)

    async def both_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Send in one task and receive in another."""
        async with self._both_stream.open(timeout=DEADLINE_SECONDS) as stream:
            await stream.send_request()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_send(stream, count, blob_bytes))
                await receive(stream, count, blob_bytes)

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Send a text, wait for it."""
        latencies = []
        async with self._both_stream.open(timeout=DEADLINE_SECONDS) as stream:
            for _ in range(count):
                started = perf_counter()
                await stream.send_message(Request(text=TEXT))
                reply = await stream.recv_message()
                latencies.append(perf_counter() - started)
                assert reply is not None
                check("reply", reply.text, TEXT)
            await stream.end()
        return latencies

    async def raw_server_stream(self, count: int) -> None:
        """Not done, as the next three."""
        raise NotImplementedError

    async def raw_client_stream(self, count: int) -> None:
        """Not done."""
        raise NotImplementedError

    def subscribed(self) -> AbstractAsyncContextManager[None]:
        """Not done."""
        raise NotImplementedError

    async def broadcast(self, count: int) -> None:
        """Not done."""
        raise NotImplementedError


async def _send(stream: Any, count: int, blob_bytes: int) -> None:
    async for request in requests(count, blob_bytes):
        await stream.send_message(request)
    await stream.end()


@asynccontextmanager
async def connect(address: str, ca: Path | None) -> AsyncIterator[GrpclibClient]:
    """Give a client of the server at this address."""
    host, _, port = address.rpartition(":")
    config = Configuration(ssl_target_name_override=SERVER_NAME) if ca else None
    async with Channel(host, int(port), ssl=_context(ca) if ca else None, config=config) as channel:
        yield GrpclibClient(channel)


def _context(ca: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2"])
    return context


if __name__ == "__main__":
    main(connect)
