# ruff: noqa: D102 - the .proto says what the methods do
"""The server."""

import asyncio
from typing import Never

import penstock
from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_penstock import BenchBase
from benchmarks.peers.penstock_aio.raw import Raw
from benchmarks.programs import Own, serve
from benchmarks.work import TEXT, announce, check, until_told

__all__ = ["Bench"]

BURST = 32
"""Messages published before others run. CPU of a delivery, both sides: 4.5 us at 1, 1.9 at 8, 1.2 at 32, 1.0 without
end. For a thousand subscribers they are some milliseconds of the loop."""

LIMITS = penstock.Limits(max_concurrent_streams=2_000)
"""A client with a thousand subscriptions publishes over the same connection."""


class Bench(BenchBase):
    """Handlers as a program would write them: no batches, nothing encoded beforehand but what is for many streams."""

    def __init__(self) -> None:
        self._subscribers: list[penstock.ServerStream[Never, Reply]] = []

    async def unary(self, request: Request, call: penstock.ServerCall) -> Reply:
        del call
        return Reply(text=request.text, blob=request.blob)

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
            if request.text != TEXT and not request.blob:
                check("request", request.text, TEXT)
            count += 1
        return Reply(count=count)

    async def both_stream(self, stream: penstock.ServerStream[Request, Reply]) -> None:
        async for request in stream:
            await stream.send(Reply(text=request.text, blob=request.blob))

    async def subscribe(self, request: Request, stream: penstock.ServerStream[Never, Reply]) -> None:
        del request
        await stream.send(Reply())
        self._subscribers.append(stream)
        try:
            await asyncio.Event().wait()  # until the call is over
        finally:
            self._subscribers.remove(stream)

    async def publish(self, request: Request, call: penstock.ServerCall) -> Reply:
        del call
        encoded = penstock.encode(Reply(text=request.text))
        for number in range(request.count):
            for full in penstock.broadcast(self._subscribers, encoded):
                await full.send(encoded)
            if number % BURST == 0:
                await asyncio.sleep(0)  # others run, and what was queued goes out
        return Reply(count=len(self._subscribers))


async def main(own: Own | None) -> None:
    """Serve until told to stop."""
    tls = penstock.tls.server_context(own.certificate, own.key) if own else None
    async with penstock.Server([Bench(), Raw()], limits=LIMITS).listening("127.0.0.1:0", tls=tls) as address:
        announce(address)
        await until_told()


if __name__ == "__main__":
    serve(main)
