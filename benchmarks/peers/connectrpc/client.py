"""The client. Bytes without protobuf would need a codec of its own, and one connection has no thousand streams."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import perf_counter

from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.protocol import ProtocolType
from pyqwest import Client, HTTPTransport, HTTPVersion

from benchmarks.bench_pb2 import Request
from benchmarks.measure import at_once, main
from benchmarks.peers.connectrpc.methods import BOTH_STREAM, CLIENT_STREAM, SERVER_STREAM, UNARY
from benchmarks.traffic import receive, requests
from benchmarks.work import DEADLINE_SECONDS, SERVER_NAME, TEXT, check

__all__ = ["ConnectrpcClient"]

DEADLINE = int(DEADLINE_SECONDS * 1000)
"""In milliseconds."""


class ConnectrpcClient:
    """Does the work with async generators and `async for`."""

    def __init__(self, client: "ConnectClient") -> None:
        self._client = client

    async def unary(self) -> None:
        """Make one call."""
        reply = await self._client.execute_unary(request=Request(text=TEXT), method=UNARY, timeout_ms=DEADLINE)
        check("reply", reply.text, TEXT)

    async def unary_at_once(self, count: int) -> None:
        """Make calls from many tasks."""
        await at_once(self.unary, count)

    async def server_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Receive with `async for`."""
        request = Request(text=TEXT, count=count, blob_bytes=blob_bytes)
        replies = self._client.execute_server_stream(request=request, method=SERVER_STREAM, timeout_ms=DEADLINE)
        await receive(replies, count, blob_bytes)

    async def client_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Let a generator give the requests."""
        sent = requests(count, blob_bytes)
        reply = await self._client.execute_client_stream(request=sent, method=CLIENT_STREAM, timeout_ms=DEADLINE)
        check("requests", reply.count, count)

    async def both_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Let a generator give the requests and receive meanwhile."""
        sent = requests(count, blob_bytes)
        await receive(
            self._client.execute_bidi_stream(request=sent, method=BOTH_STREAM, timeout_ms=DEADLINE), count, blob_bytes
        )

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Hand a text to the generator that gives requests, wait for the reply."""
        latencies = []
        waiting: asyncio.Queue[Request | None] = asyncio.Queue()

        async def given() -> AsyncIterator[Request]:
            while (request := await waiting.get()) is not None:
                yield request

        replies = self._client.execute_bidi_stream(request=given(), method=BOTH_STREAM, timeout_ms=DEADLINE)
        for _ in range(count):
            started = perf_counter()
            waiting.put_nowait(Request(text=TEXT))
            reply = await anext(replies)
            latencies.append(perf_counter() - started)
            check("reply", reply.text, TEXT)
        waiting.put_nowait(None)
        check("after the last reply", await anext(replies, None), None)
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


@asynccontextmanager
async def connect(address: str, ca: Path | None) -> AsyncIterator[ConnectrpcClient]:
    """Give a client of the server at this address."""
    port = address.rpartition(":")[2]
    url = f"https://{SERVER_NAME}:{port}" if ca else f"http://{address}"
    async with _transport(ca) as transport:
        client = ConnectClient(
            url,
            codec=google_protobuf_binary_codec(),
            protocol=ProtocolType.GRPC,
            accept_compression=(),
            send_compression=None,
            http_client=Client(transport),
        )
        yield ConnectrpcClient(client)


def _transport(ca: Path | None) -> "HTTPTransport":
    trusted = ca.read_bytes() if ca else None
    return HTTPTransport(http_version=HTTPVersion.HTTP2, tls_ca_cert=trusted, enable_otel=False)


if __name__ == "__main__":
    main(connect)
