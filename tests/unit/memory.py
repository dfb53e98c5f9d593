"""What the unit tests look at beside `penstock.testing`: what was written, and connectors without a channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from penstock import BothStreamCall, Interceptor, Limits, Server, ServerStream, testing
from penstock.testing import wire
from penstock.testing.memory import SERVER_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from penstock import Service
    from penstock._connector import Connector
    from penstock._equipment import Equipment
    from penstock._transport import Transport

PEER_NAME = SERVER_NAME
settle = testing.settle


class Wire(testing.Wire):
    """One end, which remembers."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.written = bytearray()
        """Everything, from the beginning."""
        self.ended = False
        """It writes no more."""
        self.unsent = 0
        """What it says of its buffer, beside what is there."""

    def get_write_buffer_size(self) -> int:
        return self.unsent or super().get_write_buffer_size()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.is_closing():
            self.written += data
        super().write(data)

    def write_eof(self) -> None:
        self.ended = True
        super().write_eof()


def equipment(server: Server) -> Equipment:
    """What a server has in the running loop."""
    return server._core.enter(asyncio.get_running_loop())


def attach(protocol: Transport) -> Wire:
    """Connect a protocol to nobody."""
    alone = Wire(protocol, protocol.loop, PEER_NAME, PEER_NAME)
    protocol.connection_made(alone)
    return alone


def join(one: Transport, other: Transport) -> tuple[Wire, Wire]:
    """Connect two protocols with each other."""
    near, far = wire.join(one, other, names=(PEER_NAME, PEER_NAME), wire=Wire)
    assert isinstance(near, Wire)
    assert isinstance(far, Wire)
    return near, far


class MemoryChannel(testing.MemoryChannel):
    """A channel to a server of the same loop, with its wires."""

    _wire = Wire

    @property
    def connector(self) -> Connector:
        return self._connector or self._connector_here()

    @property
    def wires(self) -> tuple[Wire, Wire]:
        """The client's and the server's end of the newest connection."""
        near, far = self.links[-1]
        assert isinstance(near, Wire)
        assert isinstance(far, Wire)
        return near, far


@asynccontextmanager
async def connected(
    *services: Service,
    limits: Limits | None = None,
    server_limits: Limits | None = None,
    fallback: Callable[[ServerStream[bytes, bytes]], Awaitable[None]] | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> AsyncIterator[MemoryChannel]:
    """A channel to a server with these services."""
    server = Server(services, limits=server_limits, fallback=fallback, interceptors=interceptors)
    channel = MemoryChannel(server, limits=limits)
    try:
        yield channel
    finally:
        await channel.close()
        await server.stop(0)


@asynccontextmanager
async def one_cleans_up() -> AsyncIterator[tuple[MemoryChannel, asyncio.Event]]:
    """Give a channel whose only call is over, and what its handler still waits for."""
    go_on = asyncio.Event()

    async def cleaning_up(stream: ServerStream[bytes, bytes]) -> None:
        try:
            await stream.receive()
        finally:
            await go_on.wait()

    async with connected(fallback=cleaning_up) as channel:
        async with channel.stream("/test.Service/Method"):
            await settle()
        await settle()
        yield channel, go_on


class Ends:
    """Both ends of one call of bytes."""

    def __init__(
        self, channel: MemoryChannel, client: BothStreamCall[bytes, bytes], server: ServerStream[bytes, bytes]
    ) -> None:
        self.channel = channel
        self.client = client
        self.server = server


@asynccontextmanager
async def both_ends(
    *, limits: Limits | None = None, server_limits: Limits | None = None, **options: Any
) -> AsyncIterator[Ends]:
    """Open a call; its handler waits until the block is left."""
    opened: asyncio.Queue[ServerStream[bytes, bytes]] = asyncio.Queue()
    left = asyncio.Event()

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        opened.put_nowait(stream)
        await left.wait()

    async with (
        connected(limits=limits, server_limits=server_limits, fallback=handler) as channel,
        channel.stream("/test.Service/Method", **options) as client,
    ):
        try:
            yield Ends(channel, client, await opened.get())
        finally:
            left.set()
