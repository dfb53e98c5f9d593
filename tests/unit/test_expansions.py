"""Expanding messages in pieces, a few in a turn of the loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from penstock import _expansions
from penstock._expansions import (
    BUSY_TURN_SECONDS,
    EXCESS_BYTES,
    EXCESS_BYTES_PER_SECOND,
    IDLE_TURN_SECONDS,
    SLOW_BYTES,
    STEP_SECONDS,
    Expansions,
    Line,
)
from tests.unit.memory import settle

STEPS = round(BUSY_TURN_SECONDS / STEP_SECONDS)
"""In a piece, while others are busy."""


class Clock:
    """What expanding takes is what a test says."""

    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(_expansions, "perf_counter", lambda: clock.now)
    yield clock
    clock.now = 0.0


class Engine:
    """Of a connection among others."""

    is_beside_others = True
    excess = 0
    slowed = False

    def slow_down(self, slowed: bool) -> None:
        self.slowed = slowed

    def take_excess(self) -> int:
        excess, self.excess = self.excess, 0
        return excess


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


class Scene:
    """Calls on some connections, and in which turn each took a piece."""

    def __init__(self, clock: Clock, connections: int = 1) -> None:
        self.clock, self.turns = clock, Turns()
        self.engines = [Engine() for _ in range(connections)]
        expansions = Expansions(asyncio.get_running_loop())
        self.expansions, self.lines = expansions, [Line(expansions, engine) for engine in self.engines]
        self.pieces: list[tuple[int, str]] = []
        self.steps: Counter[int] = Counter()
        """In each turn."""
        self.begun: set[str] = set()
        self.noted: list[str] = []

    async def expand(self, name: str, seconds: float, steps: int = 0, line: int = 0) -> str:
        """What a receive does with a message that has so many steps beyond its first."""
        message = Message(self, name, seconds, steps)
        return await self.lines[line].expand(message, message.take, lambda: self.noted.append(name))

    async def some_turns(self) -> None:
        for _ in range(6):
            await asyncio.sleep(0)

    def in_turns(self) -> list[int]:
        """How many pieces there were in each turn that had any."""
        turns = [turn for turn, _name in self.pieces]
        return [turns.count(turn) for turn in sorted(set(turns))]

    def names(self) -> list[str]:
        return [name for _turn, name in self.pieces]


class Message:
    """A stream with one message."""

    def __init__(self, scene: Scene, name: str, seconds: float, steps: int) -> None:
        self._scene, self._name, self._seconds, self._steps = scene, name, seconds, steps
        self._is_expanding = False

    def take(self) -> str:
        self._piece(self._seconds)
        self._is_expanding = self._steps > 0
        return self._name

    def _expand_on(self, steps: int) -> None:
        self._steps -= steps
        self._scene.steps[self._scene.turns.count] += steps
        self._piece(steps * STEP_SECONDS)
        self._is_expanding = self._steps > 0

    def _piece(self, seconds: float) -> None:
        self._scene.clock.now += seconds
        self._scene.pieces.append((self._scene.turns.count, self._name))
        self._scene.begun.add(self._name)


async def play(clock: Clock, calls: int, seconds: float) -> list[int]:
    """Have so many calls expand at once; give how many did in each turn that had any."""
    scene = Scene(clock)
    await asyncio.gather(*(scene.expand(str(number), seconds) for number in range(calls)))
    scene.turns.stop()
    return scene.in_turns()


async def test_messages_that_take_nothing_wait_for_nobody(clock: Clock) -> None:
    assert await play(clock, 1000, 0.0) == [1000]


async def test_what_takes_long_has_a_turn_for_itself(clock: Clock) -> None:
    assert await play(clock, 20, 3 * IDLE_TURN_SECONDS) == [1] * 20


async def test_a_turn_has_as_many_as_fit(clock: Clock) -> None:
    in_turns = await play(clock, 40, BUSY_TURN_SECONDS / 8)
    assert sum(in_turns) == 40
    assert max(in_turns) <= 9
    assert len(in_turns) <= 7


async def test_a_turn_has_more_time_while_nobody_else_is_busy(clock: Clock) -> None:
    scene = Scene(clock)
    scene.engines[0].is_beside_others = False
    await scene.expand("alone", 0.0, steps=100)
    scene.turns.stop()
    assert len(scene.pieces) == 2 + 100 * STEP_SECONDS // IDLE_TURN_SECONDS


async def test_a_large_message_is_expanded_in_pieces(clock: Clock) -> None:
    scene = Scene(clock)
    assert await scene.expand("large", STEP_SECONDS, steps=10 * STEPS) == "large"
    scene.turns.stop()
    assert max(scene.steps.values()) <= STEPS
    # Once it waits in line, no turn is left out.
    first, *others = scene.steps
    assert first == 0
    assert others == list(range(others[0], others[0] + len(others)))
    assert len(scene.steps) <= 12


async def test_a_connection_expands_one_message_after_the_other(clock: Clock) -> None:
    """Else each call would hold a part of one."""
    scene = Scene(clock)
    names = [str(number) for number in range(10)]
    await asyncio.gather(*(scene.expand(name, BUSY_TURN_SECONDS, steps=3 * STEPS) for name in names))
    scene.turns.stop()
    assert scene.names() == [name for name in names for _ in range(5)]


async def test_connections_take_turns(clock: Clock) -> None:
    """A small message does not wait for the large ones of another client."""
    scene = Scene(clock, connections=2)
    bombs = [asyncio.ensure_future(scene.expand("large", STEP_SECONDS, steps=100 * STEPS)) for _ in range(10)]
    await scene.some_turns()
    assert await scene.expand("small", STEP_SECONDS, line=1) == "small"
    assert len(scene.begun) == 2
    assert scene.names().count("large") < 40
    await asyncio.gather(*bombs)
    scene.turns.stop()


async def test_they_come_in_the_order_they_asked(clock: Clock) -> None:
    scene = Scene(clock)
    names = [str(number) for number in range(30)]
    await asyncio.gather(*(scene.expand(name, 1.0) for name in names))
    scene.turns.stop()
    assert scene.names() == names


@pytest.mark.parametrize("steps", [0, STEPS])
async def test_those_that_are_cancelled_hold_up_nobody(clock: Clock, steps: int) -> None:
    scene = Scene(clock)
    tasks = [asyncio.ensure_future(scene.expand(str(number), 1.0, steps)) for number in range(30)]
    await asyncio.sleep(0)
    for turn in range(1, 30, 2):
        tasks[turn].cancel()
        if turn % 3 == 0:
            await asyncio.sleep(0)  # some of them when their turn has come
    await asyncio.wait(tasks)
    scene.turns.stop()
    assert {str(number) for number in range(0, 30, 2)} <= {task.result() for task in tasks if not task.cancelled()}


async def test_one_that_is_cancelled_in_the_middle_lets_the_next_begin(clock: Clock) -> None:
    scene = Scene(clock)
    first = asyncio.ensure_future(scene.expand("first", STEP_SECONDS, steps=1000 * STEPS))
    second = asyncio.ensure_future(scene.expand("second", STEP_SECONDS, steps=STEPS))
    await scene.some_turns()
    assert scene.begun == {"first"}
    first.cancel()
    assert await second == "second"
    scene.turns.stop()


async def test_a_client_whose_messages_explode_rests_while_others_are_busy(clock: Clock) -> None:
    scene, loop = Scene(clock, connections=2), asyncio.get_running_loop()
    engine = scene.engines[0]
    engine.excess = SLOW_BYTES
    await scene.expand("a little", STEP_SECONDS)
    assert not engine.slowed
    engine.excess = EXCESS_BYTES - SLOW_BYTES
    await scene.expand("allowed", STEP_SECONDS)
    assert engine.slowed
    assert scene.noted == []
    engine.excess = int(EXCESS_BYTES_PER_SECOND)
    began = loop.time()
    await scene.expand("too much", STEP_SECONDS)
    assert scene.noted == ["too much"]
    assert engine.slowed
    later = asyncio.ensure_future(scene.expand("later", STEP_SECONDS))
    assert await scene.expand("another client's", STEP_SECONDS, line=1) == "another client's"
    assert not later.done()
    await later
    # What it is paid back with is its time.
    assert engine.slowed
    clock.now += 2
    await scene.expand("honest", STEP_SECONDS)
    assert not engine.slowed
    assert loop.time() - began > 0.9
    scene.turns.stop()


async def test_a_client_that_is_alone_may_expand_what_it_likes(clock: Clock) -> None:
    scene = Scene(clock)
    scene.engines[0].is_beside_others = False
    for _ in range(10):
        scene.engines[0].excess = 10 * EXCESS_BYTES
        await scene.expand("alone", IDLE_TURN_SECONDS / 2)
    scene.turns.stop()
    assert scene.noted == []


async def test_with_nothing_to_do_the_loop_is_left_alone(clock: Clock) -> None:
    scene = Scene(clock)
    await scene.expand("one", STEP_SECONDS, steps=10)
    scene.turns.stop()
    await settle()
    assert not scene.expansions._scheduled
