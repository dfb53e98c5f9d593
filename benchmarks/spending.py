"""Does work in one process and says what CPU time it took: both sides over one connection of loopback.

A program of its own, which `versions.py` runs with the packages of one tree and then of another. It therefore uses
nothing but what every version has: the generated code of `bench.proto`, a server and a channel.
"""

import asyncio
import json
import sys
from time import process_time
from typing import Never

import penstock
from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_penstock import BenchBase, BenchClient

TEXT = "x" * 32


class Bench(BenchBase):
    """Answers as it is asked."""

    async def unary(self, request: Request, call: penstock.ServerCall) -> Reply:
        """Answer a call."""
        del call
        return Reply(text=request.text)

    async def server_stream(self, request: Request, stream: penstock.ServerStream[Never, Reply]) -> None:
        """Answer often."""
        for _ in range(request.count):
            await stream.send(Reply(text=request.text))

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


WORK = {"unary": unary, "unary_64": unary_64, "server_stream": server_stream, "ping_pong": ping_pong}


async def main() -> None:
    """For each line `[name, count]` do that work, and print the microseconds of CPU one unit took."""
    loop = asyncio.get_running_loop()
    server = penstock.Server([Bench()])
    async with server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        client = BenchClient(channel)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            name, count = json.loads(line)
            started = process_time()
            await WORK[name](client, count)
            print((process_time() - started) / count * 1e6, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
