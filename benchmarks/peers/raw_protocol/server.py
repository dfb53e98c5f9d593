"""The server."""

import asyncio
from functools import partial
from typing import cast

from benchmarks.peers.raw_asyncio.server import main
from benchmarks.programs import serve

__all__ = ["Echo"]


class Echo(asyncio.Protocol):
    """Writes what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._write = cast(asyncio.Transport, transport).write

    def data_received(self, data: bytes) -> None:
        """Something came."""
        self._write(data)


if __name__ == "__main__":
    serve(partial(main, protocol=Echo))
