"""What does a client get whose calls come to nothing, and what do the clients beside it?"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Never

import pytest

import penstock
from penstock import _engine
from penstock._server_connection import ServerConnection
from penstock._transport import Transport
from tests.e2e.support import Echo, Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.stress.attacks import frames
from tests.stress.attacks.frames import Requests

SPOILING_CALLS = 300
"""More than a client may spoil in a second without being noted."""

LONG_SECONDS = 3600.0


class Spoiler:
    """A client that resets the calls it opens."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._unary, self._streaming = [Requests(method, literal=True).block() for method in ("Unary", "ServerStream")]
        self._stream = -1
        writer.write(frames.greeting())

    def _open(self, block: bytes, flags: int) -> bytes:
        self._stream += 2
        return frames.frame(frames.HEADERS, frames.END_HEADERS | flags, self._stream, block)

    def spoil(self, calls: int) -> None:
        """Open so many, and reset them."""
        pairs = (self._open(self._unary, frames.END_STREAM) + frames.reset(self._stream) for _ in range(calls))
        self.writer.write(b"".join(pairs))

    def open_stream(self, number: int) -> None:
        """Ask for so many messages."""
        opening = self._open(self._streaming, 0)
        asked = frames.message(Note(text="still served", number=number).SerializeToString())
        self.writer.write(opening + frames.frame(frames.DATA, frames.END_STREAM, self._stream, asked))

    async def ping(self) -> None:
        """Wait for the answer to a PING: all that was said before has been read."""
        self.writer.write(frames.frame(frames.PING, 0, 0, b"are you?"))
        await within_bound(self.reader.readuntil(frames.frame(frames.PING, 1, 0, b"are you?")))


@asynccontextmanager
async def spoiler(pair: Pair) -> AsyncIterator[tuple[Spoiler, ServerConnection]]:
    """A client that is noted, and the server's side of it."""
    host, _, port = pair.address.rpartition(":")
    before = set(pair.server._core.connections)
    client = Spoiler(*await asyncio.open_connection(host, int(port)))
    try:
        client.spoil(SPOILING_CALLS)
        await until(lambda: pair.server._core.abuses["rapid_reset"] == 1)
        (connection,) = pair.server._core.connections - before
        yield client, connection
    finally:
        client.writer.transport.abort()


@asynccontextmanager
async def resting(pair: Pair) -> AsyncIterator[tuple[Spoiler, ServerConnection]]:
    """The same when its connection rests, because another client is there."""
    await pair.client.unary(Note())
    async with spoiler(pair) as (client, connection):
        client.spoil(10_000)
        await pair.client.unary(Note())
        await until(lambda: connection._pause is not None)
        yield client, connection


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each rest that began."""
    seen: list[float] = []

    def begin(self: Transport, seconds: float, begin: object = Transport._on_pause) -> None:
        seen.append(seconds)
        assert callable(begin)
        begin(self, seconds)

    monkeypatch.setattr(Transport, "_on_pause", begin)
    return seen


@pytest.fixture
def long_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rest that begins ends only when a test has it end."""
    begin = Transport._on_pause
    monkeypatch.setattr(Transport, "_on_pause", lambda self, _seconds: begin(self, LONG_SECONDS))


def wake(connection: ServerConnection) -> bool:
    """End its rest, if it rests; always true."""
    if connection._pause is not None:
        connection._pause.cancel()
        connection._read_after_pause()
    return True


@pytest.mark.loops
async def test_beside_others_it_is_read_with_rests_and_all_it_says_is_read(rests: list[float]) -> None:
    async with connected() as pair:
        await pair.client.unary(Note())
        async with spoiler(pair) as (client, connection):
            for _ in range(10):
                client.spoil(1000)
                await within_bound(pair.client.unary(Note()))
            await client.ping()
            assert len(rests) > 1
            assert all(0.001 <= seconds <= 0.5 for seconds in rests)
            assert connection.engine.resets_received == SPOILING_CALLS + 10 * 1000
            client.open_stream(3)
            await client.ping()


def test_alone_it_never_rests(rests: list[float]) -> None:
    async def alone() -> None:
        async with connected() as pair, spoiler(pair) as (client, _connection):
            client.spoil(10_000)
            await client.ping()

    # In a thread of its own no other connection has been seen.
    thread = threading.Thread(target=lambda: asyncio.run(alone()))
    thread.start()
    thread.join()
    assert rests == []


@pytest.mark.loops
async def test_a_client_that_leaves_streams_that_were_open_is_no_spoiler(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as pair, penstock.Channel(pair.address) as channel, AsyncExitStack() as stack:
        for _ in range(SPOILING_CALLS):
            stream = await stack.enter_async_context(EchoClient(channel).both_stream())
            await stream.send(Note())
            await stream.receive()
        _engine.hold_time(_engine.now() + 2.0)
        try:
            await within_bound(channel.close())
            await pair.until_no_call_is_open()
        finally:
            _engine.hold_time(None)
        assert pair.server._core.ends[penstock.End.PEER_CANCELLED] == SPOILING_CALLS
        assert not pair.server._core.abuses
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.loops
@pytest.mark.usefixtures("long_rests")
async def test_what_it_is_sent_leaves_while_it_rests() -> None:
    came, go_on = asyncio.Event(), asyncio.Event()

    async def late(request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        came.set()
        await go_on.wait()
        await stream.send(request)

    async with connected(Echo(server_stream=late)) as pair:
        await pair.client.unary(Note())
        async with spoiler(pair) as (client, connection):
            client.open_stream(1)
            await until(lambda: wake(connection) and came.is_set())
            client.spoil(10_000)
            await pair.client.unary(Note())
            await until(lambda: connection._pause is not None and connection.engine.unread > 0)
            go_on.set()
            await within_bound(client.reader.readuntil(b"still served"))
            assert connection._pause is not None
            assert connection.engine.resets_received < SPOILING_CALLS + 10_000
            await until(lambda: wake(connection) and connection.engine.resets_received == SPOILING_CALLS + 10_000)


@pytest.mark.loops
@pytest.mark.usefixtures("long_rests")
@pytest.mark.parametrize("end", ["abort", "close", "the server stops", "forget"])
async def test_a_rest_ends_with_its_connection(end: str) -> None:
    async with connected() as pair, resting(pair) as (_client, connection):
        timer, transport = connection._pause, connection._transport
        assert timer is not None
        assert transport is not None
        if end == "abort":
            connection.abort("enough")
        elif end == "close":
            connection.close()
        elif end == "the server stops":
            await within_bound(pair.server.stop(grace=1))
        else:
            connection.forget()
            assert timer.cancelled()
            transport.abort()  # a child has no loop to do it
        await within_bound(connection.ended)
        assert connection._pause is None
        assert timer.cancelled()


@pytest.mark.loops
@pytest.mark.usefixtures("long_rests")
async def test_a_client_that_left_is_missed_when_the_rest_is_over() -> None:
    async with connected() as pair, resting(pair) as (client, connection):
        client.writer.transport.abort()
        await until(lambda: wake(connection) and connection.ended.done())
        assert connection._pause is None
