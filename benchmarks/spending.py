"""Does work in one process and says what CPU time it took: both sides over one connection of loopback.

A program of its own, which `versions.py` runs with the packages of one tree and then of another. It therefore uses
nothing but what every version has: the generated code of `bench.proto`, a server and a channel.
"""

import asyncio
import json
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import process_time
from typing import Never

import trustme

import penstock
from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_penstock import BenchBase, BenchClient

TEXT = "x" * 32
KIB = 1024
MIB = 1024 * KIB

Work = Callable[[BenchClient, int], Awaitable[None]]


class Bench(BenchBase):
    """Answers as it is asked."""

    async def unary(self, request: Request, call: penstock.ServerCall) -> Reply:
        """Answer a call."""
        del call
        return Reply(text=request.text)

    async def server_stream(self, request: Request, stream: penstock.ServerStream[Never, Reply]) -> None:
        """Answer often."""
        blob = bytes(request.blob_bytes)
        for _ in range(request.count):
            await stream.send(Reply(blob=blob) if blob else Reply(text=request.text))

    async def client_stream(self, stream: penstock.ServerStream[Request, Never]) -> Reply:
        """Not measured."""
        raise NotImplementedError

    async def both_stream(self, stream: penstock.ServerStream[Request, Reply]) -> None:
        """Answer each request."""
        async for request in stream:
            await stream.send(Reply(text=request.text))


async def unary(client: BenchClient, count: int) -> None:
    """Make calls one after another."""
    for _ in range(count):
        await client.unary(Request(text=TEXT), timeout=600)


async def unary_64(client: BenchClient, count: int) -> None:
    """Make calls, 64 tasks at once."""
    await asyncio.gather(*(unary(client, count // 64) for _ in range(64)))


async def server_stream(client: BenchClient, count: int) -> None:
    """Receive messages."""
    async with client.server_stream(Request(text=TEXT, count=count), timeout=600) as stream:
        async for _reply in stream:
            pass


async def ping_pong(client: BenchClient, count: int) -> None:
    """Send and wait for the answer."""
    async with client.both_stream(timeout=600) as stream:
        for _ in range(count):
            await stream.send(Request(text=TEXT))
            await stream.receive()
        await stream.finish()


def blobs(blob_bytes: int) -> Work:
    """Receive blobs of this size."""

    async def work(client: BenchClient, count: int) -> None:
        async with client.server_stream(Request(count=count, blob_bytes=blob_bytes), timeout=600) as stream:
            async for reply in stream:
                if len(reply.blob) != blob_bytes:
                    raise ValueError("that is no blob that was asked for")

    return work


WORK: Mapping[str, Work] = {
    "unary": unary,
    "unary_64": unary_64,
    "server_stream": server_stream,
    "ping_pong": ping_pong,
    "blobs_1kib": blobs(KIB),
    "blobs_16kib": blobs(16 * KIB),
    "blobs_64kib": blobs(64 * KIB),
    "blobs_1mib": blobs(MIB),
}
"""With `_tls` behind its name each of these is done over TLS."""


@asynccontextmanager
async def connected(
    server_tls: ssl.SSLContext | None = None, client_tls: ssl.SSLContext | None = None
) -> AsyncIterator[BenchClient]:
    """Serve, and call it."""
    server = penstock.Server([Bench()])
    async with (
        server.listening("127.0.0.1:0", tls=server_tls) as address,
        penstock.Channel(address, tls=client_tls) as channel,
    ):
        yield BenchClient(channel)


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make those of a server and of a client that trusts it."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        ca, server = Path(folder, "ca.pem"), Path(folder, "server.pem")
        authority.cert_pem.write_to_path(str(ca))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(server))
        return penstock.tls.server_context(server, server), penstock.tls.client_context(ca)


async def main() -> None:
    """For each line `[name, count]` do that work, and print the microseconds of CPU one unit took."""
    loop = asyncio.get_running_loop()
    async with connected() as plain, connected(*contexts()) as tls:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            name, count = json.loads(line)
            work, client = WORK[name.removesuffix("_tls")], tls if name.endswith("_tls") else plain
            started = process_time()
            await work(client, count)
            print((process_time() - started) / count * 1e6, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
