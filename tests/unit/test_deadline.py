"""When a call must have ended."""

import asyncio
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from penstock import CallOptions, DeadlineExceeded, Status, StatusCode, UsageError
from penstock._deadline import INHERITED, Deadline, bounded, of_call
from penstock._timers import Timers


class Clock(asyncio.SelectorEventLoop):
    """A loop whose clock stands until the test moves it."""

    now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    loop = Clock()
    yield loop
    loop.close()


class Item:
    """Notes that it expired."""

    def __init__(self) -> None:
        self.expired = False

    def _on_expired(self) -> None:
        self.expired = True


def test_without_a_timeout_there_is_no_deadline(clock: Clock) -> None:
    assert of_call(clock, None, None) is None
    assert of_call(clock, math.inf, None) is None


def test_time_left_goes_below_zero_and_the_deadline_is_over_when_it_is_reached(clock: Clock) -> None:
    deadline = Deadline(clock, 5)
    assert (deadline.when, deadline.left(), deadline.is_over()) == (1005, 5, False)
    clock.now = 1005
    assert (deadline.left(), deadline.is_over()) == (0, True)
    clock.now = 1006
    assert (deadline.left(), deadline.is_over()) == (-1, True)


@pytest.mark.parametrize("timeout", [-1, -0.001, -math.inf, math.nan, "5", timedelta(seconds=5)])
@pytest.mark.parametrize("outer", [None, 1003])
def test_a_timeout_is_a_number_of_seconds_from_0(clock: Clock, timeout: Any, outer: float | None) -> None:
    token = INHERITED.set(outer)
    try:
        with pytest.raises(UsageError) as caught:
            of_call(clock, timeout, None)
    finally:
        INHERITED.reset(token)
    assert str(caught.value) == f"timeout is a number of seconds, 0 or more, not {timeout!r}"


def test_a_timeout_of_0_is_over_at_once(clock: Clock) -> None:
    deadline = of_call(clock, 0, None)
    assert deadline is not None
    assert deadline.is_over()


def test_the_status_names_the_timeout(clock: Clock) -> None:
    text = "the call did not end within 0.25 s"
    assert Deadline(clock, 0.25).status() == Status(StatusCode.DEADLINE_EXCEEDED, text)


@pytest.mark.parametrize(
    ("timeout", "options", "expected"),
    [
        (None, None, 1003),
        (None, CallOptions(), 1003),
        (2, None, 1002),
        (4, None, 1003),
        (math.inf, None, 1003),
        (4, CallOptions(inherit_deadline=False), 1004),
        (None, CallOptions(inherit_deadline=False), None),
    ],
)
def test_inside_a_handler_a_call_gets_at_most_what_is_left(
    clock: Clock, timeout: float | None, options: CallOptions | None, expected: float | None
) -> None:
    token = INHERITED.set(1003)
    try:
        deadline = of_call(clock, timeout, options)
    finally:
        INHERITED.reset(token)
    assert (deadline and deadline.when) == expected


def test_inside_a_handler_that_has_no_time_left_a_deadline_is_over(clock: Clock) -> None:
    token = INHERITED.set(990)
    try:
        deadline = of_call(clock, 5, None)
    finally:
        INHERITED.reset(token)
    assert deadline is not None
    assert deadline.is_over()


def test_whoever_watches_is_told_unless_the_call_ended_first(clock: Clock) -> None:
    timers = Timers(clock)
    told, untold = Item(), Item()
    watched, unwatched = Deadline(clock, 5), Deadline(clock, 5)
    watched.watch(timers, told)
    unwatched.watch(timers, untold)
    unwatched.unwatch(untold)
    clock.now = 1006
    clock.call_soon(clock.stop)
    clock.run_forever()
    clock.call_soon(clock.stop)
    clock.run_forever()
    assert (told.expired, untold.expired) == (True, False)


def test_a_deadline_nobody_watched_can_be_left_alone(clock: Clock) -> None:
    Deadline(clock, 5).unwatch(Item())


async def test_what_is_done_in_time_gives_its_value() -> None:
    async def value() -> str:
        await asyncio.sleep(0)
        return "value"

    deadline = Deadline(asyncio.get_running_loop(), 60)
    assert await deadline.bound(value()) == "value"
    assert await bounded(deadline, value()) == "value"
    assert await bounded(None, value()) == "value"


async def test_what_is_not_done_in_time_is_cancelled_and_raises() -> None:
    cancelled = asyncio.Event()

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(DeadlineExceeded, match="did not end within 0 s"):
        await Deadline(asyncio.get_running_loop(), 0).bound(waiting())
    assert cancelled.is_set()


async def test_a_timeout_of_what_is_awaited_is_not_taken_for_the_deadline() -> None:
    async def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await Deadline(asyncio.get_running_loop(), 60).bound(fail())


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.ensure_future(Deadline(asyncio.get_running_loop(), 60).bound(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
