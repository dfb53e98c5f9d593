"""Expanding a few messages in a turn of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from penstock import _expansions
from penstock._expansions import TURN_SECONDS, Expansions
from tests.unit.memory import settle


class Clock:
    """What expanding takes is what a test says."""

    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(_expansions, "perf_counter", lambda: clock.now)
    yield clock
    clock.now = 0.0


class Turns:
    """Counts turns of the loop."""

    def __init__(self) -> None:
        self.count = 0
        self._handle: asyncio.Handle = asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self.count += 1
        self._handle = asyncio.get_running_loop().call_soon(self._next)

    def stop(self) -> None:
        self._handle.cancel()


async def play(clock: Clock, calls: int, seconds: float) -> list[int]:
    """Have so many calls expand at once; give how many did in each turn that had any."""
    expansions, turns, done = Expansions(asyncio.get_running_loop()), Turns(), []

    async def expand() -> None:
        began = await expansions.begin()
        clock.now += seconds
        expansions.end(began)
        done.append(turns.count)

    await asyncio.gather(*(expand() for _ in range(calls)))
    turns.stop()
    return [done.count(turn) for turn in sorted(set(done))]


async def test_messages_that_take_nothing_wait_for_nobody(clock: Clock) -> None:
    assert await play(clock, 1000, 0.0) == [1000]


async def test_what_takes_long_has_a_turn_for_itself(clock: Clock) -> None:
    assert await play(clock, 20, 3 * TURN_SECONDS) == [1] * 20


async def test_a_turn_has_as_many_as_fit(clock: Clock) -> None:
    in_turns = await play(clock, 40, TURN_SECONDS / 8)
    assert sum(in_turns) == 40
    assert max(in_turns) <= 9
    assert len(in_turns) <= 6


async def test_they_come_in_the_order_they_asked(clock: Clock) -> None:
    expansions, order = Expansions(asyncio.get_running_loop()), []

    async def expand(number: int) -> None:
        began = await expansions.begin()
        clock.now += 1
        expansions.end(began)
        order.append(number)

    await asyncio.gather(*map(expand, range(30)))
    assert order == list(range(30))


async def test_those_that_are_cancelled_hold_up_nobody(clock: Clock) -> None:
    expansions, done = Expansions(asyncio.get_running_loop()), []

    async def expand(number: int) -> None:
        began = await expansions.begin()
        clock.now += 1
        expansions.end(began)
        done.append(number)

    tasks = [asyncio.ensure_future(expand(number)) for number in range(30)]
    await asyncio.sleep(0)
    for turn in range(1, 30, 2):
        tasks[turn].cancel()
        if turn % 3 == 0:
            await asyncio.sleep(0)  # some of them when their turn has come
    await asyncio.wait(tasks)
    assert set(range(0, 30, 2)) <= set(done)


async def test_with_nothing_to_do_the_loop_is_left_alone(clock: Clock) -> None:
    expansions = Expansions(asyncio.get_running_loop())
    expansions.end(await expansions.begin())
    await settle()
    assert not expansions._scheduled
