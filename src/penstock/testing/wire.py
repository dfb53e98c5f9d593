"""A connection without a socket: what one end writes, the other reads in a later turn of the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, TypeAlias, cast

__all__ = ["Wire", "join"]

CAPACITY_BYTES = 256 * 1024
"""What is under way in one direction before the writer hears that there is no room: about what a kernel holds."""

Name: TypeAlias = tuple[str, int]
Data: TypeAlias = "bytes | bytearray | memoryview[Any]"


class Wire(asyncio.Transport):
    """One end of a connection in memory; it does what asyncio's transport of a TCP socket does.

    A read takes all that has arrived, as far as the protocol's buffer goes. The writer is told to pause when more than
    `capacity_bytes` are under way, and to resume when there is room. Closing sends what was written, then an end.

    Concurrency: the loop of its protocol; both ends live in one.
    Does not promise: a reset by an end that is closed with something unread, as TCP would send.

    Args:
        protocol: Who reads and writes at this end.
        loop: Its loop.
        name: What `get_extra_info("sockname")` gives.
        peer_name: What `get_extra_info("peername")` gives.
        capacity_bytes: Room for what it writes.
    """

    def __init__(
        self,
        protocol: asyncio.BaseProtocol,
        loop: asyncio.AbstractEventLoop,
        name: Name,
        peer_name: Name,
        *,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        super().__init__({"sockname": name, "peername": peer_name})
        self.peer: Wire | None = None
        """The other end; `None` before `join` and after the end."""
        self.reading = True
        """False while the protocol has paused it."""
        self._protocol = protocol
        self._loop = loop
        self._capacity_bytes = capacity_bytes
        self._under_way = 0
        self._told_to_pause = self._held = self._silent = False
        self._arrived: deque[memoryview[Any]] = deque()
        self._reading_soon = self._end_arrived = self._end_sent = False
        self._closing = self._lost = False

    # What a test does.

    def hold(self) -> None:
        """Have no room: the protocol is told to pause, until `release`."""
        self._held = True
        self._pause()

    def release(self) -> None:
        """Have room again."""
        self._held = False
        self._resume()

    def go_silent(self) -> None:
        """Tell the protocol nothing that arrives, ends included, as if the network were gone, until `come_back`."""
        self._silent = True

    def come_back(self) -> None:
        """Tell the protocol what has arrived meanwhile, and what arrives."""
        self._silent = False
        self._read_soon()

    def arrive(self, data: Data) -> None:
        """Have the protocol read this, in a later turn of the loop."""
        if data and not self._closing:
            self._arrived.append(memoryview(bytes(data)))
            self._read_soon()

    def hear_end(self) -> None:
        """Have the protocol hear that nothing follows, after what has arrived."""
        self._end_arrived = True
        self._read_soon()

    def lose(self, error: Exception | None = None) -> None:
        """Break the connection now, with what is under way.

        Args:
            error: What this end's protocol is told; `ConnectionResetError` for a reset. The other end hears an end.
        """
        self._closing = True
        if self._lost:
            return
        self._lost = True
        self._arrived.clear()
        protocol, self._protocol = self._protocol, asyncio.Protocol()  # whoever keeps this end does not keep that alive
        protocol.connection_lost(error)
        peer, self.peer = self.peer, None  # no cycle is left behind
        if peer is not None:
            peer._under_way = 0  # nobody will take it
            peer.hear_end()
            self._loop.call_soon(peer._resume)

    # asyncio.Transport.

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who reads and writes at this end."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another one read and write at this end."""
        self._protocol = protocol

    def get_write_buffer_size(self) -> int:
        """Bytes that the other end has no room for."""
        return max(0, self._under_way - self._capacity_bytes)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """As a socket's after `set_write_buffer_limits(high=0)`."""
        return 0, 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Leave it at 0: a protocol is always told to pause as soon as there is no room."""

    def write(self, data: Data) -> None:
        """Send."""
        if self._end_sent:
            msg = "write() after write_eof()"
            raise RuntimeError(msg)
        if self._closing:
            return
        if self.peer is not None and not self.peer.is_closing():
            self._under_way += len(data)
            self.peer.arrive(data)
        if self.get_write_buffer_size():
            self._pause()

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """Send an end; the other direction goes on."""
        if not self._end_sent:
            self._end_sent = True
            if self.peer is not None:
                self.peer.hear_end()

    def pause_reading(self) -> None:
        """Tell the protocol nothing more."""
        self.reading = False

    def resume_reading(self) -> None:
        """Go on, in a later turn of the loop."""
        self.reading = True
        self._read_soon()

    def is_reading(self) -> bool:
        """It tells what arrives."""
        return self.reading and not self._closing

    def is_closing(self) -> bool:
        """It was closed, or lost."""
        return self._closing

    def close(self) -> None:
        """Send what was written, then an end."""
        self._closing = True
        self._finish()

    def abort(self) -> None:
        """End now; the other end still reads what it has room for."""
        self._closing = True
        self._loop.call_soon(self.lose)

    # Inside.

    def _finish(self) -> None:
        # A socket is closed when the kernel has taken everything.
        if not self._held and not self.get_write_buffer_size():
            self._loop.call_soon(self.lose)

    def _pause(self) -> None:
        if not self._told_to_pause and not self._lost:
            self._told_to_pause = True
            self._protocol.pause_writing()

    def _resume(self) -> None:
        if self._lost or self._held or self.get_write_buffer_size():
            return
        if self._closing:
            self._finish()
        elif self._told_to_pause:
            self._told_to_pause = False
            self._protocol.resume_writing()

    def _read_soon(self) -> None:
        if not self._reading_soon:
            self._reading_soon = True
            self._loop.call_soon(self._read)

    def _read(self) -> None:
        """One read of a socket: at most what the protocol's buffer takes."""
        self._reading_soon = False
        if self._silent or not self.is_reading():
            return
        if self._arrived:
            count = self._deliver()
            if self.peer is not None:
                self.peer._under_way -= count
                self._loop.call_soon(self.peer._resume)
            if self._arrived or self._end_arrived:
                self._read_soon()
        elif self._end_arrived:
            self._end_arrived = False
            if not cast(asyncio.Protocol, self._protocol).eof_received():
                self.close()

    def _deliver(self) -> int:
        """Tell the protocol of what has arrived; give the count of bytes."""
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            data = b"".join(self._arrived)
            self._arrived.clear()
            cast(asyncio.Protocol, protocol).data_received(data)
            return len(data)
        room = memoryview(protocol.get_buffer(sum(map(len, self._arrived))))
        count = 0
        while self._arrived and count < len(room):
            piece = self._arrived.popleft()
            taken = min(len(piece), len(room) - count)
            room[count : count + taken] = piece[:taken]
            count += taken
            if taken < len(piece):
                self._arrived.appendleft(piece[taken:])
        protocol.buffer_updated(count)
        return count


def join(
    one: asyncio.BaseProtocol,
    other: asyncio.BaseProtocol,
    *,
    names: tuple[Name, Name] = (("memory", 0), ("memory", 1)),
    capacity_bytes: int = CAPACITY_BYTES,
    wire: type[Wire] = Wire,
) -> tuple[Wire, Wire]:
    """Connect two protocols with each other, in the running loop.

    Args:
        one: The first is told first that it is connected.
        other: The second.
        names: What each end is called; the other end sees it as `peername`.
        capacity_bytes: What can be under way in each direction.
        wire: The class of the ends.
    """
    loop = asyncio.get_running_loop()
    near = wire(one, loop, *names, capacity_bytes=capacity_bytes)
    far = wire(other, loop, *reversed(names), capacity_bytes=capacity_bytes)
    near.peer, far.peer = far, near
    one.connection_made(near)
    other.connection_made(far)
    return near, far
