# ruff: noqa: D102 - the .proto says what the methods do
"""The server."""

import asyncio
from typing import Never

import penstock
from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_penstock import BenchBase
from benchmarks.work import TEXT, announce, check, until_told

__all__ = ["Bench"]


class Bench(BenchBase):
    """Handlers as a program would write them: no batches, nothing encoded beforehand."""

    async def unary(self, request: Request, call: penstock.ServerCall) -> Reply:
        del call
        return Reply(text=request.text)

    async def server_stream(self, request: Request, stream: penstock.ServerStream[Never, Reply]) -> None:
        if request.blob_bytes:
            blob = bytes(request.blob_bytes)
            for _ in range(request.count):
                await stream.send(Reply(blob=blob))
        else:
            text = request.text
            for _ in range(request.count):
                await stream.send(Reply(text=text))

    async def client_stream(self, stream: penstock.ServerStream[Request, Never]) -> Reply:
        count = 0
        async for request in stream:
            if request.text != TEXT:
                check("request", request.text, TEXT)
            count += 1
        return Reply(count=count)

    async def both_stream(self, stream: penstock.ServerStream[Request, Reply]) -> None:
        async for request in stream:
            await stream.send(Reply(text=request.text))


async def main() -> None:
    """Serve until told to stop."""
    async with penstock.Server([Bench()]).listening("127.0.0.1:0") as address:
        announce(address)
        await until_told()


if __name__ == "__main__":
    asyncio.run(main())
