"""Can an operator see what every call waits for, and end it there?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import penstock
from penstock import Waiting
from tests.e2e.support import (
    TINY,
    Echo,
    Gate,
    Pair,
    connected,
    fill_up,
    until,
    within_bound,
)
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

ONE = penstock.Limits(max_concurrent_streams=1)
KILLED = "killed by the operator: enough"


async def seen(streams: Callable[[], Iterator[penstock.LiveStream]], waits_for: Waiting) -> penstock.LiveStream:
    """Wait until the only stream that is open waits for this."""
    found: list[penstock.LiveStream] = []

    def look() -> bool:
        found[:] = streams()
        return [live.waits_for for live in found] == [waits_for]

    await until(look, lambda: f"these are open: {found}")
    return found[0]


async def killed_by_client(call: Awaitable[object]) -> None:
    """Expect the outcome of a call that was killed on its own side."""
    with pytest.raises(penstock.Cancelled, match=KILLED) as caught:
        await within_bound(call)
    assert caught.value.origin is penstock.Origin.LOCAL


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accept connections and say nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def test_a_call_that_waits_for_a_connection_is_seen_and_killed() -> None:
    async with silent_server() as address, penstock.Channel(address) as channel:
        call = asyncio.ensure_future(EchoClient(channel).unary(Note()))
        live = await seen(channel.streams, Waiting.CONNECTING)
        assert (live.kind, live.peer) == (penstock.Kind.UNARY, address)
        assert live.kill("enough")
        await killed_by_client(call)
        assert not [*channel.streams()]
        assert not live.kill("again")


async def test_a_call_that_waits_for_a_place_is_seen_and_killed() -> None:
    async with connected(server_limits=ONE) as pair, pair.client.both_stream() as first:
        await first.send(Note())
        await first.receive()
        call = asyncio.ensure_future(pair.client.unary(Note()))
        unary = "/penstock.test.echo.Echo/Unary"
        live = await seen(lambda: pair.channel.streams(method=unary), Waiting.PLACE)
        assert len([*pair.channel.streams()]) == 2
        assert len([*pair.server.streams()]) == 1
        assert live.kill("enough")
        await killed_by_client(call)
        await first.send(Note(number=2))
        assert (await first.receive()).number == 2


async def for_ever(_call: object) -> dict[str, str]:
    await asyncio.Event().wait()
    return {}


@asynccontextmanager
async def entering(call: object) -> AsyncIterator[None]:
    await for_ever(call)
    yield


@pytest.mark.parametrize(
    ("options", "waits_for"),
    [({"interceptors": [entering]}, Waiting.INTERCEPTOR), ({"credentials": for_ever}, Waiting.CREDENTIALS)],
)
async def test_a_call_that_is_held_up_before_it_is_sent_is_seen_and_killed(
    options: dict[str, Any], waits_for: Waiting
) -> None:
    async with connected() as pair, penstock.Channel(pair.address, **options) as channel:
        call = asyncio.ensure_future(EchoClient(channel).unary(Note()))
        live = await seen(channel.streams, waits_for)
        assert live.kill("enough")
        await killed_by_client(call)


class Handler:
    """A handler that does one thing, and what came of it."""

    def __init__(self, do: Callable[[Any], Awaitable[object]]) -> None:
        self.do = do
        self.outcome: BaseException | None = None
        self.ended = asyncio.Event()

    async def __call__(self, stream: "penstock.ServerStream[Note, Note]") -> None:
        try:
            await self.do(stream)
        except BaseException as error:
            self.outcome = error.with_traceback(None)
            raise
        finally:
            self.ended.set()


async def compute(_stream: object) -> None:
    await asyncio.Event().wait()


async def receive(stream: "penstock.ServerStream[Note, Note]") -> None:
    await stream.receive()


async def send(stream: "penstock.ServerStream[Note, Note]") -> None:
    while True:
        await stream.send(Note(payload=bytes(512)))


STATES = [
    pytest.param(compute, Waiting.NOTHING, asyncio.CancelledError, id="while-it-computes"),
    pytest.param(receive, Waiting.MESSAGE, penstock.Cancelled, id="before-the-first-message"),
    pytest.param(send, Waiting.WINDOW, penstock.Cancelled, id="while-it-waits-to-send"),
]


@asynccontextmanager
async def one_call(
    handler: Handler,
) -> AsyncIterator[tuple[Pair, "penstock.BothStreamCall[Note, Note]"]]:
    service = Echo(both_stream=handler)
    async with (
        connected(service, server_limits=TINY, client_limits=TINY) as pair,
        pair.client.both_stream() as stream,
    ):
        yield pair, stream


@pytest.mark.parametrize(("do", "waits_for", "outcome"), STATES)
async def test_a_handler_is_ended_where_it_is(
    do: Callable[[Any], Awaitable[object]], waits_for: Waiting, outcome: type[BaseException]
) -> None:
    handler = Handler(do)
    async with one_call(handler) as (pair, stream):
        live = await seen(pair.server.streams, waits_for)
        assert live.kill("enough")
        assert not live.kill("again")
        await within_bound(handler.ended.wait())
        assert type(handler.outcome) is outcome
        with pytest.raises(penstock.Cancelled, match=KILLED) as caught:
            while True:
                await within_bound(stream.receive())
        assert caught.value.origin is penstock.Origin.REMOTE
        await pair.until_no_call_is_open()


@pytest.mark.parametrize(("do", "waits_for", "outcome"), STATES)
async def test_a_client_that_kills_its_call_ends_the_handler_where_it_is(
    do: Callable[[Any], Awaitable[object]], waits_for: Waiting, outcome: type[BaseException]
) -> None:
    handler = Handler(do)
    async with one_call(handler) as (pair, stream):
        await seen(pair.server.streams, waits_for)
        (live,) = pair.channel.streams()
        assert live.kill("enough")
        await within_bound(handler.ended.wait())
        assert type(handler.outcome) is outcome
        await killed_by_client(stream.receive())
        await pair.until_no_call_is_open()


async def test_a_client_that_waits_to_send_is_killed_there() -> None:
    gate = Gate()
    async with one_call(Handler(gate)) as (pair, stream):
        await fill_up(stream)
        sending = asyncio.ensure_future(stream.send(Note(payload=bytes(512))))
        live = await seen(pair.channel.streams, Waiting.WINDOW)
        assert live.queued_bytes > 0
        (of_server,) = pair.server.streams()
        assert of_server.held_bytes > 0
        assert live.kill("enough")
        await killed_by_client(sending)
        await pair.until_no_call_is_open()


async def test_streams_can_be_looked_at_while_they_come_and_go() -> None:
    looks = 0

    async def look_on(pair: Pair) -> None:
        nonlocal looks
        while True:
            for streams in (pair.server.streams, pair.channel.streams):
                for live in streams():
                    assert live.age_seconds >= 0
                    await asyncio.sleep(0)
                    looks += 1
            await asyncio.sleep(0)

    async def call(pair: Pair, number: int) -> None:
        async with pair.client.both_stream() as stream:
            for _ in range(number % 5):
                await stream.send(Note())
                await stream.receive()

    async with connected() as pair:
        looking = asyncio.ensure_future(look_on(pair))
        while looks < 1000:
            await within_bound(asyncio.gather(*(call(pair, number) for number in range(50))))
            assert not looking.done()
        looking.cancel()
