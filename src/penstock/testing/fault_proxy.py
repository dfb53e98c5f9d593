"""A TCP proxy that does to connections what networks do."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

from penstock import _address
from penstock.errors import UsageError
from penstock.testing.conditions import CLEAR, Conditions, check_conditions
from penstock.testing.proxied_connection import ProxiedConnection

__all__ = ["FaultProxy"]

logger = logging.getLogger("penstock.testing")

BACKLOG = 1024


class FaultProxy:
    """Stands between clients and a server and does to their connections what networks do, when a test says so.

    Use it as an async context manager; leaving the block resets every connection. Without conditions it passes bytes on
    as they come. It runs in the loop of the test, or in a thread or a process of its own; it is about bytes, so TLS and
    other protocols pass as well.

    Concurrency: its own loop. Everything can be changed at any time.

    Args:
        upstream: The server's address, as for `Channel`.
        listen: Where clients connect, `host:port`; port 0 lets the system choose.
        seed: For jitter: the same seed gives the same sequence.
        to_server: What happens to what clients say, to begin with.
        to_client: What happens to what the server says, to begin with.
        kernel_buffer_bytes: Size of its sockets' buffers in the kernel, each way; else the system's, which are some MiB
            and hide for a while that a reader is slow.
        on_connection: Called with each new connection before a byte passes.

    Raises:
        OSError: On entering: `listen` cannot be listened on.
        UsageError: An address has another form, or conditions are none; on entering: it is in use already.

    Source: the faults of toxiproxy, and of tc-netem(8), as far as they can be made without a kernel.
    """

    def __init__(
        self,
        upstream: str,
        *,
        listen: str = "127.0.0.1:0",
        seed: int | None = None,
        to_server: Conditions = CLEAR,
        to_client: Conditions = CLEAR,
        kernel_buffer_bytes: int | None = None,
        on_connection: Callable[[ProxiedConnection], object] | None = None,
    ) -> None:
        self.upstream = upstream
        """The server's address; another one takes the connections that come from then on."""
        self.random = random.Random(seed)
        self.on_connection = on_connection
        self.connections: list[ProxiedConnection] = []
        """Those that are open, the newest last."""
        self.connections_accepted = 0
        """All that ever came."""
        _address.parse(upstream)  # a mistake is to be seen here, not when a client comes
        self._listen = _address.parse(listen)
        if self._listen.path:
            msg = f"the proxy listens on host:port, not on {listen}"
            raise UsageError(msg)
        self._to_server, self._to_client = check_conditions(to_server), check_conditions(to_client)
        self._kernel_buffer_bytes = kernel_buffer_bytes
        self._forgotten_bytes = [0, 0]
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._reserved is not None:
            msg = "the proxy is in use already: enter it once, or make another one"
            raise UsageError(msg)
        # It never listens: it keeps the port while connections are refused.
        self._reserved = self._bound(self._listen)
        self.refusing = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        self.refusing = True
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        connections = list(self.connections)
        for connection in connections:
            connection.reset()
        if connections:
            await asyncio.wait([connection.ended for connection in connections])

    @property
    def address(self) -> str:
        """Where it listens: what a `Channel` takes."""
        return _address.of_socket(self._reserved_here())

    @property
    def bytes_to_server(self) -> int:
        """Bytes forwarded to the server, on all connections there ever were."""
        return self._forgotten_bytes[0] + sum(each.to_server.bytes_forwarded for each in self.connections)

    @property
    def bytes_to_client(self) -> int:
        """Bytes forwarded to clients, on all connections there ever were."""
        return self._forgotten_bytes[1] + sum(each.to_client.bytes_forwarded for each in self.connections)

    @property
    def to_server(self) -> Conditions:
        """What happens to what clients say; set it to change that for every connection, those to come included."""
        return self._to_server

    @to_server.setter
    def to_server(self, conditions: Conditions) -> None:
        self._to_server = check_conditions(conditions)
        for connection in list(self.connections):
            connection.to_server.conditions = conditions

    @property
    def to_client(self) -> Conditions:
        """What happens to what the server says; set it to change that for every connection, those to come included."""
        return self._to_client

    @to_client.setter
    def to_client(self, conditions: Conditions) -> None:
        self._to_client = check_conditions(conditions)
        for connection in list(self.connections):
            connection.to_client.conditions = conditions

    @property
    def refusing(self) -> bool:
        """Connections are refused, as if nobody listened; set it. Those that are open go on."""
        return self._listener is None

    @refusing.setter
    def refusing(self, refusing: bool) -> None:
        if refusing is self.refusing:
            return
        if self._listener is None:
            self._listener = self._bound(self._listen, self._reserved_here().getsockname()[1])
            self._listener.listen(BACKLOG)
            self._accepting = asyncio.get_running_loop().create_task(self._accept(self._listener), name="fault proxy")
            self._accepting.add_done_callback(functools.partial(_close, self._listener))
        else:
            assert self._accepting is not None
            if not self._accepting.done():
                self._listener.shutdown(socket.SHUT_RDWR)  # at once; it is closed when the task has ended
                self._accepting.cancel()
            self._accepting = self._listener = None

    def set_both(self, conditions: Conditions) -> None:
        """Have the same happen in both directions, on every connection, those to come included."""
        self.to_server = self.to_client = conditions

    def reset_all(self) -> None:
        """Reset every connection."""
        for connection in list(self.connections):
            connection.reset()

    # Inside.

    def _reserved_here(self) -> socket.socket:
        if self._reserved is None:
            msg = "the proxy listens within its block: async with FaultProxy(...) as proxy"
            raise UsageError(msg)
        return self._reserved

    def _bound(self, address: _address.Address, port: int | None = None) -> socket.socket:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._set_buffers(bound)  # before it listens: accepted sockets announce their window at once
            bound.bind((address.host, address.port if port is None else port))
        except BaseException:
            bound.close()
            raise
        return bound

    def _set_buffers(self, sock: socket.socket) -> None:
        if self._kernel_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._kernel_buffer_bytes)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._kernel_buffer_bytes)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            accepted, _ = await loop.sock_accept(listener)
            self.connections_accepted += 1
            connection = ProxiedConnection(self)
            self.connections.append(connection)
            connection._open(accepted)
            if self.on_connection is not None:
                self.on_connection(connection)

    def _forget(self, connection: ProxiedConnection) -> None:
        self.connections.remove(connection)
        self._forgotten_bytes[0] += connection.to_server.bytes_forwarded
        self._forgotten_bytes[1] += connection.to_client.bytes_forwarded


def _close(listener: socket.socket, accepting: asyncio.Task[None]) -> None:
    listener.close()
    if not accepting.cancelled():
        logger.error("the proxy accepts no more", exc_info=accepting.exception())
