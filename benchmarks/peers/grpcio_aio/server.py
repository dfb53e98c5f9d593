# ruff: noqa: D102, N802 - names are those of the .proto, and it says what they do
"""The server."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_pb2_grpc import BenchServicer, add_BenchServicer_to_server
from benchmarks.peers.grpcio_aio.options import OPTIONS
from benchmarks.peers.grpcio_aio.raw import raw_handlers
from benchmarks.programs import Own, serve
from benchmarks.work import TEXT, announce, check, until_told

__all__ = ["Bench", "add_handlers"]

Context = grpc.aio.ServicerContext[Request, Reply]


class Bench(BenchServicer):
    """Handlers as async generators."""

    def __init__(self) -> None:
        self._subscribers: list[Context] = []

    async def Unary(self, request: Request, context: Context) -> Reply:
        del context
        return Reply(text=request.text, blob=request.blob)

    async def ServerStream(self, request: Request, context: Context) -> AsyncIterator[Reply]:
        del context
        if request.blob_bytes:
            blob = bytes(request.blob_bytes)
            for _ in range(request.count):
                yield Reply(blob=blob)
        else:
            text = request.text
            for _ in range(request.count):
                yield Reply(text=text)

    async def ClientStream(self, requests: AsyncIterator[Request], context: Context) -> Reply:
        del context
        count = 0
        async for request in requests:
            if request.text != TEXT and not request.blob:
                check("request", request.text, TEXT)
            count += 1
        return Reply(count=count)

    async def BothStream(self, requests: AsyncIterator[Request], context: Context) -> AsyncIterator[Reply]:
        del context
        async for request in requests:
            yield Reply(text=request.text, blob=request.blob)

    async def Subscribe(self, request: Request, context: Context) -> None:
        del request
        await context.write(Reply())
        self._subscribers.append(context)
        try:
            await asyncio.Event().wait()  # until the call is over
        finally:
            self._subscribers.remove(context)

    async def Publish(self, request: Request, context: Context) -> Reply:
        del context
        reply = Reply(text=request.text)

        async def write_to(subscriber: Context) -> None:
            for _ in range(request.count):
                await subscriber.write(reply)

        subscribers = list(self._subscribers)
        await asyncio.gather(*map(write_to, subscribers))
        return Reply(count=len(subscribers))


def add_handlers(server: grpc.aio.Server) -> None:
    """Let it serve both services."""
    add_BenchServicer_to_server(Bench(), server)
    server.add_generic_rpc_handlers((raw_handlers(),))


async def main(own: Own | None) -> None:
    """Serve until told to stop."""
    server = grpc.aio.server(options=OPTIONS)
    add_handlers(server)
    if own:
        credentials = grpc.ssl_server_credentials([(own.key.read_bytes(), own.certificate.read_bytes())])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    announce(f"127.0.0.1:{port}")
    await until_told()
    await server.stop(None)


if __name__ == "__main__":
    serve(main)
