"""Handlers that still run when their call is over: time to clean up, and what comes behind it."""

import logging
import math
from collections.abc import Callable
from typing import Any

import pytest

from penstock._stragglers import Stragglers


class Loop:
    """Time, as the test makes it pass."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> object:
        self.timers.append((when, callback))
        return object()

    def pass_by(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        self.now += seconds
        due = [timer for timer in self.timers if timer[0] <= self.now]
        self.timers = [timer for timer in self.timers if timer[0] > self.now]
        for _, callback in due:
            callback()


class Call:
    """What is asked of a call."""

    method = "/a.B/C"
    peer = "memory:1"

    def __init__(self) -> None:
        self.detached = 0

    def _where(self) -> str:
        return "  here\n"

    def _detach(self) -> None:
        self.detached += 1


def stragglers(seconds: float = 5.0) -> tuple[Stragglers, Any]:
    loop: Any = Loop()
    return Stragglers(loop, seconds), loop


def calls(count: int) -> list[Any]:
    return [Call() for _ in range(count)]


def texts(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_a_handler_that_takes_too_long_is_detached_counted_and_named(caplog: pytest.LogCaptureFixture) -> None:
    handlers, loop = stragglers()
    (call,) = calls(1)
    handlers.add(call)
    loop.pass_by(4.9)
    assert (list(handlers.cancelled), list(handlers.detached)) == ([call], [])
    loop.pass_by(0.1)
    assert (list(handlers.cancelled), list(handlers.detached), handlers.detached_in_all) == ([], [call], 1)
    assert call.detached == 1
    about = "/a.B/C from memory:1: the handler still runs 5.0 s after its cancellation, and is detached. It is here:"
    assert texts(caplog) == [(logging.ERROR, f"{about}\n  here")]
    assert loop.timers == []


def test_a_detached_handler_that_ends_after_all_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "penstock.server")
    handlers, loop = stragglers()
    (call,) = calls(1)
    handlers.add(call)
    loop.pass_by(5)
    caplog.clear()
    loop.pass_by(60)
    for _ in range(2):
        handlers.remove(call)
    assert (list(handlers.detached), handlers.detached_in_all, call.detached) == ([], 1, 1)
    about = "/a.B/C from memory:1: the detached handler has ended, 65.0 s after its cancellation"
    assert texts(caplog) == [(logging.INFO, about)]


def test_one_that_ends_in_time_is_not_told_of_and_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "penstock.server")
    handlers, loop = stragglers()
    first, second, third = calls(3)
    for call in (first, second, third):
        handlers.add(call)
    handlers.remove(first)
    handlers.remove(third)
    loop.pass_by(5)
    assert [call.detached for call in (first, second, third)] == [0, 1, 0]
    assert len(caplog.records) == 1


def test_each_has_its_own_time_with_one_timer_for_all() -> None:
    handlers, loop = stragglers()
    first, second = calls(2)
    handlers.add(first)
    loop.pass_by(2)
    handlers.add(second)
    assert len(loop.timers) == 1
    loop.pass_by(3)
    assert (first.detached, second.detached, len(loop.timers)) == (1, 0, 1)
    loop.pass_by(2)
    assert (second.detached, loop.timers) == (1, [])


def test_without_a_limit_nobody_is_detached() -> None:
    handlers, loop = stragglers(math.inf)
    (call,) = calls(1)
    handlers.add(call)
    assert loop.timers == []
    handlers.remove(call)
    assert not handlers.cancelled


def test_of_many_whose_time_is_over_together_a_few_are_shown_and_all_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handlers, loop = stragglers()
    for call in calls(1000):
        handlers.add(call)
    loop.pass_by(5)
    assert (len(handlers.detached), handlers.detached_in_all) == (1000, 1000)
    told = [text for _, text in texts(caplog)]
    assert sum("It is here:" in text for text in told) == 10
    assert told[10:] == ["more handlers still run after their cancellation, and are detached: 990 of /a.B/C"]
