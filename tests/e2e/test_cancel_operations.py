"""Is a stream whole after one of its operations was cancelled, at whichever await?"""

import asyncio
from collections.abc import Awaitable
from functools import partial
from itertools import count, cycle, islice
from typing import Any

import pytest

import penstock
from penstock import _engine
from tests.e2e.support import (
    TINY,
    Echo,
    Gate,
    cancelled_after,
    connected,
    fill_up,
    notes,
    turns,
    until,
    within_bound,
)
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

TURNS = range(8)
"""Turns of the loop before a cancellation: from before the first step to after the last one."""


async def test_a_timeout_around_receive_loses_nothing() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await stream.receive()
            assert stream.status is None
        await stream.send_many(notes(5))
        assert [await within_bound(stream.receive()) for _ in range(5)] == notes(5)
        await stream.finish()


async def test_a_timeout_around_send_leaves_the_call_open_and_sends_all_or_nothing() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            before = await fill_up(stream)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await stream.send(Note(text="lost"))
            assert stream.status is None
            gate.opened.set()
            await stream.send(Note(text="kept"))
            await within_bound(stream.finish())
        assert [note.text for note in gate.received[before:]] == ["kept"]


@pytest.mark.parametrize("how", ["receive", "anext", "receive_many"])
async def test_receive_cancelled_at_each_await_loses_nothing(how: str) -> None:
    async with connected() as pair, pair.client.both_stream() as stream:

        async def send() -> None:
            for note in notes(300):
                await stream.send(note)
                await turns(note.number % 4)
            await stream.end_sending()

        async def one() -> list[Note]:
            if how == "receive_many":
                return await stream.receive_many(3)
            return [await (anext(stream) if how == "anext" else stream.receive())]

        sending = asyncio.create_task(send())
        received: list[Note] = []
        cancellations = 0
        for number in cycle(TURNS):
            try:
                outcome = await cancelled_after(number, one())
            except (penstock.EndOfStream, StopAsyncIteration):
                break
            if outcome is asyncio.CancelledError:
                cancellations += 1
            else:
                received += outcome
        assert received == notes(300)
        assert cancellations > 10
        await sending


async def test_send_cancelled_at_each_await_hands_over_all_or_nothing() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            gate.opened.set()
            sent: list[int] = []
            cancelled: list[int] = []
            for number, before in islice(zip(count(), cycle(TURNS), strict=False), 400):
                note = Note(number=number, payload=bytes([number % 256]) * 900)
                outcome = await cancelled_after(before, stream.send(note))
                (cancelled if outcome is asyncio.CancelledError else sent).append(number)
            await within_bound(stream.finish())
        arrived = [note.number for note in gate.received]
        assert arrived == sorted(set(arrived)), "in order, none twice"
        assert set(sent) <= set(arrived) <= set(sent) | set(cancelled)
        assert all(note.payload == bytes([note.number % 256]) * 900 for note in gate.received)
        assert len(cancelled) > 10


async def test_send_many_cancelled_at_each_await_sends_a_beginning() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            gate.opened.set()
            for first in range(0, 400, 10):
                some = [Note(number=first + number, payload=bytes(500)) for number in range(10)]
                await cancelled_after(first // 10 % 8, stream.send_many(some))
            await within_bound(stream.finish())
        arrived = [note.number for note in gate.received]
        assert arrived == sorted(set(arrived))
        for first in range(0, 400, 10):
            own = [number for number in arrived if first <= number < first + 10]
            assert own == list(range(first, first + len(own)))


async def test_a_send_that_is_cancelled_while_others_wait_wakes_them_all_the_same() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            before = await fill_up(stream)
            waiting = [asyncio.create_task(stream.send(Note(text=str(number)))) for number in range(5)]
            await turns(3)
            waiting[0].cancel()
            waiting[3].cancel()
            gate.opened.set()
            await within_bound(asyncio.wait(waiting))
            await within_bound(stream.finish())
        assert sorted(note.text for note in gate.received[before:]) == ["1", "2", "4"]


def _any_done(*futures: asyncio.Future[Any] | _engine.Waiter) -> bool:
    return any(future.done() for future in futures)


async def test_a_waiter_cancelled_in_the_turn_it_is_woken_loses_nothing() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        for note in notes(50):
            receiving = asyncio.create_task(stream.receive())
            await turns(2)
            await stream.send(note)
            waiter = stream._receive_waiter
            assert waiter is not None
            await until(partial(_any_done, waiter, receiving))
            receiving.cancel()
            await asyncio.wait([receiving])
            received = await within_bound(stream.receive()) if receiving.cancelled() else receiving.result()
            assert received == note
        await stream.finish()


@pytest.mark.parametrize("before", TURNS)
async def test_finish_cancelled_at_each_await_can_be_called_again(before: int) -> None:
    async with connected() as pair, pair.client.client_stream() as stream:
        await stream.send_many(notes(3))
        outcome = await cancelled_after(before, stream.finish())
        again = await within_bound(stream.finish())
        assert again == Note(text="note 2", number=3)
        assert outcome in (asyncio.CancelledError, again)


async def awaited(call: Awaitable[Note]) -> Note:
    return await call


@pytest.mark.parametrize("before", range(0, 40, 3))
async def test_a_unary_call_cancelled_at_each_await_leaves_nothing_and_the_channel_works(before: int) -> None:
    async with connected() as pair:
        outcome = await cancelled_after(before, awaited(pair.client.unary(Note(text="x"))))
        assert outcome in (asyncio.CancelledError, Note(text="x"))
        assert (await within_bound(pair.client.unary(Note(text="y")))).text == "y"
        await pair.until_no_call_is_open()


@pytest.mark.parametrize("before", range(0, 40, 3))
async def test_a_block_cancelled_at_each_await_leaves_nothing_and_the_channel_works(before: int) -> None:
    async def whole() -> list[Note]:
        async with pair.client.both_stream() as stream:
            await stream.send_many(notes(2))
            await stream.end_sending()
            return [reply async for reply in stream]

    async with connected() as pair:
        outcome = await cancelled_after(before, whole())
        assert outcome in (asyncio.CancelledError, notes(2))
        assert await within_bound(whole()) == notes(2)
        await pair.until_no_call_is_open()


async def test_a_handler_may_bound_its_own_sends_and_receives() -> None:
    async def patient(stream: penstock.ServerStream[Note, Note]) -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await stream.receive()
        await stream.send(Note(text="ready"))
        async for note in stream:
            await asyncio.wait_for(stream.send(note), 10)

    async with connected(Echo(both_stream=patient)) as pair, pair.client.both_stream() as stream:
        assert (await within_bound(stream.receive())).text == "ready"
        await stream.send_many(notes(10))
        await stream.end_sending()
        assert [reply async for reply in stream] == notes(10)
