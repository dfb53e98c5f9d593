"""Counts tokens as bytes, at next to no cost: what a client does for streams of which only the sum is wanted."""

import asyncio
from typing import cast

from benchmarks.tokens.clients.meter import Came
from benchmarks.work import WrongWork

__all__ = ["Reader"]


class Reader(asyncio.Protocol):
    """Says something on one connection, and tells how often `mark` comes.

    A connection that ends by itself is an error.
    """

    def __init__(self, says: bytes, mark: bytes, came: Came) -> None:
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._says, self._mark, self._came = says, mark, came
        self._rest = b""

    async def read(self, address: str) -> None:
        """Connect, and read until cancelled or stopped."""
        host, _, port = address.rpartition(":")
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, host, int(port))
        try:
            await self._over
        finally:
            transport.abort()

    def stop(self) -> None:
        """Have `read` return, and the connection closed."""
        if not self._over.done():
            self._over.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say it at once: the other side may speak before `create_connection` returns."""
        self.transport = cast(asyncio.Transport, transport)  # that of uvloop is of no class of asyncio
        self.transport.write(self._says)

    def data_received(self, data: bytes) -> None:
        """Count; a mark that was cut in two is found with what was left of the read before."""
        data = self._rest + data
        count = data.count(self._mark)
        self._rest = data[1 - len(self._mark) :]
        if count:
            self._came(count)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who reads."""
        if not self._over.done():
            self._over.set_exception(error or WrongWork("a connection ended"))
