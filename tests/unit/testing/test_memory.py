"""Is a channel in memory a channel like any other?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock import (
    Admission,
    Call,
    Channel,
    ChannelState,
    ClientKeepalive,
    DeadlineExceeded,
    Limits,
    RpcError,
    Server,
    ServerCall,
    ServerKeepalive,
    ServerStream,
    StatusCode,
    Unavailable,
    UsageError,
)
from penstock.testing import ManualClock, MemoryChannel, connected, settle
from tests.e2e.support import Echo, notes
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient


@pytest.mark.loops
async def test_every_kind_of_call_works() -> None:
    async with connected(Echo()) as channel:
        client = EchoClient(channel)
        assert await client.unary(Note(text="one")) == Note(text="one")
        async with client.server_stream(Note(number=3)) as replies:
            assert [reply.number async for reply in replies] == [0, 1, 2]
        async with client.client_stream() as upload:
            await upload.send_from(notes(3))
            assert (await upload.finish()).number == 3
        async with client.both_stream() as both:
            for note in notes(3):
                await both.send(note)
                assert await both.receive() == note
            await both.finish()
        assert isinstance(channel, Channel)


@pytest.mark.loops
async def test_messages_larger_than_what_a_wire_holds_come_whole() -> None:
    payload = bytes(range(256)) * 4 * 1024 * 3
    async with connected(Echo()) as channel:
        assert (await EchoClient(channel).unary(Note(payload=payload))).payload == payload


async def test_a_sender_waits_for_a_receiver_that_takes_nothing() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await asyncio.Event().wait()

    limits = Limits(stream_window_bytes=64 * 1024)
    async with connected(fallback=handler, server_limits=limits) as channel, channel.stream("/a.B/C") as stream:
        count = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                while True:
                    await stream.send(bytes(1024))
                    count += 1
        assert 64 <= count <= 64 + 64 + 1


async def test_a_deadline_ends_a_call() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await asyncio.Event().wait()

    async with connected(fallback=handler) as channel:
        with pytest.raises(DeadlineExceeded):
            async with channel.stream("/a.B/C", timeout=0.01) as stream:
                await stream.receive()


async def test_settings_go_to_the_side_they_are_for() -> None:
    seen: list[object] = []

    @asynccontextmanager
    async def of_the_channel(call: Call) -> AsyncIterator[None]:
        seen.append("channel")
        yield

    @asynccontextmanager
    async def of_the_server(call: Call) -> AsyncIterator[None]:
        seen.append("server")
        yield

    async def who(call: ServerCall) -> str:
        return f"{call.peer} {call.authority}"

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        seen.append(stream.identity)

    async with (
        connected(
            limits=Limits(max_send_message_bytes=1),
            server_limits=Limits(max_send_message_bytes=2),
            interceptors=[of_the_channel],
            server_interceptors=[of_the_server],
            authenticate=who,
            fallback=handler,
            authority="b:2",
        ) as channel,
        channel.stream("/a.B/C") as stream,
    ):
        await stream.finish()
        assert channel._limits.max_send_message_bytes == 1
        assert channel.server._core.limits.max_send_message_bytes == 2
    assert seen == ["channel", "server", "memory:1 b:2"]


async def test_each_connection_has_a_name_of_its_own() -> None:
    peers: list[str] = []

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        peers.append(stream.peer)

    server = Server([], fallback=handler)
    async with MemoryChannel(server) as one, MemoryChannel(server) as other:
        for channel in (one, other, one):
            async with channel.stream("/a.B/C") as stream:
                await stream.finish()
                assert stream.peer == "memory:1"
    assert peers == ["memory:1", "memory:2", "memory:1"]
    await server.stop(0)


async def test_a_lost_connection_fails_its_calls_and_the_next_call_gets_another() -> None:
    async with connected(Echo()) as channel:
        client = EchoClient(channel)
        async with client.both_stream() as stream:
            await stream.send(Note())
            await stream.receive()
            channel.links[0].client.lose(ConnectionResetError("reset"))
            with pytest.raises(Unavailable, match="reset"):
                await stream.receive()
        assert await client.unary(Note()) == Note()
        assert len(channel.links) == 2


async def test_a_silent_link_keeps_both_sides_from_each_other_until_it_comes_back() -> None:
    async with connected(Echo()) as channel, EchoClient(channel).both_stream() as stream:
        await stream.send(Note(number=1))
        await stream.receive()
        channel.links[0].go_silent()
        await stream.send(Note(number=2))
        receiving = asyncio.ensure_future(stream.receive())
        await settle()
        assert not receiving.done()
        channel.links[0].come_back()
        assert (await receiving).number == 2


async def test_attempts_fail_as_they_are_told() -> None:
    async with connected(Echo(), limits=Limits(reconnect_initial_seconds=0.001)) as channel:
        channel.failures.append(ConnectionRefusedError("refused"))
        with pytest.raises(Unavailable, match="cannot connect to memory:1: refused"):
            await EchoClient(channel).unary(Note())
        assert channel.state is ChannelState.TRANSIENT_FAILURE
        assert await EchoClient(channel).unary(Note(), wait_for_ready=True) == Note()


async def test_a_server_that_stopped_refuses_connections() -> None:
    async with connected(Echo()) as channel:
        await EchoClient(channel).unary(Note())
        await channel.server.stop(0)
        with pytest.raises(Unavailable, match="nobody listens on memory:1"):
            await EchoClient(channel).unary(Note())


async def test_leaving_the_block_ends_calls_and_stops_the_server() -> None:
    ended: list[BaseException] = []

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            ended.append(error)
            raise

    async with connected(fallback=handler) as channel:
        call = channel.stream("/a.B/C")
        await call.__aenter__()
        await settle()
    assert call.status is not None
    assert call.status.code is StatusCode.CANCELLED
    assert [type(error) for error in ended] == [asyncio.CancelledError]
    assert channel.state is ChannelState.SHUTDOWN
    assert channel.server._core.connections == set()


async def test_a_server_of_your_own_is_used_again_and_again() -> None:
    server = Server([Echo()])
    for _ in range(2):
        async with connected(server=server) as channel:
            assert channel.server is server
            assert await EchoClient(channel).unary(Note(number=1)) == Note(number=1)


async def test_a_server_of_your_own_takes_no_settings_for_another() -> None:
    with pytest.raises(UsageError, match="server= is a whole server"):
        await connected(Echo(), server=Server([])).__aenter__()
    with pytest.raises(UsageError, match="server= is a whole server"):
        await connected(server=Server([]), server_limits=Limits()).__aenter__()
    with pytest.raises(UsageError, match="server= is a whole server"):
        await connected(server=Server([]), admission=Admission()).__aenter__()


async def test_admission_and_both_keepalives_go_where_they_belong() -> None:
    admission, keepalive = Admission(max_calls=7), ServerKeepalive(time_seconds=8)
    options = {"admission": admission, "server_keepalive": keepalive, "keepalive": ClientKeepalive(time_seconds=9)}
    async with connected(Echo(), **options) as channel:  # type: ignore[arg-type] # each is of its kind
        assert channel.server._core.gatekeeper.settings is admission
        assert channel.server._core.keepalive is keepalive
        assert channel._keepalive is options["keepalive"]


async def test_there_is_no_tls() -> None:
    with pytest.raises(UsageError, match="no TLS"):
        MemoryChannel(Server([]), tls=True)


async def test_a_clock_tells_the_time_within_the_block_only() -> None:
    clock = ManualClock()
    async with connected(Echo(), clock=clock) as channel:
        sleeping = asyncio.ensure_future(asyncio.sleep(3600))  # manual time
        await EchoClient(channel).unary(Note())
        await clock.advance(3600)
        assert sleeping.done()
    with pytest.raises(UsageError, match="not in use"):
        await clock.advance(1)


async def test_credentials_may_go_to_a_server_in_the_same_process() -> None:
    async def token(call: object) -> dict[str, str]:
        return {"authorization": "t"}

    async def who(call: ServerCall) -> str:
        if call.metadata["authorization"] != "t":
            raise RpcError(StatusCode.UNAUTHENTICATED, "no")
        return "me"

    async with connected(Echo(), authenticate=who, credentials=token) as channel:
        assert await EchoClient(channel).unary(Note()) == Note()
