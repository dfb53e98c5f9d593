"""A client's connection through a `FaultProxy`, and what can be done to it."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import struct
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from penstock import _address
from penstock.testing.conditions import BLACK_HOLE
from penstock.testing.flow import Flow, Mark

if TYPE_CHECKING:
    from penstock.testing.fault_proxy import FaultProxy

__all__ = ["ProxiedConnection", "Side"]

logger = logging.getLogger("penstock.testing")

Side: TypeAlias = Literal["client", "server"]

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: on, no time; closing sends RST."""


class Leg(asyncio.Protocol):
    """The proxy's socket to one side."""

    def __init__(self, connection: ProxiedConnection, incoming: Flow, outgoing: Flow) -> None:
        self.transport: asyncio.Transport | None = None
        self.was_connected = False
        self._connection = connection
        self._incoming = incoming
        self._outgoing = outgoing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self.was_connected = True
        self.transport = self._incoming._source = self._outgoing._sink = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=0)
        self._connection._proxy._set_buffers(self.transport.get_extra_info("socket"))
        # The other side may have spoken already. Not now: uvloop never ends a transport that is closed in here.
        asyncio.get_running_loop().call_soon(self._outgoing._sink_filled, False)

    def data_received(self, data: bytes) -> None:
        """Bytes came from this side."""
        self._incoming._take(data)

    def eof_received(self) -> bool:
        """This side writes no more."""
        self._incoming._take_mark(Mark.END)
        return True

    def pause_writing(self) -> None:
        """This side does not read as fast as the other writes."""
        self._outgoing._sink_filled(True)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._outgoing._sink_filled(False)

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        self.transport = None
        self._incoming._source = self._outgoing._sink = None
        self._connection._on_lost(self._incoming, error)

    def end(self, *, reset: bool) -> None:
        """Close the socket: in order, or with RST and without what is unsent."""
        if self.transport is None:
            return
        if reset and not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        if reset:
            self.transport.abort()
        else:
            self.transport.close()


class ProxiedConnection:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: FaultProxy) -> None:
        loop = asyncio.get_running_loop()
        self._proxy = proxy
        ends: dict[str, Any] = {"on_ended": self._on_ended, "end": self._end}
        self.to_server = Flow(loop, proxy.random, proxy.to_server, preface=True, **ends)
        """What the client says."""
        self.to_client = Flow(loop, proxy.random, proxy.to_client, preface=False, **ends)
        """What the server says."""
        self._legs: dict[Side, Leg] = {
            "client": Leg(self, self.to_server, self.to_client),
            "server": Leg(self, self.to_client, self.to_server),
        }
        self._opening: asyncio.Task[None] | None = None
        self._is_over = False
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done when both sockets are closed."""

    @property
    def is_open(self) -> bool:
        """Both sides are connected."""
        return all(leg.transport is not None for leg in self._legs.values())

    def close(self) -> None:
        """Close both sides in order; what is queued here is lost."""
        self._end(False)

    def reset(self) -> None:
        """Reset both sides (RST): what is under way is lost, and they hear of it at once."""
        self._end(True)

    def drop(self, side: Side, *, reset: bool = False) -> None:
        """Lose one side, and keep it from the other: that one talks to a black hole from now on (half-open).

        Args:
            side: Whose socket is closed.
            reset: With RST, rather than an orderly end.
        """
        self.to_server.conditions = self.to_client.conditions = BLACK_HOLE
        self._legs[side].end(reset=reset)

    # Inside.

    def _open(self, accepted: socket.socket) -> None:
        self._opening = asyncio.get_running_loop().create_task(self._connect(accepted), name="fault proxy connects")
        # Not a `finally` in the task: a task cancelled before its first step never runs one.
        self._opening.add_done_callback(functools.partial(self._on_opened, accepted))

    async def _connect(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._dial(loop)
        except OSError as error:
            logger.info("the proxy cannot reach %s: %s", self._proxy.upstream, error)
        else:
            if not self._is_over:
                await loop.connect_accepted_socket(lambda: self._legs["client"], accepted)

    def _on_opened(self, accepted: socket.socket, _opening: asyncio.Task[None]) -> None:
        if not self._legs["client"].was_connected:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            accepted.close()
            self._is_over = True
        if self._is_over:
            self._end(True)
        self._check_finished()

    async def _dial(self, loop: asyncio.AbstractEventLoop) -> None:
        address = _address.parse(self._proxy.upstream)
        leg = self._legs["server"]
        if address.path:
            await loop.create_unix_connection(lambda: leg, address.path)
        else:
            await loop.create_connection(lambda: leg, address.host, address.port)

    def _on_ended(self) -> None:
        if self.to_server._has_ended and self.to_client._has_ended:
            self._end(False)

    def _end(self, reset: bool) -> None:
        self._is_over = True
        if self._opening is not None and not self._legs["server"].was_connected:
            # Not later: cancelled, uvloop closes a socket that was just connected without a word to its protocol.
            self._opening.cancel()
        for flow in (self.to_server, self.to_client):
            flow._stop()
        for leg in self._legs.values():
            leg.end(reset=reset)

    def _on_lost(self, incoming: Flow, error: Exception | None) -> None:
        incoming._take_mark(Mark.END if error is None else Mark.RESET)
        self._check_finished()

    def _check_finished(self) -> None:
        is_opening = self._opening is None or not self._opening.done()
        if is_opening or self.ended.done() or any(leg.transport is not None for leg in self._legs.values()):
            return
        for flow in (self.to_server, self.to_client):
            flow._stop()
        self._proxy._forget(self)
        self.ended.set_result(None)
