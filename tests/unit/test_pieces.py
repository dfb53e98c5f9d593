"""Pieces written to a real socket, and what is left of them to the transport."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock import _pieces

PIECES: list[bytes | memoryview] = [
    b"head",
    memoryview(b"x" * 300_000),
    b"",
    memoryview(b"between"),
    memoryview(b"y" * 3_000_000),
    b"end",
]


class Reader(asyncio.Protocol):
    """Counts how often it was told that the socket takes no more."""

    def __init__(self) -> None:
        self.pauses = 0
        self.resumed = asyncio.Event()

    def pause_writing(self) -> None:
        """It is full."""
        self.pauses += 1
        self.resumed.clear()

    def resume_writing(self) -> None:
        """It has room."""
        self.resumed.set()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.Transport, Reader, socket.socket]]:
    """A transport as ours are, and the other end of its socket."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    transport, reader = await asyncio.get_running_loop().create_connection(Reader, sock=ours)
    transport.set_write_buffer_limits(high=0)
    try:
        yield transport, reader, theirs
    finally:
        transport.abort()
        theirs.close()
        await asyncio.sleep(0)


async def received(sock: socket.socket, length: int) -> bytes:
    got = bytearray()
    while len(got) < length:
        part = await asyncio.get_running_loop().sock_recv(sock, 1 << 20)
        assert part
        got += part
    return bytes(got)


@pytest.mark.loops
async def test_all_of_them_arrive_in_order_and_a_full_socket_is_told() -> None:
    async with connected() as (transport, reader, theirs):
        write = _pieces.writer(transport)
        assert write is not None
        whole = b"".join(PIECES)
        write(PIECES)
        assert reader.pauses == 1
        write(PIECES)  # behind what waits
        assert await received(theirs, 2 * len(whole)) == whole + whole
        await reader.resumed.wait()
        write(PIECES[:2])
        assert await received(theirs, 300_004) == whole[:300_004]
        assert reader.pauses == 1 or not transport.get_write_buffer_size()


async def test_a_closed_socket_is_not_written_to() -> None:
    async with connected() as (transport, _reader, theirs):
        write = _pieces.writer(transport)
        assert write is not None
        transport.abort()
        await asyncio.sleep(0)
        write(PIECES)
        assert theirs.recv(10) == b""


async def test_a_socket_that_broke_ends_its_transport() -> None:
    async with connected() as (transport, _reader, theirs):
        write = _pieces.writer(transport)
        assert write is not None
        theirs.close()
        write(PIECES)
        assert transport.is_closing()


def test_what_is_no_socket_takes_only_what_is_in_one() -> None:
    assert _pieces.writer(asyncio.Transport()) is None


async def test_a_lost_socket_is_found_lost_once(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as (transport, _reader, theirs):
        write = _pieces.writer(transport)
        assert write is not None
        theirs.close()
        for _ in range(3):
            write([b"x" * 10_000] * 20)
        assert transport.is_closing()
    # One for each fifth write to what is lost.
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
