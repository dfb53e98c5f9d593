# ruff: noqa: D102, N802 - names are those of the .proto, and it says what they do
"""The server."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from grpclib.const import Handler
from grpclib.server import Server, Stream

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.peers.grpclib.methods import METHODS, PATH
from benchmarks.programs import Own, serve
from benchmarks.work import TEXT, announce, check, until_told

__all__ = ["Bench"]


class Bench:
    """Handlers as its documentation shows them."""

    def __mapping__(self) -> Mapping[str, Any]:
        """Give the handler of each method."""
        return {PATH + name: Handler(getattr(self, name), kind, Request, Reply) for name, kind in METHODS.items()}

    async def Unary(self, stream: "Stream[Request, Reply]") -> None:
        request = await stream.recv_message()
        assert request is not None
        await stream.send_message(Reply(text=request.text, blob=request.blob))

    async def ServerStream(self, stream: "Stream[Request, Reply]") -> None:
        request = await stream.recv_message()
        assert request is not None
        if request.blob_bytes:
            blob = bytes(request.blob_bytes)
            for _ in range(request.count):
                await stream.send_message(Reply(blob=blob))
        else:
            text = request.text
            for _ in range(request.count):
                await stream.send_message(Reply(text=text))

    async def ClientStream(self, stream: "Stream[Request, Reply]") -> None:
        count = 0
        async for request in stream:
            if request.text != TEXT and not request.blob:
                check("request", request.text, TEXT)
            count += 1
        await stream.send_message(Reply(count=count))

    async def BothStream(self, stream: "Stream[Request, Reply]") -> None:
        async for request in stream:
            await stream.send_message(Reply(text=request.text, blob=request.blob))


async def main(own: Own | None) -> None:
    """Serve until told to stop."""
    server = Server([Bench()])
    # The protocol is named: for other sockets asyncio leaves Nagle's algorithm on, and a call takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    await server.start(sock=listener, ssl=_context(own) if own else None)
    announce(f"127.0.0.1:{listener.getsockname()[1]}")
    await until_told()
    server.close()
    await asyncio.wait_for(server.wait_closed(), 5)


def _context(own: Own) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own.certificate, own.key)
    context.set_alpn_protocols(["h2"])
    return context


if __name__ == "__main__":
    serve(main)
