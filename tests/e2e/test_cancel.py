"""What is left of a call, or of a wait, that was given up?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Never

import pytest

import penstock
from tests.e2e.support import Echo, connected, notes, turns, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

NOWHERE = "127.0.0.1:1"


class Held:
    """A one → one handler that waits for ever, and keeps how it ended."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.outcome: BaseException | None = None

    async def __call__(self, request: Note, call: object) -> Note:
        del request, call
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            self.outcome = error
            raise
        return Note()


async def _cancelled(task: asyncio.Future[Any]) -> bool:
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


async def _first_of_three(client: EchoClient) -> Note:
    async with client.server_stream(Note(number=3)) as stream:
        return await stream.receive()


@pytest.mark.parametrize("seconds", [0, 1e-9, 0.0002, 0.001])
async def test_a_timeout_around_receive_leaves_the_stream_usable_and_loses_nothing(seconds: float) -> None:
    ways: list[Callable[[Any], Awaitable[Any]]] = [lambda stream: stream.receive(), anext]
    async with connected() as pair, pair.client.both_stream() as stream:
        received: list[Note] = []
        for number in range(40):
            await stream.send(Note(number=number))
            try:
                async with asyncio.timeout(seconds):
                    while len(received) <= number:
                        received.append(await ways[number % 2](stream))
            except TimeoutError:
                assert stream.status is None
        await stream.end_sending()
        received += [note async for note in stream]
        assert [note.number for note in received] == list(range(40))


async def test_a_timeout_around_receive_many_loses_nothing() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        received: list[Note] = []
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.receive_many(), 0.005)
        await stream.send_many(notes(500))
        while len(received) < 500:
            try:
                async with asyncio.timeout(0.0001):
                    received += await stream.receive_many(7)
            except TimeoutError:
                await asyncio.sleep(0)
        assert received == notes(500)


async def test_an_initial_metadata_that_is_given_up_disturbs_nobody() -> None:
    go = asyncio.Event()

    async def late(request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        await go.wait()
        await stream.send_initial_metadata({"key": "value"})
        await stream.send(request)

    async with connected(Echo(server_stream=late)) as pair, pair.client.server_stream(Note(text="reply")) as stream:
        given_up, other = (asyncio.create_task(stream.initial_metadata()) for _ in range(2))
        await turns(2)
        assert await _cancelled(given_up)
        go.set()
        assert (await within_bound(other))["key"] == "value"
        assert [reply.text async for reply in stream] == ["reply"]


async def test_a_call_cancelled_before_it_starts_never_starts() -> None:
    held = Held()
    async with connected(Echo(unary=held)) as pair:
        for connected_before in (False, True):
            unary = pair.client.unary(Note())
            unary.cancel()
            with pytest.raises(penstock.Cancelled, match="cancelled by this side"):
                await within_bound(unary)
            stream = pair.client.both_stream()
            stream.cancel()
            with pytest.raises(penstock.Cancelled, match="cancelled by this side"):
                await within_bound(stream.__aenter__())
            assert not any(pair.open_calls().values()), connected_before
            await pair.channel.ready()
        assert not held.entered.is_set()


async def test_cancelling_wakes_a_call_that_waits_for_a_connection() -> None:
    async with penstock.Channel(NOWHERE) as channel:
        client = EchoClient(channel)
        unary, stream = client.unary(Note(), wait_for_ready=True), client.both_stream(wait_for_ready=True, timeout=60)
        tasks = [asyncio.ensure_future(unary), asyncio.ensure_future(stream.__aenter__())]
        await asyncio.wait(tasks, timeout=0.01)
        unary.cancel()
        stream.cancel()
        for outcome in await within_bound(asyncio.gather(*tasks, return_exceptions=True)):
            assert isinstance(outcome, penstock.Cancelled)


async def test_a_task_cancelled_while_its_call_waits_for_a_connection_is_cancelled() -> None:
    async with penstock.Channel(NOWHERE) as channel:
        task = asyncio.ensure_future(EchoClient(channel).unary(Note(), wait_for_ready=True, timeout=60))
        await asyncio.wait([task], timeout=0.01)
        assert await _cancelled(task)


async def test_calls_cancelled_while_they_wait_for_a_place_leave_the_line() -> None:
    held = Held()
    limits = penstock.Limits(max_concurrent_streams=1)
    async with connected(Echo(unary=held), server_limits=limits) as pair:
        first = asyncio.ensure_future(pair.client.unary(Note()))
        await within_bound(held.entered.wait())
        by_task, by_call = pair.client.unary(Note()), pair.client.unary(Note())
        waiting = [asyncio.ensure_future(call) for call in (by_task, by_call)]
        last = asyncio.ensure_future(_first_of_three(pair.client))
        await turns(5)
        assert await _cancelled(waiting[0])
        by_call.cancel()
        with pytest.raises(penstock.Cancelled):
            await within_bound(waiting[1])
        assert not last.done()
        assert await _cancelled(first)
        assert (await within_bound(last)).number == 0


async def test_after_cancel_every_use_of_the_stream_raises_cancelled() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        receiving = asyncio.create_task(stream.receive())
        await turns(3)
        stream.cancel()
        uses: list[Awaitable[Any]] = [
            receiving,
            stream.receive(),
            anext(stream),
            stream.receive_many(),
            stream.send_many([Note()]),
            stream.send_from([Note()]),
            stream.initial_metadata(),
            stream.finish(),
        ]
        for use in uses:
            with pytest.raises(penstock.Cancelled, match="cancelled by this side"):
                await within_bound(use)


async def test_a_call_made_in_a_handler_ends_with_it() -> None:
    held = Held()

    async def ask_another(request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        await stream.send(await clients[0].unary(request))

    clients: list[EchoClient] = []
    async with connected(Echo(unary=held, server_stream=ask_another)) as pair:
        clients.append(pair.client)
        async with pair.client.server_stream(Note()):
            await within_bound(held.entered.wait())
        await until(lambda: held.outcome)
        assert isinstance(held.outcome, asyncio.CancelledError)
