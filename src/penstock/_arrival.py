"""A client that was just accepted: it is served, or hung up on."""

from __future__ import annotations

import asyncio
import logging
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, cast

from penstock import _address
from penstock._server_connection import ServerConnection

if TYPE_CHECKING:
    from penstock._equipment import Equipment
    from penstock._server_core import ServerCore

logger = logging.getLogger("penstock.server")


class Arrival(asyncio.Protocol):
    """Decides about a client before anything is made for it, TLS above all."""

    def __init__(self, core: ServerCore, equipment: Equipment) -> None:
        self._core, self._equipment = core, equipment

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        # It is one in all but its bases: uvloop's does not inherit from asyncio's.
        socket = cast("asyncio.Transport", transport)
        keeper = self._core.gatekeeper
        name = socket.get_extra_info("peername")
        if name is None and socket.get_extra_info("socket").family in {AF_INET, AF_INET6}:
            socket.abort()  # it has reset the connection, and left no name to count it by
            return
        address = _address.of_peer(name)
        full = keeper.full_for(address)
        if full is None:
            self._serve(socket)
            return
        keeper.refuse(full, "a connection", address)
        # Without a word: to gRPC's clients a server that says SETTINGS works, and whatever GOAWAY says behind it, they
        # come back at once, a hundred times a second. After this they pause, longer each time.
        socket.close()

    def _serve(self, socket: asyncio.Transport) -> None:
        try:
            connection = ServerConnection(self._core, self._equipment)
        except Exception:
            # A TLS context may be of a class of the program's. Left to the loops, one would say nothing and one would
            # keep the socket.
            logger.exception("a client cannot be served; its connection is closed")
            socket.abort()
            return
        socket.set_protocol(connection)
        connection.connection_made(socket)
