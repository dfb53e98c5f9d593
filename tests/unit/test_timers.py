"""Deadlines that share ticks, on a clock that only the test moves."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock._timers import FEW_TICKS, Timers, Watch
from tests.unit.manual_loop import ManualLoop


class Item:
    """Notes when it expires."""

    def __init__(self, loop: ManualLoop) -> None:
        self.loop = loop
        self.expired: list[float] = []

    def _on_expired(self) -> None:
        self.expired.append(self.loop.now)


def timers_of(loop: ManualLoop) -> Timers:
    return Timers(loop.as_loop())


times = st.floats(0, 1e6, allow_nan=False)
spans = st.one_of(st.floats(0, 1, exclude_min=True), st.floats(1, 1e5))


@given(times, spans)
def test_an_item_expires_once_never_early_and_late_by_no_more_than_promised(now: float, left: float) -> None:
    loop = ManualLoop(now)
    timers, item = timers_of(loop), Item(loop)
    when = now + left
    timers.add(when, left, item)
    loop.advance(when + 1)
    assert len(item.expired) == 1
    late = item.expired[0] - when
    assert 0 <= late <= min(1 / 32, max(1 / 4096, left / 64)) + 1e-9


@given(times, st.lists(st.tuples(spans, st.booleans()), max_size=30))
def test_what_is_discarded_never_expires_and_all_else_does(now: float, plan: list[tuple[float, bool]]) -> None:
    loop = ManualLoop(now)
    timers = timers_of(loop)
    items = [(Item(loop), left, discard) for left, discard in plan]
    for item, left, discard in items:
        among = timers.add(now + left, left, item)
        if discard:
            among.discard(item)
    assert len(timers) == sum(not discard for _, discard in plan)
    loop.advance(now + 2e5)
    for item, _, discard in items:
        assert len(item.expired) == (0 if discard else 1)
    assert len(timers) == 0


def test_items_expire_in_the_order_of_their_deadlines() -> None:
    loop = ManualLoop(100.0)
    timers = timers_of(loop)
    items = [Item(loop) for _ in range(5)]
    for item, left in zip(items, [5, 1, 4, 2, 3], strict=True):
        timers.add(100.0 + left, left, item)
    loop.advance(110.0)
    assert [round(item.expired[0]) for item in items] == [105, 101, 104, 102, 103]


def test_thousands_of_deadlines_share_few_ticks_and_one_timer_of_the_loop() -> None:
    loop = ManualLoop(0.0)
    timers = timers_of(loop)
    ticks = set()
    for number in range(10_000):
        loop.advance(number / 10_000)
        ticks.add(id(timers.add(loop.now + 60, 60, Item(loop))))
    assert len(timers) == 10_000
    assert len(ticks) <= 33
    assert len(loop.armed()) == 1


def test_an_earlier_deadline_moves_the_timer_and_a_later_one_does_not() -> None:
    loop = ManualLoop(0.0)
    timers = timers_of(loop)
    timers.add(10.0, 10, Item(loop))
    timers.add(20.0, 20, Item(loop))
    assert [handle.when for handle in loop.armed()] == [10.0]
    timers.add(5.0, 5, Item(loop))
    assert [handle.when for handle in loop.armed()] == [5.0]


def test_without_deadlines_the_loop_has_no_timer() -> None:
    loop = ManualLoop(0.0)
    timers = timers_of(loop)
    assert loop.armed() == []
    timers.add(1.0, 1, Item(loop))
    loop.advance(2.0)
    assert loop.armed() == []


def test_a_deadline_nobody_waits_for_any_more_costs_no_further_timer() -> None:
    loop = ManualLoop(0.0)
    timers = timers_of(loop)
    timers.add(1.0, 1, Item(loop))
    for left in (2, 3, 4):
        item = Item(loop)
        timers.add(float(left), left, item).discard(item)
    loop.advance(1.5)
    assert loop.armed() == []


def test_discarding_after_it_expired_is_harmless() -> None:
    loop = ManualLoop(0.0)
    timers, item = timers_of(loop), Item(loop)
    among = timers.add(1.0, 1, item)
    loop.advance(2.0)
    among.discard(item)
    assert len(item.expired) == 1


def test_an_item_that_fails_as_it_expires_is_told_and_holds_up_no_other() -> None:
    loop = ManualLoop(0.0)
    timers = timers_of(loop)

    class Failing(Item):
        def _on_expired(self) -> None:
            raise LookupError

    items = [Item(loop), Failing(loop), Item(loop)]
    for item in items:
        timers.add(1.0, 1, item)
    loop.advance(2.0)
    assert [len(item.expired) for item in items] == [1, 0, 1]
    (told,) = loop.told
    assert isinstance(told["exception"], LookupError)


def test_an_item_may_add_another_while_it_expires() -> None:
    loop = ManualLoop(0.0)
    timers, second = timers_of(loop), Item(loop)

    class First(Item):
        def _on_expired(self) -> None:
            timers.add(loop.now + 1, 1, second)

    timers.add(1.0, 1, First(loop))
    loop.advance(3.0)
    assert second.expired == [2.0]


async def test_on_a_real_loop_a_deadline_wakes_whoever_waits() -> None:
    loop = asyncio.get_running_loop()
    expired = asyncio.Event()

    class Waking:
        def _on_expired(self) -> None:
            expired.set()

    when = loop.time() + 0.001
    Timers(loop).add(when, 0.001, Waking())
    await expired.wait()
    assert loop.time() >= when - 0.001


def test_calls_that_end_long_before_their_deadline_leave_no_ticks_behind() -> None:
    loop = ManualLoop(0.0)
    timers = timers_of(loop)
    kept = [Item(loop) for _ in range(3 * FEW_TICKS)]
    for number, item in enumerate(kept):
        timers.add(100_000.0 + number, 100_000.0 + number, item)
    for number in range(20 * FEW_TICKS):
        loop.now = number / 10
        ended = Item(loop)
        timers.add(loop.now + 86_400.0, 86_400.0, ended).discard(ended)
    assert len(timers) == len(kept)
    assert len(timers._ticks) <= 2 * len(kept)
    assert sorted(timers._ticks) == sorted(timers._order)
    loop.advance(200_000.0)
    assert [item.expired for item in kept] == [[100_000.0 + number] for number in range(len(kept))]
    assert (timers._ticks, timers._order) == ({}, [])


def test_where_all_calls_have_ended_the_loop_keeps_no_timer() -> None:
    loop = ManualLoop(0.0)
    timers = timers_of(loop)
    item, other = Item(loop), Item(loop)
    timers.add(60.0, 60.0, item).discard(item)
    among = timers.add(70.0, 70.0, other)
    timers.tidy()
    assert (len(timers), list(timers._ticks)) == (1, [70.0])
    among.discard(other)
    timers.tidy()
    loop.advance(100.0)
    assert (timers._ticks, timers._order, timers._handle) == ({}, [], None)
    later = Item(loop)
    timers.add(loop.now + 1.0, 1.0, later)
    loop.advance(102.0)
    assert (item.expired, other.expired, later.expired) == ([], [], [101.0])


class Looking(Watch[Any]):
    """Looks every second, and notes when."""

    def __init__(self, loop: ManualLoop, timers: Timers) -> None:
        super().__init__(SimpleNamespace(loop=loop), timers)
        self.looked: list[float] = []
        self.others: list[Looking] = []
        self._wait(1.0)

    def _look(self) -> None:
        self.looked.append(self._connection.loop.now)
        for other in self.others:
            other.stop()
        self._wait(1.0)


def test_a_watch_looks_until_it_is_stopped_and_keeps_nothing_then() -> None:
    loop = ManualLoop(100.0)
    timers = timers_of(loop)
    watch = Looking(loop, timers)
    loop.advance(103.5)
    assert [round(at, 1) for at in watch.looked] == [101.0, 102.0, 103.0]
    for _ in range(2):
        watch.stop()
        assert (watch._connection, len(timers)) == (None, 0)
    loop.advance(110)
    assert len(watch.looked) == 3


def test_a_watch_that_is_stopped_as_its_time_comes_does_not_look_and_one_that_stops_itself_waits_no_more() -> None:
    loop = ManualLoop(100.0)
    timers = timers_of(loop)
    watches = [Looking(loop, timers) for _ in range(2)]
    for watch in watches:
        watch.others = watches  # whichever is the first stops both
    loop.advance(110)
    assert sum(len(watch.looked) for watch in watches) == 1
    assert len(timers) == 0
