"""Live streams: what is told of a call that is open, and the end that an operator gives it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import penstock.testing
from penstock import (
    Cancelled,
    Channel,
    End,
    EndOfStream,
    Kind,
    Limits,
    LiveStream,
    Server,
    ServerCall,
    ServerStream,
    Stream,
    UsageError,
    Waiting,
)
from penstock._server_connection import ServerConnection
from penstock.testing import ManualClock
from tests.unit.echo import NOTE, Blocking, echoing
from tests.unit.echo import Waiting as WaitingService
from tests.unit.memory import Ends, attach, both_ends, equipment, one_cleans_up, settle
from tests.unit.sides import FULL, Side, awaited, both_ways, hold, let_go, small_ends
from tests.wire.engine import REQUEST
from tests.wire.frames import PREFACE, Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable


PATH = "/test.Service/Method"


def server_of(ends: Ends) -> Server:
    return ends.channel.server


def look(ends: Ends, call: Stream[bytes, bytes]) -> LiveStream:
    """The one stream that is live on the side of `call`."""
    (live,) = ends.channel.streams() if call is ends.client else server_of(ends).streams()
    return live


async def test_both_sides_see_a_call_that_is_open() -> None:
    async with both_ends(timeout=100) as ends:
        client, server = look(ends, ends.client), look(ends, ends.server)
        assert (client.method, client.kind, client.peer) == (PATH, Kind.BOTH_STREAM, "memory:1")
        assert (server.method, server.kind, server.peer) == (PATH, Kind.BOTH_STREAM, "memory:1")
        assert (client.id, server.id) == (ends.client.id, ends.server.id)
        assert client.id < server.id  # later calls have greater ones
        assert 0 <= server.age_seconds <= client.age_seconds < 100
        assert client.time_remaining is not None
        assert 0 < client.time_remaining <= 100
    assert not [*ends.channel.streams()]
    assert not [*server_of(ends).streams()]


@both_ways
async def test_what_is_sent_and_what_is_received_is_counted_and_what_of_it_still_lies_there(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        hold(ends)
        sender.send_nowait(bytes(95))
        sent = look(ends, sender)
        assert (sent.messages_sent, sent.bytes_sent, sent.queued_bytes) == (1, 100, 100)
        await let_go(ends)
        sent, received = look(ends, sender), look(ends, receiver)
        assert (sent.messages_sent, sent.messages_received, sent.queued_bytes) == (1, 0, 0)
        assert (received.messages_received, received.bytes_received, received.held_bytes) == (1, 100, 100)
        assert (received.messages_sent, received.bytes_sent) == (0, 0)
        await receiver.receive()
        received = look(ends, receiver)
        assert (received.messages_received, received.held_bytes) == (1, 0)


@both_ways
async def test_a_stream_is_idle_since_its_last_message_each_way(side: Side) -> None:
    clock = ManualClock()
    async with clock, both_ends() as ends:
        sender, receiver = side(ends)
        await clock.advance(5.0)
        await sender.send(b"1")
        await settle()
        await clock.advance(2.0)
        sent, received = look(ends, sender), look(ends, receiver)
        for live in (sent, received):
            assert live.age_seconds == pytest.approx(7.0)
        for idle_seconds in (sent.idle_send_seconds, received.idle_receive_seconds):
            assert idle_seconds == pytest.approx(2.0)
        for idle_seconds in (sent.idle_receive_seconds, received.idle_send_seconds):
            assert idle_seconds == pytest.approx(7.0)


@both_ways
async def test_a_receive_waits_for_a_message(side: Side) -> None:
    async with both_ends() as ends:
        _sender, receiver = side(ends)
        assert look(ends, receiver).waits_for is Waiting.NOTHING
        receiving = asyncio.create_task(awaited(receiver.receive()))
        await settle()
        assert look(ends, receiver).waits_for is Waiting.MESSAGE
        receiving.cancel()
        await settle()
        assert look(ends, receiver).waits_for is Waiting.NOTHING


@both_ways
async def test_a_send_waits_for_room_even_if_a_receive_waits_as_well(side: Side) -> None:
    async with small_ends() as ends:
        sender, _receiver = side(ends)
        hold(ends)
        sender.send_nowait(FULL)
        receiving = asyncio.create_task(awaited(sender.receive()))
        sending = asyncio.ensure_future(sender.send(FULL))
        await settle()
        assert look(ends, sender).waits_for is Waiting.SOCKET
        await let_go(ends)
        await sending
        assert look(ends, sender).waits_for is Waiting.MESSAGE
        receiving.cancel()


async def test_a_client_that_waits_for_initial_metadata_waits_for_a_message() -> None:
    async with both_ends() as ends:
        waiting = asyncio.create_task(ends.client.initial_metadata())
        await settle()
        assert look(ends, ends.client).waits_for is Waiting.MESSAGE
        await ends.server.send_initial_metadata({})
        await waiting
        assert look(ends, ends.client).waits_for is Waiting.NOTHING


async def test_a_handler_that_goes_on_after_the_end_is_still_seen() -> None:
    async with one_cleans_up() as (channel, go_on):
        assert not [*channel.streams()]
        (live,) = channel.server.streams()
        assert live.waits_for is Waiting.ENDED
        assert not live.kill("it has ended")
        go_on.set()
        await settle()
        assert not [*channel.server.streams()]


async def test_what_a_handler_that_has_returned_left_in_the_queue_waits_for_the_socket() -> None:
    async with echoing() as (client, channel):
        server = channel.server
        async with client.server_stream(NOTE) as stream:
            channel.wires[1].hold()
            await settle()
            (live,) = server.streams()
            assert (live.state, live.waits_for) == ("finished", Waiting.SOCKET)
            assert live.queued_bytes > 0
            channel.wires[1].release()
            assert [reply.number async for reply in stream] == [0, 1]


async def test_a_send_waits_for_the_window_of_its_stream_or_of_the_whole_connection() -> None:
    async def push(stream: ServerStream[bytes, bytes]) -> None:
        while True:
            await stream.send(bytes(10_000))

    client = Peer()
    server = Server([], limits=Limits(send_buffer_bytes=10_000), fallback=push)
    connection = ServerConnection(server._core, equipment(server))
    wire = attach(connection)
    wire.arrive(PREFACE + client.settings(initial_window_size=60_000) + client.headers(1, REQUEST))
    await settle()
    (live,) = server.streams()
    assert live.waits_for is Waiting.WINDOW
    # The connection's window is 65,535 bytes as long as its client says nothing else.
    wire.arrive(client.window(1, 100_000))
    await settle()
    (live,) = server.streams()
    assert live.waits_for is Waiting.CONNECTION
    wire.arrive(client.window(0, 50_000))
    wire.hold()
    await settle()
    (live,) = server.streams()
    assert live.waits_for is Waiting.SOCKET
    assert live.bytes_sent > live.queued_bytes > 0
    await server.stop(0)


async def test_a_sync_handler_that_has_no_thread_waits_for_one() -> None:
    service = Blocking()
    async with echoing(service, server_limits=Limits(max_sync_threads=1)) as (client, channel):
        calls = [asyncio.ensure_future(client.unary(NOTE)) for _ in range(2)]
        await settle()
        await asyncio.to_thread(service.entered.wait)
        waiting = sorted(live.waits_for.value for live in channel.server.streams())
        assert waiting == [Waiting.NOTHING.value, Waiting.THREAD.value]
        service.go_on.set()
        await asyncio.gather(*calls)


async def test_a_call_outside_of_its_handler_waits_for_what_is_around_it() -> None:
    known, entered, returned, left = (asyncio.Event() for _ in range(4))

    async def authenticate(_call: ServerCall) -> None:
        await known.wait()

    @asynccontextmanager
    async def around(_call: ServerCall) -> AsyncIterator[None]:
        await entered.wait()
        yield
        await left.wait()

    async def handler(_stream: ServerStream[bytes, bytes]) -> None:
        await returned.wait()

    server = Server([], fallback=handler, interceptors=[around], authenticate=authenticate)
    seen = []
    async with penstock.testing.connected(server=server) as channel, channel.stream(PATH) as client:
        for gate in (known, entered, returned, left):
            await settle()
            seen += [live.waits_for for live in server.streams()]
            gate.set()
        with pytest.raises(EndOfStream):
            await client.receive()
    assert seen == [Waiting.AUTHENTICATE, Waiting.INTERCEPTOR, Waiting.NOTHING, Waiting.INTERCEPTOR]


@pytest.mark.parametrize("service", ["/penstock.test.echo.Echo/", ""])
async def test_streams_can_be_chosen_by_method_and_peer(service: str) -> None:
    async with echoing(WaitingService()) as (client, channel), client.both_stream(), client.server_stream(NOTE):
        await settle()
        server = channel.server
        assert kinds(server.streams(method=service)) == {Kind.BOTH_STREAM, Kind.SERVER_STREAM}
        assert kinds(channel.streams(method=service)) == {Kind.BOTH_STREAM, Kind.SERVER_STREAM}
        assert kinds(server.streams(method=service, peer="memory:")) == {Kind.BOTH_STREAM, Kind.SERVER_STREAM}
        assert kinds(server.streams(method="/penstock.test.echo.Echo/Both")) == {Kind.BOTH_STREAM}
        assert kinds(channel.streams(method="/penstock.test.echo.Echo/Both")) == {Kind.BOTH_STREAM}
        assert not kinds(server.streams(peer="elsewhere:"))
        assert not kinds(server.streams(method="/other.Service/"))


def kinds(streams: Iterable[LiveStream]) -> set[Kind]:
    return {live.kind for live in streams}


@both_ways
async def test_what_ended_while_streams_are_looked_at_is_left_out(side: Side) -> None:
    async with echoing(WaitingService()) as (client, channel):
        calls = [client.both_stream() for _ in range(3)]
        for call in calls:
            await call.__aenter__()
        await settle()
        looking = channel.streams() if side.__name__ == "from_client" else channel.server.streams()
        first = next(looking)
        for live in channel.streams():
            live.kill("it has been seen")
        await settle()
        assert [*looking] == []
        assert not first.kill("again")
        for call in calls:
            await call.__aexit__(None, None, None)


@both_ways
async def test_killing_ends_a_call_on_both_sides_once(side: Side) -> None:
    async with both_ends() as ends:
        killer, other = side(ends)
        live = look(ends, killer)
        assert live.kill("too old")
        assert killer.status is not None
        assert killer.status.message == "killed by the operator: too old"
        with pytest.raises(Cancelled, match="killed by the operator: too old"):
            await killer.receive()
        await settle()
        with pytest.raises(Cancelled):
            await other.receive()
        assert not live.kill("again")
        assert not [*ends.channel.streams()]


@both_ways
async def test_the_log_says_once_who_was_killed_and_why(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    async with both_ends() as ends:
        killer, _other = side(ends)
        look(ends, killer).kill("too old")
        await settle()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith(PATH)
    assert warnings[0].endswith("ended: KILLED, CANCELLED: killed by the operator: too old")


async def test_a_client_is_told_why_the_server_killed_its_call() -> None:
    async with both_ends() as ends:
        look(ends, ends.server).kill("too old")
        with pytest.raises(Cancelled, match="killed by the operator: too old"):
            await ends.client.receive()


async def test_a_call_that_is_gone_cannot_be_killed() -> None:
    async with both_ends() as ends:
        live = look(ends, ends.client)
    del ends
    await settle()
    assert not live.kill("it is gone")


@both_ways
async def test_killing_is_for_the_loop_and_needs_a_reason(side: Side) -> None:
    async with both_ends() as ends:
        killer, _other = side(ends)
        live = look(ends, killer)
        with pytest.raises(UsageError, match=r"loop.call_soon_threadsafe\(stream.kill, reason\)"):
            await asyncio.to_thread(live.kill, "too old")
        none: Any = None
        with pytest.raises(UsageError, match=r"^reason is text, .* not None$"):
            live.kill(none)
        assert killer.status is None
        asyncio.get_running_loop().call_soon_threadsafe(live.kill, "too old")
        await settle()
        assert killer.end is End.KILLED


async def test_a_picture_cannot_be_changed_and_shows_no_private_part() -> None:
    async with both_ends() as ends:
        live = look(ends, ends.client)
        assert "_call" not in repr(live)
        change: Any = live
        with pytest.raises(AttributeError):
            change.method = "another"


def test_a_channel_without_a_connection_has_no_streams() -> None:
    assert [*Channel("localhost:1").streams()] == []
