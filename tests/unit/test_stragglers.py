"""Handlers that still run when their call is over: time to clean up, and what comes behind it."""

import asyncio
import logging
import math
from typing import Any

import pytest

from penstock._stragglers import Stragglers

BOUND_SECONDS = 10.0


class Call:
    """What it asks of a call."""

    method = "/a.B/C"
    peer = "memory:1"

    def __init__(self) -> None:
        self.detached = asyncio.Event()

    def _where(self) -> str:
        return "  here\n"

    def _detach(self) -> None:
        self.detached.set()


def calls(count: int) -> list[Any]:
    return [Call() for _ in range(count)]


async def within_bound(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), BOUND_SECONDS)


async def test_a_handler_that_takes_too_long_is_detached_counted_and_named(caplog: pytest.LogCaptureFixture) -> None:
    stragglers = Stragglers(asyncio.get_running_loop(), 0.01)
    (call,) = calls(1)
    stragglers.add(call)
    assert list(stragglers.cancelled) == [call]
    await within_bound(call.detached)
    assert (list(stragglers.cancelled), list(stragglers.detached), stragglers.detached_in_all) == ([], [call], 1)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    text = record.getMessage()
    assert text.startswith(
        "/a.B/C from memory:1: the handler still runs 0.0 s after its cancellation, and is detached."
    )
    assert text.endswith("It is here:\n  here")
    caplog.clear()


async def test_a_detached_handler_that_ends_after_all_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "penstock.server")
    stragglers = Stragglers(asyncio.get_running_loop(), 0.001)
    (call,) = calls(1)
    stragglers.add(call)
    await within_bound(call.detached)
    caplog.clear()
    for _ in range(2):
        stragglers.remove(call)
    assert (list(stragglers.detached), stragglers.detached_in_all) == ([], 1)
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    assert caplog.records[0].getMessage().startswith("/a.B/C from memory:1: the detached handler has ended, ")
    caplog.clear()


async def test_one_that_ends_in_time_is_not_told_of_and_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "penstock.server")
    stragglers = Stragglers(asyncio.get_running_loop(), 0.01)
    first, second, third = calls(3)
    for call in (first, second, third):
        stragglers.add(call)
    stragglers.remove(first)
    stragglers.remove(third)
    await within_bound(second.detached)
    assert not first.detached.is_set()
    assert not third.detached.is_set()
    assert len(caplog.records) == 1
    caplog.clear()


async def test_each_has_its_own_time(caplog: pytest.LogCaptureFixture) -> None:
    stragglers = Stragglers(asyncio.get_running_loop(), 0.05)
    first, second = calls(2)
    stragglers.add(first)
    await asyncio.sleep(0.02)  # real time: the second one is cancelled later
    stragglers.add(second)
    await within_bound(first.detached)
    assert list(stragglers.cancelled) == [second]
    await within_bound(second.detached)
    caplog.clear()


async def test_without_a_limit_nobody_is_detached() -> None:
    stragglers = Stragglers(asyncio.get_running_loop(), math.inf)
    (call,) = calls(1)
    stragglers.add(call)
    await asyncio.sleep(0)
    assert stragglers._timer is None
    stragglers.remove(call)
    assert not stragglers.cancelled


async def test_of_many_whose_time_is_over_together_a_few_are_shown_and_all_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stragglers = Stragglers(asyncio.get_running_loop(), 0.01)
    many = calls(1000)
    for call in many:
        stragglers.add(call)
    await asyncio.sleep(0.02)  # real time: all are over when it looks
    await within_bound(many[-1].detached)
    assert (len(stragglers.detached), stragglers.detached_in_all) == (1000, 1000)
    shown = [record for record in caplog.records if "the handler still runs" in record.getMessage()]
    more = [record.getMessage() for record in caplog.records if record not in shown]
    assert len(shown) == 10 * len(more)
    assert sum(int(text.rpartition("detached: ")[2].split()[0]) for text in more) == 1000 - len(shown)
    caplog.clear()
