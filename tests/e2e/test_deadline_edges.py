"""What of deadlines at their edges: very long ones, those handed on, and what happens a moment before or after?"""

import asyncio
from collections.abc import AsyncIterator
from typing import Never

import pytest

import penstock
from tests.e2e.support import Echo, Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

NOWHERE = "127.0.0.1:1"


class Seen:
    """A handler that notes the time it has; it may be told to hang, or to ask the server once more."""

    def __init__(self) -> None:
        self.remaining: list[float | None] = []
        self.client: EchoClient | None = None

    async def __call__(self, request: Note, call: penstock.ServerCall) -> Note:
        self.remaining.append(call.time_remaining)
        if request.text == "hang":
            await asyncio.Event().wait()
        if request.text == "ask":
            assert self.client is not None
            return await self.client.unary(Note(text="hang"))
        return request


@pytest.mark.parametrize("seconds", [0.25, 1.5, 60, 3600, 86_400 * 365])
async def test_the_server_knows_what_is_left_in_whatever_unit_it_travels(seconds: float) -> None:
    seen = Seen()
    async with connected(Echo(unary=seen)) as pair:
        await pair.client.unary(Note(), timeout=seconds)
    (left,) = seen.remaining
    assert left is not None
    # A long one travels in a coarser unit, rounded up.
    assert seconds - 0.2 < left <= seconds * 1.0001


@pytest.mark.parametrize("seconds", [1e9, 1e12, 1e15, 1e300])
async def test_a_timeout_beyond_what_the_wire_can_say_is_no_failure(seconds: float) -> None:
    seen = Seen()
    async with connected(Echo(unary=seen)) as pair:
        assert (await within_bound(pair.client.unary(Note(number=1), timeout=seconds))).number == 1
    (left,) = seen.remaining
    assert left is None or left > 1e8


async def test_many_deadlines_end_each_its_own_call_in_order() -> None:
    ended: list[int] = []

    async def ask(pair: Pair, number: int) -> None:
        with pytest.raises(penstock.DeadlineExceeded):
            await pair.client.unary(Note(text="hang"), timeout=0.05 + 0.01 * number)
        ended.append(number)

    async with connected(Echo(unary=Seen())) as pair, asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        await pair.channel.ready()
        for number in range(20):
            for _ in range(10):
                tasks.create_task(ask(pair, number))
    assert ended == sorted(ended)
    assert len(ended) == 200


async def test_a_loop_that_reads_gets_every_reply_before_the_missed_deadline() -> None:
    received: list[Note] = []

    async def some(_request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        for number in range(5):
            await stream.send(Note(number=number))
        await asyncio.Event().wait()

    async def read(stream: penstock.ServerStreamCall[Note]) -> None:
        while True:
            received.append(await stream.receive())

    async with connected(Echo(server_stream=some)) as pair, pair.client.server_stream(Note(), timeout=0.2) as stream:
        with pytest.raises(penstock.DeadlineExceeded):
            await within_bound(read(stream))
    assert [reply.number for reply in received] == [0, 1, 2, 3, 4]


async def test_the_time_a_call_waited_to_begin_is_gone_for_the_server() -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    seen: list[float | None] = []

    async def hold(request: Note, call: penstock.ServerCall) -> Note:
        seen.append(call.time_remaining)
        entered.set()
        await leave.wait()
        return request

    limits = penstock.Limits(max_concurrent_streams=1)
    async with connected(Echo(unary=hold), server_limits=limits) as pair:
        first = asyncio.ensure_future(pair.client.unary(Note()))
        await within_bound(entered.wait())
        waiting = asyncio.ensure_future(pair.client.unary(Note(), timeout=60))
        await asyncio.wait([waiting], timeout=0.05)
        leave.set()
        await within_bound(asyncio.gather(first, waiting))
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1] <= 59.97


async def test_a_generator_inherits_the_deadline_of_its_call() -> None:
    seen = Seen()
    clients: list[EchoClient] = []

    async def replies(request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        yield await clients[0].unary(request)
        yield await clients[0].unary(request)

    async with connected(Echo(unary=seen, server_stream=replies)) as pair:
        clients.append(pair.client)
        async with pair.client.server_stream(Note(), timeout=50) as stream:
            assert len([reply async for reply in stream]) == 2
    assert len(seen.remaining) == 2
    assert all(left is not None and 45 < left < 51 for left in seen.remaining)


async def test_a_missed_deadline_that_was_inherited_is_the_clients_own(caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    async with connected(Echo(unary=seen)) as pair:
        seen.client = pair.client
        # Timers are rounded, and the inner one may come first: each of these has another remainder.
        calls = [pair.client.unary(Note(text="ask"), timeout=0.1 + number * 0.0037) for number in range(50)]
        for outcome in await within_bound(asyncio.gather(*calls, return_exceptions=True)):
            assert isinstance(outcome, penstock.DeadlineExceeded)
    assert "the handler raised" not in caplog.text


async def test_it_is_the_clients_own_too_while_the_inner_call_waits_for_a_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with penstock.Channel(NOWHERE) as nowhere:

        async def ask_nobody(request: Note, _call: penstock.ServerCall) -> Note:
            return await EchoClient(nowhere).unary(request, wait_for_ready=True)

        async with connected(Echo(unary=ask_nobody)) as pair:
            calls = [pair.client.unary(Note(), timeout=0.1 + number * 0.0037) for number in range(20)]
            for outcome in await within_bound(asyncio.gather(*calls, return_exceptions=True)):
                assert isinstance(outcome, penstock.DeadlineExceeded)
    assert "the handler raised" not in caplog.text


async def test_what_fails_after_the_deadline_of_its_call_failed_for_want_of_time() -> None:
    entered = asyncio.Event()

    async def late(_request: Note, call: penstock.ServerCall) -> Note:
        assert call._deadline is not None
        call._deadline.unwatch(call)  # as if the timer came a moment later
        entered.set()
        await until(call._deadline.is_over)
        raise LookupError

    async with connected(Echo(unary=late)) as pair:
        call = pair.client.unary(Note(), timeout=0.2)
        task = asyncio.ensure_future(call)
        await within_bound(entered.wait())
        assert call._deadline is not None
        call._deadline.unwatch(call)
        with pytest.raises(penstock.DeadlineExceeded) as caught:
            await within_bound(task)
        assert caught.value.origin is penstock.Origin.REMOTE


async def test_a_handler_that_is_woken_has_no_time_left_and_did_not_fail(caplog: pytest.LogCaptureFixture) -> None:
    left: list[float | None] = []

    async def wait(stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            await stream.receive()
        finally:
            left.append(stream.time_remaining)

    async with connected(Echo(both_stream=wait)) as pair:
        async with pair.client.both_stream(timeout=0.2) as stream:
            assert stream._deadline is not None
            stream._deadline.unwatch(stream)  # the server's own is meant
            await until(lambda: stream.status is not None)
        await until(lambda: left)
    assert left == [0.0]
    assert "the handler raised" not in caplog.text
