"""A channel and a server in one loop, connected without a socket."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from penstock._address import Address
from penstock._arrival import Arrival
from penstock.channel import Channel
from penstock.errors import UsageError
from penstock.server import Server
from penstock.testing.wire import Wire, join

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from penstock.admission import Admission
    from penstock.keepalive import ServerKeepalive
    from penstock.limits import Limits
    from penstock.server_calls import ServerCall, ServerStream
    from penstock.service import Service
    from penstock.testing.manual_clock import ManualClock

__all__ = ["Link", "MemoryChannel", "connected"]

HOST = "memory"
SERVER_NAME = (HOST, 1)

_clients: WeakKeyDictionary[Server, itertools.count[int]] = WeakKeyDictionary()
"""Numbers for the clients of each server."""


class MemoryAddress(Address):
    """The address of a server in the same process."""

    __slots__ = ()

    @property
    def is_local(self) -> bool:
        """Nothing leaves this process."""
        return True


class Link(NamedTuple):
    """One connection in memory."""

    client: Wire
    """The client's end."""
    server: Wire
    """The server's end."""

    def go_silent(self) -> None:
        """Have neither side hear of the other, nor of its end, as if the network were gone, until `come_back`."""
        for end in self:
            end.go_silent()

    def come_back(self) -> None:
        """Have both sides hear what was said meanwhile."""
        for end in self:
            end.come_back()


class MemoryPeerChannel(Channel):
    """A channel whose other ends are protocols of the same loop."""

    _wire: type[Wire] = Wire

    def __init__(self, accept: Callable[[], asyncio.BaseProtocol], **options: Any) -> None:
        if options.get("tls"):
            msg = "a connection in memory has no TLS: use server.listening('127.0.0.1:0', tls=...)"
            raise UsageError(msg)
        super().__init__("localhost:1", **options)
        self._address = MemoryAddress(*SERVER_NAME)
        self._authority = options.get("authority") or self._address.authority
        self._dial = self._connect_in_memory
        self._accept = accept
        self.links: list[Link] = []
        """Every connection that was made, the newest last."""
        self.failures: list[Exception] = []
        """What the next attempts to connect fail with, in this order; OSErrors, as a network's are."""

    async def _connect_in_memory(self, address: Address, connection: Callable[[], asyncio.BaseProtocol]) -> None:
        del address
        if self.failures:
            raise self.failures.pop(0)
        accepted = self._accept()
        names = ((HOST, self._client_number()), SERVER_NAME)
        self.links.append(Link(*join(connection(), accepted, names=names, wire=self._wire)))

    def _client_number(self) -> int:
        return len(self.links) + 1


class MemoryChannel(MemoryPeerChannel):
    """A channel to a server of the same loop, without a socket.

    The engine, the connections and all that is above them are those that sockets have: HTTP/2 goes over a `Wire`. The
    server need not listen. Its handlers see clients as `memory:1`, `memory:2`, a number for each connection. Connecting
    to a server that has stopped is refused.

    Concurrency: as a `Channel`; the server lives in the same loop.

    Args:
        server: Whom to connect to. It is not stopped when the channel is closed.
        options: What `Channel` takes besides the address. There is no TLS.

    Raises:
        UsageError: As `Channel`; or `tls` was given.
    """

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(self._accept_at_server, **options)
        self.server = server
        """Whom it connects to; another one takes the connections that are made from then on."""

    def _accept_at_server(self) -> asyncio.BaseProtocol:
        core = self.server._core
        if core.draining.is_set():
            msg = f"nobody listens on {self._address}"
            raise ConnectionRefusedError(msg)
        return Arrival(core, core.enter(asyncio.get_running_loop()))

    def _client_number(self) -> int:
        return next(_clients.setdefault(self.server, itertools.count(1)))


@asynccontextmanager
async def connected(
    *services: Service,
    server: Server | None = None,
    clock: ManualClock | None = None,
    limits: Limits | None = None,
    server_limits: Limits | None = None,
    admission: Admission | None = None,
    server_keepalive: ServerKeepalive | None = None,
    interceptors: Iterable[Callable[..., Any]] = (),
    server_interceptors: Iterable[Callable[..., Any]] = (),
    authenticate: Callable[[ServerCall], Awaitable[object]] | None = None,
    fallback: Callable[[ServerStream[bytes, bytes]], Any] | None = None,
    **options: Any,
) -> AsyncIterator[MemoryChannel]:
    """Give a channel to a server with these services, in memory.

    Leaving the block closes the channel, then stops the server at once.

    Args:
        services: What the server serves.
        server: A server of your own, in place of one that is made of the services and the arguments for a server.
        clock: Tells the time within the block; on leaving it real time goes on before anything is closed.
        limits: The channel's.
        server_limits: The server's.
        admission: The server's.
        server_keepalive: The server's.
        interceptors: The channel's.
        server_interceptors: The server's.
        authenticate: The server's.
        fallback: The server's.
        options: What else `Channel` takes: `keepalive`, `compression`, `credentials`, `user_agent`, `authority`.

    Yields:
        The channel; `channel.server` is the server.

    Raises:
        UsageError: As `Server` and `Channel`; or there is a `server` and something for another one.
    """
    around = tuple(server_interceptors)
    if server is None:
        server = Server(
            services,
            limits=server_limits,
            admission=admission,
            keepalive=server_keepalive,
            interceptors=around,
            authenticate=authenticate,
            fallback=fallback,
        )
    elif any((services, server_limits, admission, server_keepalive, around, authenticate, fallback)):
        msg = "server= is a whole server: give services and settings to it, not to connected()"
        raise UsageError(msg)
    server._core.draining.clear()
    channel = MemoryChannel(server, limits=limits, interceptors=interceptors, **options)
    try:
        async with clock or nullcontext():
            yield channel
    finally:
        try:
            await channel.close()
        finally:
            await server.stop(0)
