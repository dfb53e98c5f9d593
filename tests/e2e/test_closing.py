"""What do calls hear whose channel is closed, whatever they are doing?"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Never

import pytest

import penstock
from examples.tutorial.programs import free_address
from tests.e2e.support import TINY, Echo, Gate, Pair, connected, fill_up, turns, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

ONE = penstock.Limits(max_concurrent_streams=1)


async def receiving(pair: Pair) -> None:
    async with pair.client.both_stream() as stream:
        await stream.receive()


async def iterating(pair: Pair) -> None:
    async with pair.client.both_stream() as stream:
        async for _ in stream:
            pass


async def sending(pair: Pair) -> None:
    async with pair.client.both_stream() as stream:
        await fill_up(stream)
        while True:
            await stream.send(Note(payload=bytes(512)))


async def awaiting_the_head(pair: Pair) -> None:
    async with pair.client.both_stream() as stream:
        await stream.initial_metadata()


async def finishing(pair: Pair) -> None:
    async with pair.client.client_stream(metadata={"wait": "yes"}) as stream:
        await stream.finish()


async def _wait(stream: "penstock.ServerStream[Note, Any]") -> Note:
    del stream
    await asyncio.Event().wait()
    return Note()


@pytest.mark.parametrize("doing", [receiving, iterating, sending, awaiting_the_head, finishing])
async def test_an_open_call_is_cancelled_on_both_sides_when_its_channel_closes_while(doing: Any) -> None:
    gate = Gate()
    service = Echo(both_stream=gate, client_stream=_wait)
    async with connected(service, server_limits=TINY, client_limits=TINY) as pair:
        call = asyncio.ensure_future(doing(pair))
        await until(lambda: pair.open_calls()["server"] == 1)
        await turns(3)
        await within_bound(pair.channel.close())
        with pytest.raises(penstock.Cancelled):
            await within_bound(call)
        await pair.until_no_call_is_open()
        await until(lambda: not pair.server._core.connections)


async def _ends_with(call: Coroutine[Any, Any, Any] | asyncio.Future[Any], text: str) -> None:
    with pytest.raises(penstock.Cancelled, match=text):
        await within_bound(call)


async def test_calls_that_wait_for_a_place_are_cancelled_when_the_channel_closes() -> None:
    async with connected(Echo(both_stream=Gate()), server_limits=ONE) as pair:
        first = asyncio.ensure_future(receiving(pair))
        await until(lambda: pair.open_calls()["server"] == 1)
        waiting = [asyncio.ensure_future(pair.client.unary(Note())) for _ in range(5)]
        await turns(3)
        await within_bound(pair.channel.close())
        await _ends_with(first, "the channel is closed")
        for call in waiting:
            await _ends_with(call, "the channel is closed")
        assert pair.channel.state is penstock.ChannelState.SHUTDOWN


@pytest.mark.parametrize("wait_for_ready", [True, False])
async def test_calls_that_wait_for_a_connection_are_cancelled_when_the_channel_closes(wait_for_ready: bool) -> None:
    accepted: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: accepted.append(writer), "127.0.0.1", 0)
    host, port = silent.sockets[0].getsockname()
    channel = penstock.Channel(f"{host}:{port}")
    client = EchoClient(channel)
    call = asyncio.ensure_future(client.unary(Note(), wait_for_ready=wait_for_ready))
    ready = asyncio.ensure_future(channel.ready())
    await until(lambda: accepted)
    await within_bound(channel.close())
    await _ends_with(call, "the channel is closed")
    await _ends_with(ready, "the channel is closed")
    for writer in accepted:
        writer.close()
    silent.close()
    await silent.wait_closed()


@pytest.mark.parametrize("around", ["interceptors", "credentials"])
async def test_calls_that_wait_inside_what_is_around_them_are_cancelled_when_the_channel_closes(around: str) -> None:
    async def waits(_call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
        await asyncio.Event().wait()
        return {}

    @asynccontextmanager
    async def waiting(call: penstock.Call) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    options: dict[str, Any] = {"interceptors": [waiting]} if around == "interceptors" else {"credentials": waits}
    channel = penstock.Channel(free_address(), **options)

    async def enter() -> None:
        async with channel.stream("/a.B/C"):
            pytest.fail("the block was entered")

    async def ask() -> None:
        await EchoClient(channel).unary(Note())

    calls = [asyncio.ensure_future(enter()), asyncio.ensure_future(ask())]
    await turns(5)
    await within_bound(channel.close())
    for call in calls:
        await _ends_with(call, "the channel is closed")


@pytest.mark.parametrize("turns_between", range(12))
async def test_a_channel_may_close_at_any_moment_of_its_connecting(turns_between: int, address: str) -> None:
    async with connected(address=address) as pair:
        channel = penstock.Channel(pair.address, **pair.secure)
        call = asyncio.ensure_future(EchoClient(channel).unary(Note()))
        await turns(turns_between)
        await within_bound(channel.close())
        await within_bound(asyncio.wait([call]))
        assert isinstance(call.exception(), penstock.Cancelled | penstock.UsageError | None)
        await until(lambda: not pair.server._core.connections)


async def test_calls_that_wait_for_the_next_attempt_are_cancelled_when_the_channel_closes() -> None:
    channel = penstock.Channel(free_address(), limits=penstock.Limits(reconnect_initial_seconds=3600))
    call = asyncio.ensure_future(EchoClient(channel).unary(Note(), wait_for_ready=True))
    await until(lambda: channel.state is penstock.ChannelState.TRANSIENT_FAILURE)
    await within_bound(channel.close())
    await _ends_with(call, "the channel is closed")


async def test_a_closed_channel_takes_no_calls_and_may_be_closed_again() -> None:
    async with connected() as pair:
        await pair.client.unary(Note())
        early = pair.client.both_stream()
        await asyncio.gather(pair.channel.close(), pair.channel.close())
        await pair.channel.close()
        with pytest.raises(penstock.UsageError, match="the channel is closed"):
            await pair.client.unary(Note())
        with pytest.raises(penstock.UsageError, match="the channel is closed"):
            async with early:
                pytest.fail("the block was entered")
        with pytest.raises(penstock.UsageError, match="the channel is closed"):
            await pair.channel.ready()
        await until(lambda: not pair.server._core.connections)


async def test_a_channel_that_was_never_used_closes_too() -> None:
    channel = penstock.Channel("127.0.0.1:1")
    states = [channel.state]
    await channel.close()
    states.append(channel.state)
    assert states == [penstock.ChannelState.IDLE, penstock.ChannelState.SHUTDOWN]


async def test_the_last_words_of_a_call_reach_the_server_before_the_channel_closes() -> None:
    heard: list[int] = []

    async def hear(stream: "penstock.ServerStream[Note, Never]") -> Note:
        heard.extend([note.number async for note in stream])
        return Note(number=len(heard))

    async with connected(Echo(client_stream=hear)) as pair:
        async with penstock.Channel(pair.address, **pair.secure) as channel:
            async with EchoClient(channel).client_stream() as stream:
                await stream.send_many([Note(number=number) for number in range(1000)])
                assert (await stream.finish()).number == 1000
        await until(lambda: not pair.server._core.connections)
        assert heard == list(range(1000))
