"""Calls of a program, frame by frame: deadlines, early ends, GOAWAY, places and stream ids, on sockets."""

import asyncio
from typing import Any

import pytest

import penstock
from penstock import _client_connection
from tests.e2e.support import Echo, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.wire.engine import REQUEST, RESPONSE
from tests.wire.frames import message
from tests.wire.sockets import RawPeer, client_of, server_of

pytestmark = pytest.mark.loops

OK = [("grpc-status", "0")]
NO_ERROR, REFUSED_STREAM, CANCEL = 0, 7, 8
SOON = 0.05
BOTH = [*REQUEST[:2], (":path", "/penstock.test.echo.Echo/BothStream"), *REQUEST[3:]]


class Waiting:
    """A handler that waits for what does not come, and keeps what it is woken with."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.outcomes: list[BaseException] = []

    async def __call__(self, stream: penstock.ServerStream[Note, Note]) -> None:
        self.entered.set()
        try:
            await stream.receive()
        except BaseException as error:
            self.outcomes.append(error)
            raise


def answer(raw: RawPeer, stream: int, payload: bytes = b"") -> None:
    """Say a whole answer with one message."""
    frames = raw.frames
    raw.say(
        frames.headers(stream, RESPONSE),
        frames.data(stream, message(payload)),
        frames.headers(stream, OK, end=True),
    )


# Deadlines.


@pytest.mark.wire("W9")
@pytest.mark.parametrize("timeout", ["0n", "0S", "00000000H"])
async def test_a_call_without_any_time_reaches_no_handler(timeout: str) -> None:
    waiting = Waiting()
    async with client_of(penstock.Server([Echo(both_stream=waiting)])) as raw:
        raw.say(raw.frames.headers(1, [*BOTH, ("grpc-timeout", timeout)]))
        assert "\n  grpc-status: 4\n" in await raw.hear("Headers 1 END_STREAM")
        assert not waiting.entered.is_set()


@pytest.mark.wire("W10")
async def test_a_server_ends_a_call_at_its_deadline_by_itself() -> None:
    waiting = Waiting()
    async with client_of(penstock.Server([Echo(both_stream=waiting)])) as raw:
        raw.say(raw.frames.headers(1, [*BOTH, ("grpc-timeout", "50m")]))
        await within_bound(waiting.entered.wait())
        assert "\n  grpc-status: 4\n" in await raw.hear("Headers 1 END_STREAM")
        assert await raw.hear("RstStream") == "RstStream 1 NO_ERROR"
        await until(lambda: waiting.outcomes)
        assert isinstance(waiting.outcomes[0], penstock.DeadlineExceeded)


@pytest.mark.wire("W10", "W26")
async def test_a_client_ends_a_call_at_its_deadline_by_itself() -> None:
    async with server_of() as (channel, server):
        await channel.ready(timeout=5)
        raw = await server.connection()
        with pytest.raises(penstock.DeadlineExceeded) as caught:
            await within_bound(EchoClient(channel).unary(Note(), timeout=SOON))
        assert caught.value.origin is penstock.Origin.LOCAL
        await raw.hear("Headers 1")
        assert await raw.hear("RstStream") == "RstStream 1 CANCEL"


@pytest.mark.wire("W10")
@pytest.mark.parametrize("reset", [True, False])
async def test_a_cancellation_after_the_deadline_is_the_deadline(reset: bool) -> None:
    async with server_of() as (channel, server):
        await channel.ready(timeout=5)
        async with EchoClient(channel).both_stream(timeout=SOON) as stream:
            assert stream._deadline is not None
            deadline = stream._deadline
            deadline.unwatch(stream)  # the server is faster than our own clock
            raw = await server.connection()
            await raw.hear("Headers 1")
            await until(deadline.is_over)
            if reset:
                raw.say(raw.frames.reset(1, CANCEL))
            else:
                raw.say(raw.frames.headers(1, [*RESPONSE, ("grpc-status", "1")], end=True))
            with pytest.raises(penstock.DeadlineExceeded):
                await within_bound(stream.receive())


# Early ends.


@pytest.mark.wire("W22")
@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("reset", [True, False])
async def test_a_send_fails_with_the_status_that_came_before_the_request_was_read(begun: bool, reset: bool) -> None:
    status = [("grpc-status", "9"), ("grpc-message", "full")]
    async with server_of() as (channel, server):
        async with EchoClient(channel).both_stream() as stream:
            raw = await server.connection()
            await raw.hear("Headers 1")
            frames = [raw.frames.headers(1, RESPONSE)] if begun else []
            frames.append(raw.frames.headers(1, status if begun else [*RESPONSE, *status], end=True))
            raw.say(*frames, *([raw.frames.reset(1, NO_ERROR)] if reset else []))
            with pytest.raises(penstock.RpcError, match=r"^FAILED_PRECONDITION: full$"):
                while True:  # more than the windows take
                    await within_bound(stream.send(Note(payload=bytes(10_000))))


@pytest.mark.wire("W22")
async def test_an_answer_may_come_before_the_request_is_read() -> None:
    async with server_of() as (channel, server):
        async with EchoClient(channel).both_stream() as stream:
            raw = await server.connection()
            await raw.hear("Headers 1")
            raw.say(
                raw.frames.headers(1, RESPONSE), raw.frames.data(1, message(Note(text="early").SerializeToString()))
            )
            assert (await within_bound(stream.receive())).text == "early"
            await stream.send(Note())
            await raw.hear("Data 1")
            raw.say(raw.frames.headers(1, OK, end=True))
            with pytest.raises(penstock.EndOfStream):
                await within_bound(stream.receive())


@pytest.mark.wire("W23", "W25")
@pytest.mark.parametrize("how", ["refused", "goaway"])
async def test_a_call_that_was_surely_not_processed_says_so(how: str) -> None:
    async with server_of() as (channel, server):
        call = asyncio.ensure_future(EchoClient(channel).unary(Note()))
        raw = await server.connection()
        await raw.hear("Data 1 END_STREAM")
        raw.say(raw.frames.reset(1, REFUSED_STREAM) if how == "refused" else raw.frames.go_away(0, NO_ERROR))
        with pytest.raises(penstock.Unavailable) as caught:
            await within_bound(call)
        assert caught.value.retryable


# GOAWAY.


@pytest.mark.wire("W25")
async def test_after_a_goaway_new_calls_go_over_a_new_connection_and_open_ones_stay() -> None:
    async with server_of() as (channel, server):
        client = EchoClient(channel)
        async with client.both_stream() as stream:
            first = await server.connection()
            await first.hear("Headers 1")
            first.say(first.frames.go_away(1, NO_ERROR))
            await within_bound(stream.draining.wait())
            call = asyncio.ensure_future(client.unary(Note()))
            second = await server.connection()
            await second.hear("Data 1 END_STREAM")
            answer(second, 1, Note(text="second").SerializeToString())
            assert (await within_bound(call)).text == "second"
            await stream.send(Note(text="on the first"))
            await first.hear("Data 1")
            answer(first, 1)
            assert await within_bound(stream.receive()) == Note()
            await stream.finish()
        await first.hear_the_end()


@pytest.mark.wire("W25")
async def test_a_goaway_without_open_calls_closes_the_connection() -> None:
    async with server_of() as (channel, server):
        await channel.ready(timeout=5)
        raw = await server.connection()
        raw.say(raw.frames.go_away(0, NO_ERROR))
        await raw.hear_the_end()
        assert channel.state is penstock.ChannelState.IDLE


# Places.


@pytest.mark.wire("W43")
async def test_calls_wait_while_the_server_takes_none_and_go_when_it_does() -> None:
    async with server_of() as (channel, server):
        server.settings = {"max_concurrent_streams": 0}
        client = EchoClient(channel)
        with pytest.raises(penstock.DeadlineExceeded):
            await within_bound(client.unary(Note(), timeout=SOON))
        given_up: asyncio.Future[Any] = asyncio.ensure_future(client.unary(Note()))
        served: asyncio.Future[Any] = asyncio.ensure_future(client.unary(Note(), timeout=60))
        raw = await server.connection()
        await until(lambda: len(waiting_in_line(channel)) == 2)
        given_up.cancel()
        await asyncio.wait([given_up])
        assert given_up.cancelled()
        raw.say(raw.frames.settings(max_concurrent_streams=1))
        await raw.hear("Headers 1")
        await raw.hear("Data 1 END_STREAM")
        answer(raw, 1, Note(text="at last").SerializeToString())
        assert (await within_bound(served)).text == "at last"
        assert not any(line.startswith(("Headers", "RstStream")) for line in raw.heard)


@pytest.mark.wire("W43")
async def test_a_limit_below_what_is_open_holds_for_new_calls_only() -> None:
    async with server_of() as (channel, server):
        client = EchoClient(channel)
        async with client.both_stream() as one, client.both_stream() as two:
            raw = await server.connection()
            await raw.hear("Headers 3")
            raw.say(raw.frames.settings(max_concurrent_streams=1))
            await raw.hear("Settings ACK")
            third: asyncio.Future[Any] = asyncio.ensure_future(client.unary(Note()))
            await until(lambda: waiting_in_line(channel))
            for stream in (one, two):
                await stream.send(Note())
            await raw.hear("Data 3")
            answer(raw, 1)
            await until(lambda: one.status)
            assert waiting_in_line(channel)  # one is open still, and one is allowed
            answer(raw, 3)
            await raw.hear("Headers 5")
            answer(raw, 5)
            await within_bound(third)


def waiting_in_line(channel: penstock.Channel) -> list[Any]:
    """Give the calls that wait for a place."""
    connector = channel._connector
    newest = None if connector is None else connector.newest
    return [] if newest is None else list(newest._waiting)


# Stream ids.


@pytest.mark.wire("W45")
async def test_a_connection_whose_ids_are_nearly_used_up_takes_no_more_calls_and_keeps_those_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _client_connection.LAST_STREAM_ID == 2**31 * 3 // 4
    monkeypatch.setattr(_client_connection, "LAST_STREAM_ID", 5)
    async with server_of() as (channel, server):
        server.settings = {"max_concurrent_streams": 3}
        client = EchoClient(channel)
        async with client.both_stream() as one, client.both_stream():
            raw = await server.connection()
            await raw.hear("Headers 3")
            last: asyncio.Future[Any] = asyncio.ensure_future(client.unary(Note()))
            await raw.hear("Headers 5")
            next_one: asyncio.Future[Any] = asyncio.ensure_future(client.unary(Note()))
            second = await server.connection()
            await second.hear("Headers 1")
            answer(second, 1, Note(text="new").SerializeToString())
            assert (await within_bound(next_one)).text == "new"
            answer(raw, 5, Note(text="old").SerializeToString())
            assert (await within_bound(last)).text == "old"
            assert not one.draining.is_set()
            await one.send(Note(text="goes on"))
            await raw.hear("Data 1")
        await raw.hear_the_end()
        assert not any(line.startswith("Headers") for line in raw.heard)
        assert channel.state is penstock.ChannelState.READY


@pytest.mark.wire("W45")
async def test_calls_in_line_for_a_connection_that_is_used_up_go_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client_connection, "LAST_STREAM_ID", 3)
    async with server_of() as (channel, server):
        server.settings = {"max_concurrent_streams": 1}
        client = EchoClient(channel)
        calls: list[asyncio.Future[Any]] = [asyncio.ensure_future(client.unary(Note())) for _ in range(4)]
        first = await server.connection()
        await first.hear("Headers 1")
        await until(lambda: len(waiting_in_line(channel)) == 3)
        answer(first, 1)
        await first.hear("Headers 3")
        answer(first, 3)
        second = await server.connection()
        for stream in (1, 3):
            await second.hear(f"Headers {stream}")
            answer(second, stream)
        await within_bound(asyncio.gather(*calls))
        await first.hear_the_end()


@pytest.mark.wire("W47")
async def test_the_program_names_itself_before_the_library() -> None:
    library = f"grpc-python-penstock/{penstock.__version__}"
    for options, expected in (({}, library), ({"user_agent": "my-app/1.2"}, f"my-app/1.2 {library}")):
        async with server_of(**options) as (channel, server):
            async with EchoClient(channel).both_stream():
                raw = await server.connection()
                assert f"\n  user-agent: {expected}" in await raw.hear("Headers 1")
