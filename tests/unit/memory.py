"""A connection without a socket: what one side writes, the other side reads in a later turn of the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from penstock import BothStreamCall, Channel, Interceptor, Limits, Server, ServerStream, Service
from penstock._address import Address
from penstock._client_connection import ClientConnection
from penstock._connector import Connector
from penstock._server_connection import ServerConnection

if TYPE_CHECKING:
    from penstock._transport import Transport

PEER_NAME = ("memory", 1)
TURNS = 50
"""Turns of the loop after which nothing that can go on without new input is left."""


class Wire(asyncio.Transport):
    """One end."""

    def __init__(self, protocol: Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.protocol = protocol
        self.peer: Wire | None = None
        self.reading = True
        self.written = bytearray()
        """Everything, from the beginning."""
        self.stuck = False
        """Closing never ends: there is something left to write, and the peer reads nothing."""
        self.unsent = 0
        """What it says of its buffer."""
        self.ended = False
        """It writes no more."""
        self._loop = loop
        self._arriving: deque[bytes] = deque()
        self._closing = False
        self._lost = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return PEER_NAME if name == "peername" else default

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer: `hold` pauses at once."""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._closing:
            self.written += data
            if self.peer is not None:
                self.peer.arrive(bytes(data))

    def write_eof(self) -> None:
        self.ended = True
        if self.peer is not None:
            self._loop.call_soon(self.peer.hear_end)

    def hold(self) -> None:
        """Be full, as a socket whose peer does not read."""
        self.protocol.pause_writing()

    def release(self) -> None:
        """Have room again."""
        self.protocol.resume_writing()

    def arrive(self, data: bytes) -> None:
        """Have the protocol read this in a later turn."""
        self._arriving.append(data)
        self._loop.call_soon(self._read)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self._read()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        if not self.stuck:
            self._loop.call_soon(self.lose, None)

    def abort(self) -> None:
        self._closing = True
        self._loop.call_soon(self.lose, None)

    def lose(self, error: Exception | None) -> None:
        """Break the connection, with what is on its way."""
        self._closing = True
        if self._lost:
            return
        self._lost = True
        self.protocol.connection_lost(error)
        peer, self.peer = self.peer, None  # no cycle is left behind
        if peer is not None:
            self._loop.call_soon(peer.hear_end)

    def hear_end(self) -> None:
        """The other end is closed."""
        if not self._closing and not self.protocol.eof_received():
            self.close()

    def _read(self) -> None:
        while self._arriving and self.reading and not self._lost:
            data = self._arriving.popleft()
            room = memoryview(self.protocol.get_buffer(len(data)))
            most = min(len(data), len(room))
            room[:most] = data[:most]
            if data[most:]:
                self._arriving.appendleft(data[most:])
            self.protocol.buffer_updated(most)


def attach(protocol: Transport) -> Wire:
    """Connect a protocol to nobody."""
    wire = Wire(protocol, protocol.loop)
    protocol.connection_made(wire)
    return wire


def join(one: Transport, other: Transport) -> tuple[Wire, Wire]:
    """Connect two protocols with each other."""
    near, far = Wire(one, one.loop), Wire(other, other.loop)
    near.peer, far.peer = far, near
    one.connection_made(near)
    other.connection_made(far)
    return near, far


class MemoryConnector(Connector):
    """Connects to a server of the same loop; `failures` are what the next attempts raise instead."""

    def __init__(self, server: Server, limits: Limits) -> None:
        super().__init__(Address(*PEER_NAME), limits, "memory:1")
        self.server = server
        self.failures: list[Exception] = []
        self.wires: list[tuple[Wire, Wire]] = []
        """Of each connection made: the client's end, the server's end."""

    async def _connect(self) -> ClientConnection:
        if self.failures:
            raise self.failures.pop(0)
        connection = ClientConnection(self._limits, self.loop, self._authority)
        self.wires.append(join(connection, ServerConnection(self.server, self.loop)))
        self.connections.add(connection)
        connection.ended.add_done_callback(lambda _ended: self.connections.discard(connection))
        await connection.ready
        return connection


class MemoryChannel(Channel):
    """A channel to a server of the same loop."""

    def __init__(self, server: Server, limits: Limits | None = None) -> None:
        super().__init__("localhost:1", limits=limits)
        self.connector = self._connector = MemoryConnector(server, self._limits)

    @property
    def wires(self) -> tuple[Wire, Wire]:
        """The client's and the server's end of the newest connection."""
        return self.connector.wires[-1]


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
    channel = MemoryChannel(server, limits)
    try:
        yield channel
    finally:
        await channel.close()
        await server.stop(0)


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


async def settle() -> None:
    """Let everything happen that can happen by itself."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
