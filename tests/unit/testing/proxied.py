"""A server that notes what it hears, behind a fault proxy."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from penstock.testing import FaultProxy, settle
from tests.e2e.support import until, within_bound


class Side:
    """One end of a connection, with plain bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear(self, count: int) -> bytes:
        data: bytes = await within_bound(self._reader.readexactly(count))
        return data

    async def hear_end(self) -> bytes:
        """Read up to the end."""
        data: bytes = await within_bound(self._reader.read())
        return data

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


class Rig:
    """A proxy before a server of plain bytes."""

    def __init__(self, proxy: FaultProxy, accepted: asyncio.Queue[Side]) -> None:
        self.proxy = proxy
        self.sides: list[Side] = []
        self._accepted = accepted

    async def connect(self) -> tuple[Side, Side]:
        """Give the client's and the server's end of a new connection."""
        client = await self.client()
        server = await within_bound(self._accepted.get())
        self.sides.append(server)
        await until(lambda: self.proxy.connections[-1].is_open)
        return client, server

    async def client(self) -> Side:
        host, _, port = self.proxy.address.rpartition(":")
        client = Side(*await asyncio.open_connection(host, int(port)))
        self.sides.append(client)
        return client


@asynccontextmanager
async def rigged(**options: Any) -> AsyncIterator[Rig]:
    accepted: asyncio.Queue[Side] = asyncio.Queue()
    listener = await asyncio.start_server(lambda *ends: accepted.put_nowait(Side(*ends)), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        async with FaultProxy(f"127.0.0.1:{port}", **options) as proxy:
            rig = Rig(proxy, accepted)
            try:
                yield rig
            finally:
                for side in rig.sides:
                    await side.close()
    finally:
        await settle()  # what the proxy connected is accepted
        listener.close()
        await settle()
        while not accepted.empty():
            await accepted.get_nowait().close()
        await listener.wait_closed()
