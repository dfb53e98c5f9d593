"""The server."""

import asyncio
from collections.abc import Callable
from typing import cast

from benchmarks.programs import Own, serve
from benchmarks.work import announce, until_told
from penstock import tls

__all__ = ["Echo", "main"]


class Echo(asyncio.BufferedProtocol):
    """Writes what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._write = cast(asyncio.Transport, transport).write
        self._buffer = memoryview(bytearray(4096))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the loop reads the socket into."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes came."""
        self._write(self._buffer[:nbytes])


async def main(own: Own | None, protocol: Callable[[], asyncio.BaseProtocol] = Echo) -> None:
    """Serve until told to stop."""
    context = tls.server_context(own.certificate, own.key) if own else None
    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=context)
    host, port = listening.sockets[0].getsockname()
    announce(f"{host}:{port}")
    await until_told()


if __name__ == "__main__":
    serve(main)
