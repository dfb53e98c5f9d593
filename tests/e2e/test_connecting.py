"""When does a channel connect, when again, and what do calls hear meanwhile?"""

import asyncio
import itertools
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hyperframe.frame import GoAwayFrame, RstStreamFrame, SettingsFrame

import penstock
from examples.tutorial.programs import free_address
from tests.e2e.support import Echo, connected, turns, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

QUICK = penstock.Limits(reconnect_initial_seconds=0.005, reconnect_max_seconds=0.02)
PATIENT = penstock.Limits(reconnect_initial_seconds=3600, reconnect_max_seconds=3600)


async def test_nothing_connects_before_the_first_call_and_all_calls_share_one_connection(address: str) -> None:
    async with connected(address=address) as pair:
        assert (pair.channel.state, len(pair.server._core.connections)) == (penstock.ChannelState.IDLE, 0)
        replies = await asyncio.gather(*[pair.client.unary(Note(number=number)) for number in range(50)])
        assert [reply.number for reply in replies] == list(range(50))
        assert (pair.channel.state, len(pair.server._core.connections)) == (penstock.ChannelState.READY, 1)


async def test_ready_connects_before_the_first_call() -> None:
    async with connected() as pair:
        await pair.channel.ready(timeout=10)
        assert (pair.channel.state, len(pair.server._core.connections)) == (penstock.ChannelState.READY, 1)
        await pair.client.unary(Note())
        assert len(pair.server._core.connections) == 1


async def test_ready_gives_up_after_its_timeout() -> None:
    async with penstock.Channel(free_address(), limits=QUICK) as channel:
        with pytest.raises(TimeoutError):
            await channel.ready(timeout=0.03)


async def test_after_the_server_restarted_the_next_call_goes_over_a_new_connection(address: str) -> None:
    async with AsyncExitStack() as channels:
        client, bound = None, address
        for number in range(3):
            async with penstock.Server([Echo()]).listening(bound) as bound:
                if client is None:
                    channel = await channels.enter_async_context(penstock.Channel(bound, limits=QUICK))
                    client = EchoClient(channel)
                assert (await within_bound(client.unary(Note(number=number)))).number == number


async def test_a_call_whose_connection_is_lost_hears_why_and_the_next_one_connects_again() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        (connection,) = pair.server._core.connections
        assert connection._transport is not None
        connection._transport.abort()
        with pytest.raises(penstock.Unavailable, check=lambda error: error.origin is penstock.Origin.TRANSPORT):
            await within_bound(stream.receive())
        assert (await within_bound(pair.client.unary(Note(number=7)))).number == 7


async def test_a_call_to_nobody_fails_at_once_with_the_reason_as_a_connection_error(tmp_path: Path) -> None:
    for nobody, reason in ((free_address(), "refused|failed"), (f"unix:{tmp_path / 'none'}", "No such file")):
        async with penstock.Channel(nobody, limits=PATIENT) as channel:
            for _ in range(3):  # the first one tries; the next ones are told of its failure
                with pytest.raises(ConnectionError, match=f"UNAVAILABLE: cannot connect to .*{reason}") as caught:
                    await within_bound(EchoClient(channel).unary(Note()))
                assert isinstance(caught.value, penstock.Unavailable)
                assert (caught.value.retryable, caught.value.origin) == (True, penstock.Origin.TRANSPORT)
            assert channel.state is penstock.ChannelState.TRANSIENT_FAILURE


async def test_between_attempts_calls_fail_at_once_even_if_the_server_has_come_back() -> None:
    address = free_address()
    async with penstock.Channel(address, limits=PATIENT) as channel:
        client = EchoClient(channel)
        with pytest.raises(penstock.Unavailable):
            await client.unary(Note())
        server = penstock.Server([Echo()])
        async with server.listening(address):
            with pytest.raises(penstock.Unavailable):
                await within_bound(client.unary(Note()))
            assert not server._core.connections


async def test_a_streaming_call_fails_to_connect_when_its_block_is_entered() -> None:
    async with penstock.Channel(free_address()) as channel:
        for call in (EchoClient(channel).both_stream(), EchoClient(channel).server_stream(Note())):
            with pytest.raises(penstock.Unavailable, match="cannot connect"):
                async with call:
                    pytest.fail("the block was entered")


async def test_calls_that_wait_for_ready_are_served_once_the_server_listens() -> None:
    address = free_address()
    async with penstock.Channel(address, limits=QUICK) as channel:
        client = EchoClient(channel)
        calls = [asyncio.ensure_future(client.unary(Note(number=n), wait_for_ready=True)) for n in range(10)]
        await until(lambda: channel.state is penstock.ChannelState.TRANSIENT_FAILURE)
        with pytest.raises(penstock.Unavailable, match="cannot connect"):
            await within_bound(client.unary(Note()))
        assert not any(call.done() for call in calls)
        async with penstock.Server([Echo()]).listening(address):
            assert [reply.number for reply in await within_bound(asyncio.gather(*calls))] == list(range(10))


async def test_a_deadline_ends_the_wait_for_ready() -> None:
    async with penstock.Channel(free_address(), limits=PATIENT) as channel:
        with pytest.raises(penstock.DeadlineExceeded, match=r"did not end within 0\.03 s"):
            await within_bound(EchoClient(channel).unary(Note(), wait_for_ready=True, timeout=0.03))


async def test_a_cancelled_wait_for_the_connection_leaves_the_attempt_to_others() -> None:
    async with connected() as pair:
        first, second = (asyncio.ensure_future(pair.client.unary(Note(number=n))) for n in (1, 2))
        await turns(1)
        assert pair.channel.state is penstock.ChannelState.CONNECTING
        first.cancel()
        assert (await within_bound(second)).number == 2
        assert first.cancelled()
        assert len(pair.server._core.connections) == 1


async def test_pauses_between_attempts_grow() -> None:
    came: list[float] = []
    loop = asyncio.get_running_loop()

    def close_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(loop.time())
        writer.close()

    listener = await asyncio.start_server(close_at_once, "127.0.0.1", 0)
    limits = penstock.Limits(reconnect_initial_seconds=0.02, reconnect_max_seconds=0.06)
    host, port = listener.sockets[0].getsockname()
    async with penstock.Channel(f"{host}:{port}", limits=limits) as channel:
        ready = asyncio.ensure_future(channel.ready())
        await until(lambda: len(came) == 6)
        ready.cancel()
    listener.close()
    await listener.wait_closed()
    pauses = [later - earlier for earlier, later in itertools.pairwise(came)]
    least = [min(0.02 * 1.6**number, 0.06) * 0.8 - 0.002 for number in range(5)]  # uvloop counts in milliseconds
    assert all(pause >= bound for pause, bound in zip(pauses, least, strict=True)), (pauses, least)


@pytest.mark.parametrize(
    ("last_words", "reason"),
    [
        (GoAwayFrame(0, 0, 0, b"restarting").serialize(), "GOAWAY, code 0, 'restarting'"),
        (RstStreamFrame(2).serialize(), "connection lost: .*protocol error"),  # a stream that nobody opened
    ],
)
async def test_a_peer_that_ends_every_connection_before_its_first_call_is_not_asked_without_pause(
    last_words: bytes, reason: str
) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readexactly(24)
        writer.write(SettingsFrame(0).serialize() + last_words)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        async with penstock.Channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(penstock.Unavailable, match=reason):
                await within_bound(EchoClient(channel).unary(Note()))
            assert channel.state is penstock.ChannelState.TRANSIENT_FAILURE
            with pytest.raises(penstock.DeadlineExceeded):
                await within_bound(EchoClient(channel).unary(Note(), wait_for_ready=True, timeout=0.05))
    assert connections == 1


async def test_a_peer_that_accepts_and_says_nothing_fails_the_attempt() -> None:
    accepted: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _reader, writer: accepted.append(writer), "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    limits = penstock.Limits(connect_timeout_seconds=0.05)
    async with penstock.Channel(f"{host}:{port}", limits=limits) as channel:
        with pytest.raises(penstock.Unavailable, match=r"no answer within 0\.05 s"):
            await within_bound(EchoClient(channel).unary(Note()))
        connector = channel._connector
        assert connector is not None
        await until(lambda: not connector.connections)
    for writer in accepted:
        writer.close()
    listener.close()
    await listener.wait_closed()


async def test_each_channel_has_a_connection_of_its_own_and_losing_one_spares_the_others(address: str) -> None:
    async with connected(address=address) as pair, AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(penstock.Channel(pair.address)) for _ in range(5)]
        clients = [EchoClient(channel) for channel in channels]
        streams = [await stack.enter_async_context(client.both_stream()) for client in clients]
        assert len(pair.server._core.connections) == 5
        await channels[2].close()
        for number, stream in enumerate(streams):
            if number == 2:
                with pytest.raises(penstock.Cancelled):
                    await stream.receive()
            else:
                await stream.send(Note(number=number))
                assert (await within_bound(stream.receive())).number == number
        await until(lambda: len(pair.server._core.connections) == 4)
