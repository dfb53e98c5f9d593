"""Writing pieces that lie apart to a socket at once, without joining them."""

from __future__ import annotations

import contextlib
import os
from asyncio.trsock import TransportSocket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    Buffer = bytes | memoryview


def writer(transport: asyncio.Transport) -> Callable[[Sequence[Buffer]], None] | None:
    """Give what writes pieces to this transport; `None`: it takes only what is in one."""
    if type(transport).__module__.startswith("uvloop"):
        return transport.writelines
    sock = transport.get_extra_info("socket")
    if isinstance(sock, TransportSocket) and hasattr(os, "writev"):
        return SocketWriter(transport, sock).write
    return None


class SocketWriter:
    """Writes past a transport of asyncio, whose `writelines` joins pieces before Python 3.12.

    Later ones have it write them as they lie, but then it does not say that the socket takes no more
    (CVE-2024-12254), which our flow stands on.
    """

    def __init__(self, transport: asyncio.Transport, sock: TransportSocket) -> None:
        self._transport = transport
        self._socket = sock

    def write(self, pieces: Sequence[Buffer]) -> None:
        """Write all of it, now or when the socket takes it."""
        transport, sent = self._transport, 0
        if transport.is_closing():
            transport.write(
                b"".join(pieces)
            )  # at once: of each write to a lost socket, from the fifth on, asyncio warns
            return
        if not transport.get_write_buffer_size():
            # It is full; or the transport meets the same, and knows what to do.
            with contextlib.suppress(OSError):
                # Asked each time: that of a closed socket is -1, and not one of somebody else.
                sent = os.writev(self._socket.fileno(), pieces)
        for piece in pieces:
            length = len(piece)
            if sent < length:
                transport.write(piece[sent:] if sent else piece)
                if transport.is_closing():
                    return  # it has found the socket lost
            sent = max(sent - length, 0)
