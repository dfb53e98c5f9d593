"""A server that treats its clients as a case says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from tests.interop.http2.negative.large_unary import REQUEST, framed
from tests.interop.http2.negative.peer import Peer, Stream

Answer: TypeAlias = Callable[[Stream], Awaitable[None]]
"""Sends a response, or what stands for one. It begins as soon as the request's headers came."""


class HostileServer:
    """It listens while the block of `serving` runs, and keeps what it sees."""

    def __init__(self, answer: Answer, settings: dict[int, int]) -> None:
        self._answer = answer
        self._settings = settings
        self._answering: set[asyncio.Task[None]] = set()
        self.address = ""
        self.connections: list[Peer] = []
        """Every connection that a client made, in their order."""
        self.calls: list[str] = []
        """The path of every call that was answered, to its end or not."""
        self.most_open = 0
        """The most calls that a connection had open at one time."""

    def connection(self) -> "Connection":
        """A client has connected."""
        connection = Connection(self, self._settings)
        self.connections.append(connection)
        return connection

    def begin(self, stream: Stream) -> None:
        """A call came."""
        task = asyncio.ensure_future(self._serve(stream))
        self._answering.add(task)
        self.most_open = max(self.most_open, stream.peer.state.open_inbound_streams)
        task.add_done_callback(self._answering.discard)

    @property
    def violations(self) -> list[str]:
        """What clients did against the rules."""
        return [violation for connection in self.connections for violation in connection.violations]

    async def finish(self) -> None:
        """End what is left, and tell of what went wrong in it."""
        for connection in self.connections:
            connection.close()
            await connection.lost.wait()
        await asyncio.gather(*self._answering)

    async def _serve(self, stream: Stream) -> None:
        try:
            await self._answer(stream)
        except ConnectionError:
            pass  # the client went: what became of its call, the client knows
        else:
            self.calls.append(stream.headers[0][":path"])


class Connection(Peer):
    """One connection of a hostile server."""

    def __init__(self, server: HostileServer, settings: dict[int, int]) -> None:
        super().__init__(client=False, settings=settings)
        self._server = server

    def on_stream(self, stream: Stream) -> None:
        """A call came."""
        self._server.begin(stream)


async def request(stream: Stream) -> None:
    """Wait for the whole request, which is the same in every case.

    Raises:
        ConnectionError: The client went.
    """
    await stream.ended.wait()
    if stream.peer.lost.is_set():
        raise ConnectionError
    assert bytes(stream.received) == framed(REQUEST)


@asynccontextmanager
async def serving(answer: Answer, settings: dict[int, int] | None = None) -> AsyncIterator[HostileServer]:
    """Serve on a free port."""
    server = HostileServer(answer, settings or {})
    listener = await asyncio.get_running_loop().create_server(server.connection, "127.0.0.1", 0)
    async with listener:
        server.address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield server
        await server.finish()
