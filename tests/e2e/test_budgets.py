"""Which call ends when streams that nobody reads keep too much, and what do the others notice?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import penstock
from tests.e2e.support import Echo, connected, fill_up, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

KIB = 1024
UNARY, BOTH_STREAM = "/penstock.test.echo.Echo/Unary", "/penstock.test.echo.Echo/BothStream"
WINDOW = 64 * KIB
LIMITS = penstock.Limits(stream_window_bytes=WINDOW, send_buffer_bytes=KIB, max_receive_message_bytes=4 * KIB)


async def unread(stream: penstock.ServerStream[Note, Note]) -> None:
    """Take nothing."""
    del stream
    await asyncio.Event().wait()


class Streams:
    """Streams of a client, each with as much as it may send before somebody takes some."""

    def __init__(self, stack: AsyncExitStack, client: EchoClient) -> None:
        self._stack, self._client = stack, client
        self.open: list[penstock.BothStreamCall[Note, Note]] = []

    async def fill(self, count: int) -> None:
        for _ in range(count):
            stream = await self._stack.enter_async_context(self._client.both_stream())
            self.open.append(stream)
            try:
                await fill_up(stream)
            except penstock.ResourceExhausted:
                continue

    def ended(self) -> int:
        return sum(stream.status is not None for stream in self.open)


@asynccontextmanager
async def filled(client: EchoClient, count: int) -> AsyncIterator[Streams]:
    """Fill so many streams."""
    async with AsyncExitStack() as stack:
        streams = Streams(stack, client)
        await streams.fill(count)
        yield streams


def held(server: penstock.Server) -> int:
    return sum(connection.engine.held_bytes for connection in server._core.connections)


async def test_a_call_of_the_client_that_keeps_most_ends_and_the_others_go_on() -> None:
    # Three full windows, and not four.
    admission = penstock.Admission(max_buffered_bytes=3 * WINDOW + WINDOW // 2)
    async with (
        connected(Echo(both_stream=unread), server_limits=LIMITS, client_limits=LIMITS, admission=admission) as pair,
        penstock.Channel(pair.address, limits=LIMITS) as other,
        filled(pair.client, 3) as greedy,
    ):
        assert greedy.ended() == 0
        async with filled(EchoClient(other), 1) as modest:
            await until(lambda: greedy.ended() == 1)
            assert modest.ended() == 0
            (gone,) = [stream for stream in greedy.open if stream.status is not None]
            assert gone.status is not None
            assert gone.status.code is penstock.StatusCode.RESOURCE_EXHAUSTED
            assert held(pair.server) <= pair.server._core.memory.of_all.budget.limit_bytes
            assert pair.server._core.gatekeeper.refused == {"max_buffered_bytes": 1}
            assert pair.server._core.ends[penstock.End.LIMIT] == 1
            assert (await within_bound(pair.client.unary(Note(number=1)))).number == 1


async def test_a_client_that_fills_streams_without_end_costs_the_budget_and_no_more() -> None:
    admission = penstock.Admission(max_buffered_bytes=4 * WINDOW)
    async with (
        connected(Echo(both_stream=unread), server_limits=LIMITS, client_limits=LIMITS, admission=admission) as pair,
        penstock.Channel(pair.address, limits=LIMITS) as other,
    ):
        async with filled(EchoClient(other), 1) as modest, filled(pair.client, 40) as greedy:
            await until(lambda: greedy.ended() >= 36)
            assert modest.ended() == 0
            assert held(pair.server) <= 4 * WINDOW
            assert (await within_bound(pair.client.unary(Note(number=1)))).number == 1
        await pair.until_no_call_is_open()
        await until(lambda: pair.server._core.memory.of_all.budget.used_bytes == 0)


async def test_a_peer_pays_for_what_its_connections_keep(tmp_path: Path) -> None:
    admission = penstock.Admission(max_buffered_bytes_per_peer=3 * WINDOW + WINDOW // 2)
    server = penstock.Server([Echo(both_stream=unread)], limits=LIMITS, admission=admission)
    elsewhere = f"unix:{tmp_path / 'socket'}"
    async with server.listening("127.0.0.1:0", elsewhere) as address, AsyncExitStack() as stack:
        clients = [
            EchoClient(await stack.enter_async_context(penstock.Channel(where, limits=LIMITS)))
            for where in (elsewhere, address, address)
        ]
        other, second, first = [
            await stack.enter_async_context(filled(client, count))
            for client, count in zip(clients, (3, 1, 2), strict=True)
        ]
        assert (first.ended(), second.ended(), other.ended()) == (0, 0, 0)
        await first.fill(1)
        await until(lambda: first.ended() == 1)
        assert (second.ended(), other.ended()) == (0, 0)
        assert server.statistics().refusals == {"max_buffered_bytes_per_peer": 1}
        assert (await within_bound(clients[1].unary(Note(number=1)))).number == 1


async def test_a_method_pays_for_what_its_calls_keep(caplog: pytest.LogCaptureFixture) -> None:
    limits = {BOTH_STREAM: 2 * WINDOW + WINDOW // 2, UNARY: 1}
    admission = penstock.Admission(max_buffered_bytes_per_method=limits)
    echo = Echo(both_stream=unread, client_stream=unread)
    async with (
        connected(echo, server_limits=LIMITS, client_limits=LIMITS, admission=admission) as pair,
        penstock.Channel(pair.address, limits=LIMITS) as again,
        filled(EchoClient(again), 1) as modest,
        filled(pair.client, 1) as greedy,
        pair.client.client_stream() as unbound,
    ):
        await fill_up(unbound)
        assert (greedy.ended(), modest.ended()) == (0, 0)
        await greedy.fill(1)
        await until(lambda: greedy.ended() == 1)
        assert (unbound.status, modest.ended()) == (None, 0)
        name = f"max_buffered_bytes_per_method[{BOTH_STREAM!r}]"
        assert pair.server.statistics().refusals == {name: 1}
        (told,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert told.startswith(BOTH_STREAM)
        assert told.endswith(f"ended: LIMIT, RESOURCE_EXHAUSTED: {name}={limits[BOTH_STREAM]} is reached")
        # What one call may hold is always allowed.
        assert (await within_bound(pair.client.unary(Note(payload=bytes(3 * KIB))))).payload == bytes(3 * KIB)
        unbound.cancel()


async def test_the_budget_of_a_connection_holds_on_a_server() -> None:
    limits = penstock.Limits(
        stream_window_bytes=WINDOW,
        send_buffer_bytes=KIB,
        max_receive_message_bytes=4 * KIB,
        connection_buffer_bytes=3 * WINDOW + WINDOW // 2,
    )
    async with (
        connected(Echo(both_stream=unread), server_limits=limits, client_limits=LIMITS) as pair,
        penstock.Channel(pair.address, limits=LIMITS) as other,
        filled(EchoClient(other), 2) as elsewhere,
        filled(pair.client, 3) as greedy,
    ):
        assert greedy.ended() == 0
        await greedy.fill(1)
        await until(lambda: greedy.ended() == 1)
        assert elsewhere.ended() == 0
        assert pair.server._core.ends[penstock.End.LIMIT] == 1


async def test_the_budget_of_a_connection_holds_on_a_channel() -> None:
    async def pour(request: Note, stream: penstock.ServerStream[Any, Note]) -> None:
        del request
        while True:
            await stream.send(Note(payload=bytes(KIB)))

    limits = penstock.Limits(
        stream_window_bytes=WINDOW,
        max_receive_message_bytes=4 * KIB,
        connection_buffer_bytes=3 * WINDOW + WINDOW // 2,
    )
    async with connected(Echo(server_stream=pour), client_limits=limits) as pair, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(pair.client.server_stream(Note())) for _ in range(4)]
        await until(lambda: sum(stream.status is not None for stream in streams) == 1)
        (gone,) = [stream for stream in streams if stream.status is not None]
        assert gone.end is penstock.End.LIMIT
        with pytest.raises(penstock.ResourceExhausted) as caught:
            await within_bound(gone.receive())
        assert caught.value.origin is penstock.Origin.LOCAL
        for stream in streams:
            if stream is not gone:
                assert await within_bound(stream.receive())


class Pour:
    """Sends without end, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[penstock.RpcError] = []

    async def __call__(self, request: Note, stream: penstock.ServerStream[Any, Note]) -> None:
        del request
        try:
            while True:
                await stream.send(Note(payload=bytes(KIB)))
        except penstock.RpcError as error:
            self.told.append(error)
            raise


POURING = penstock.Limits(stream_window_bytes=KIB, send_buffer_bytes=WINDOW, max_receive_message_bytes=4 * KIB)


async def test_replies_that_clients_do_not_read_count_too() -> None:
    pour = Pour()
    admission = penstock.Admission(max_buffered_bytes=3 * WINDOW + WINDOW // 2)
    narrow = penstock.Limits(stream_window_bytes=KIB)
    async with (
        connected(Echo(server_stream=pour), server_limits=POURING, client_limits=narrow, admission=admission) as pair,
        AsyncExitStack() as stack,
    ):
        streams = [await stack.enter_async_context(pair.client.server_stream(Note())) for _ in range(4)]
        await until(lambda: pour.told)
        assert [error.code for error in pour.told] == [penstock.StatusCode.RESOURCE_EXHAUSTED]
        assert pair.server._core.memory.of_all.budget.used_bytes <= pair.server._core.memory.of_all.budget.limit_bytes
        await until(lambda: sum(stream.status is not None for stream in streams) == 1)
        assert (await within_bound(pair.client.unary(Note(number=1)))).number == 1


async def test_one_call_ends_where_the_socket_takes_nothing() -> None:
    pour = Pour()
    admission = penstock.Admission(max_buffered_bytes=3 * WINDOW + WINDOW // 2)
    wide = penstock.Limits(stream_window_bytes=2**30)
    async with (
        connected(Echo(server_stream=pour), server_limits=POURING, client_limits=wide, admission=admission) as pair,
        AsyncExitStack() as stack,
    ):
        await pair.channel.ready()
        assert pair.channel._connector is not None
        (client,) = pair.channel._connector.connections
        (server,) = pair.server._core.connections
        assert client._transport is not None
        client._transport.pause_reading()
        streams = [await stack.enter_async_context(pair.client.server_stream(Note())) for _ in range(4)]
        await until(lambda: pour.told)
        await until(lambda: server.engine.queued_bytes >= 3 * WINDOW)
        assert [error.code for error in pour.told] == [penstock.StatusCode.RESOURCE_EXHAUSTED]
        assert [stream.status for stream in streams] == [None] * 4, "nobody can have heard"
        client._transport.resume_reading()
