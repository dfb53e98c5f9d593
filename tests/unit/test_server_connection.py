"""A server's side of a connection: its calls, and those that never get so far."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from penstock import Admission, End, Limits, RpcError, Server, ServerStream, StatusCode
from penstock._server_connection import ServerConnection
from tests.unit.memory import Wire, attach, both_ends, connected, equipment, settle
from tests.wire.engine import REQUEST
from tests.wire.frames import PREFACE, Peer

SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


async def nothing(stream: ServerStream[bytes, bytes]) -> None:
    """A handler."""


@asynccontextmanager
async def alone(
    limits: Limits | None = None,
    handler: Callable[[ServerStream[bytes, bytes]], Awaitable[None]] = nothing,
    admission: Admission | None = None,
) -> AsyncIterator[tuple[ServerConnection, Wire]]:
    """Give a connection whose client says only what the test lets it say."""
    server = Server([], limits=limits, admission=admission, fallback=handler)
    connection = ServerConnection(server._core, equipment(server))
    yield connection, attach(connection)
    await server.stop(0)
    assert connection.ended.done()


async def test_a_server_knows_its_connections_from_socket_to_end() -> None:
    async with alone() as (connection, wire):
        assert connection._core.connections == {connection}
        wire.lose(None)
        assert connection._core.connections == set()


async def test_a_client_that_says_nothing_is_closed_in_time() -> None:
    async with alone(Limits(handshake_timeout_seconds=0.001)) as (connection, _wire):
        await connection.ended
        assert connection.reason == "the handshake took too long"


@pytest.mark.parametrize("said", [PREFACE[:-1], PREFACE, PREFACE + SETTINGS[:-1]])
async def test_a_client_that_says_only_a_part_is_closed_in_time(said: bytes) -> None:
    async with alone(Limits(handshake_timeout_seconds=0.001)) as (connection, wire):
        wire.arrive(said)
        await connection.ended
        assert connection.reason == "the handshake took too long"


async def test_a_client_that_said_its_preface_is_not_timed_any_more() -> None:
    async with alone() as (connection, wire):
        assert len(connection._equipment.connection_timers) == 1
        waiting = connection._among
        wire.arrive(PREFACE + SETTINGS)
        await settle()
        assert connection not in waiting


async def test_a_lost_connection_is_not_timed_any_more() -> None:
    async with alone() as (connection, wire):
        wire.lose(None)
        assert len(connection._equipment.connection_timers) == 0


async def test_shutting_down_says_goaway_or_before_the_preface_just_closes() -> None:
    async with alone() as (connection, wire):
        before = len(wire.written)
        connection.shut_down()
        await connection.ended
        assert len(wire.written) == before
    async with alone() as (connection, wire):
        wire.arrive(PREFACE + SETTINGS)
        await settle()
        before = len(wire.written)
        connection.shut_down()
        await settle()
        assert wire.written[before + 3] == 7, "a GOAWAY frame"
        assert not connection.ended.done()


async def test_a_foreign_client_is_answered_logged_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    async with alone() as (connection, wire):
        wire.arrive(b"GET / HTTP/1.1\r\n\r\n")
        await connection.ended
        assert b"505 HTTP Version Not Supported" in wire.written
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["memory:1: the peer speaks HTTP/1, not HTTP/2; closed"]


async def test_an_unknown_method_is_answered_and_no_task_is_made() -> None:
    async with connected() as channel, channel.stream("/no.Such/Method") as call:
        with pytest.raises(RpcError, match=r"UNIMPLEMENTED: unknown method /no\.Such/Method"):
            await call.receive()
        (connection,) = channel.server._core.connections
        assert (connection.calls, connection.engine.open_calls) == (set(), 0)


async def test_a_call_whose_time_is_over_when_it_comes_never_reaches_its_handler() -> None:
    reached: list[ServerStream[bytes, bytes]] = []

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        reached.append(stream)

    client = Peer()
    async with alone(handler=handler) as (connection, wire):
        late, in_time = [*REQUEST, ("grpc-timeout", "0n")], [*REQUEST, ("grpc-timeout", "1H")]
        wire.arrive(PREFACE + SETTINGS + client.headers(1, late) + client.headers(3, in_time))
        await settle()
        assert [stream._id for stream in reached] == [3]
        (answer,) = [line for line in client.read(bytes(wire.written)) if line.startswith("Headers 1 ")]
        assert "grpc-status: 4" in answer
        assert connection.engine.open_calls == 0


async def test_a_call_is_counted_until_it_is_over_and_its_handler_has_ended() -> None:
    go_on = asyncio.Event()

    async def stubborn(_stream: ServerStream[bytes, bytes]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await go_on.wait()

    async with connected(fallback=stubborn) as channel:
        async with channel.stream("/a.B/C"):
            await settle()
            (connection,) = channel.server._core.connections
            (call,) = connection.calls
        await settle()
        assert call.status is not None
        assert call.status.code is StatusCode.CANCELLED
        assert (connection.calls, connection.engine.open_calls) == ({call}, 0)
        go_on.set()
        await settle()
        assert connection.calls == set()


async def test_a_call_that_is_released_twice_gives_its_place_back_once() -> None:
    async with both_ends() as ends:
        connection = ends.server._connection
        keeper = connection._core.gatekeeper
        assert (keeper.calls.taken, keeper.streams.taken) == (1, 1)
        connection.release(ends.server)
        assert (keeper.calls.taken, keeper.streams.taken) == (0, 0)
        connection.release(ends.server)
        assert (keeper.calls.taken, keeper.streams.taken) == (0, 0)


async def test_calls_that_are_reset_as_fast_as_they_come_never_run_more_handlers_than_the_limit() -> None:
    running = most = began = 0

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        nonlocal running, most, began
        began, running = began + 1, running + 1
        most = max(most, running)
        try:
            await stream.receive()
        finally:
            try:
                await asyncio.sleep(0)  # it has something to clean up
            finally:
                running -= 1

    client = Peer()
    async with alone(handler=handler, admission=Admission(max_calls_per_connection=20)) as (connection, wire):
        wire.arrive(PREFACE + SETTINGS)
        for first in (1, 201):
            numbers = range(first, first + 200, 2)
            # Apart: of a call that is reset in the read that brought it nobody would hear.
            wire.arrive(b"".join(client.headers(number, REQUEST) for number in numbers))
            wire.arrive(b"".join(client.reset(number, 8) for number in numbers))
            await settle()
        assert (began, most, running) == (40, 20, 0)
        core = connection._core
        refused = core.gatekeeper.refused["max_calls_per_connection"]
        assert 150 < refused <= 160  # reads are looked at in steps, so an end may come with its beginning
        assert (core.ends[End.PEER_CANCELLED], core.ends[End.REFUSED]) == (40, refused)
        assert connection.calls == set()


async def test_a_handler_can_see_that_the_server_drains() -> None:
    async with both_ends() as ends:
        assert not ends.server.draining.is_set()
        (connection,) = ends.channel.server._core.connections
        connection.shut_down()
        await ends.server.draining.wait()
