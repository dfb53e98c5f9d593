"""How often does the event loop go round for an answer?"""

import asyncio
import selectors
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import penstock
from tests.e2e.support import Echo, connected
from tests.protos.echo_pb2 import Note

TRIPS = 200
SPARE = 20
"""What timers, and whatever else lives in the loop, may add."""


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count how often the loop of asyncio asks the system for what has happened."""
    turns = [0]
    select = selectors.EpollSelector.select

    def count(self: selectors.EpollSelector, timeout: float | None = None) -> Any:
        turns[0] += 1
        return select(self, timeout)

    with monkeypatch.context() as patch:
        patch.setattr(selectors.EpollSelector, "select", count)
        yield turns


async def test_a_message_there_and_one_back_take_a_turn_each(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        with counted(monkeypatch) as turns:
            for number in range(TRIPS):
                await stream.send(Note(number=number))
                assert (await stream.receive()).number == number
        assert turns[0] <= 2 * TRIPS + SPARE
        await stream.finish()


async def test_a_unary_call_takes_a_turn_on_each_side(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as pair:
        await pair.client.unary(Note())
        with counted(monkeypatch) as turns:
            for number in range(TRIPS):
                assert (await pair.client.unary(Note(number=number), timeout=60)).number == number
        assert turns[0] <= 2 * TRIPS + SPARE


async def test_a_sender_that_waited_for_room_goes_on_in_the_turn_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 2000
    narrow = penstock.Limits(stream_window_bytes=1024, send_buffer_bytes=1024)

    async def source(_request: Note, stream: penstock.ServerStream[Any, Note]) -> None:
        for number in range(count):
            await stream.send(Note(number=number, payload=bytes(100)))

    async with (
        connected(Echo(server_stream=source), server_limits=narrow, client_limits=narrow) as pair,
        pair.client.server_stream(Note()) as stream,
    ):
        with counted(monkeypatch) as turns:
            assert [note.number async for note in stream] == list(range(count))
        # 431 where 861 were: the sender's step and what it writes come with the read.
        assert turns[0] <= count // 4


async def replies(stream: penstock.ServerStream[Note, Note]) -> AsyncIterator[Note]:
    """Answer from where a generator stands."""
    async for note in stream:
        task = asyncio.current_task()
        yield Note(text="" if task is None else task.get_name(), number=note.number)


@pytest.mark.loops
async def test_a_handler_is_a_task_of_its_own_from_its_first_step() -> None:
    async def unary(request: Note, call: penstock.ServerCall) -> Note:
        del call
        task = asyncio.current_task()
        assert task is not None
        async with asyncio.timeout(60):  # it asks for the task it is in
            await asyncio.sleep(0)
            return Note(text=task.get_name(), number=request.number)

    async with connected(Echo(unary=unary, both_stream=replies)) as pair:
        assert (await pair.client.unary(Note())).text == "/penstock.test.echo.Echo/Unary"
        async with pair.client.both_stream() as stream:
            await stream.send(Note(number=1))
            assert (await stream.receive()).text == "/penstock.test.echo.Echo/BothStream"
            await stream.finish()
