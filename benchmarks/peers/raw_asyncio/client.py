"""The client."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from benchmarks.bench_pb2 import Request
from benchmarks.measure import main
from benchmarks.work import SERVER_NAME, TEXT, check
from penstock import tls

__all__ = ["MESSAGE", "Echoed", "connect"]

PAYLOAD = Request(text=TEXT).SerializeToString()
MESSAGE = bytes(1) + len(PAYLOAD).to_bytes(4, "big") + PAYLOAD


class Echoed:
    """Sends a message and awaits its echo. A call and a message on a stream are the same to it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._write = cast(asyncio.Transport, transport).write
        self._future = asyncio.get_running_loop().create_future
        self.echo: bytes | memoryview = b""

    async def unary(self) -> None:
        """Send a message and wait for it."""
        self.came = came = self._future()
        self._write(MESSAGE)
        await came
        if self.echo != MESSAGE:
            check("echo", bytes(self.echo), MESSAGE)

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Do so again and again."""
        latencies = []
        for _ in range(count):
            started = perf_counter()
            await self.unary()
            latencies.append(perf_counter() - started)
        return latencies


class EchoClient(Echoed, asyncio.BufferedProtocol):
    """Has the loop read into its own memory."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        super().connection_made(transport)
        self.echo = self._buffer = memoryview(bytearray(len(MESSAGE)))
        self._received = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the loop reads the rest of the echo into."""
        del sizehint
        return self._buffer[self._received :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes of it came."""
        self._received += nbytes
        if self._received == len(MESSAGE):
            self._received = 0
            self.came.set_result(None)


@asynccontextmanager
async def connect(
    address: str, ca: Path | None, protocol: Callable[[], asyncio.BaseProtocol] = EchoClient
) -> AsyncIterator[Any]:
    """Give a client of the server at this address."""
    context = tls.client_context(ca) if ca else None
    host, _, port = address.rpartition(":")
    connect_to = asyncio.get_running_loop().create_connection
    name = SERVER_NAME if context else None
    transport, client = await connect_to(protocol, host, int(port), ssl=context, server_hostname=name)
    yield client
    transport.close()


if __name__ == "__main__":
    main(connect)
