"""Time that passes when a test says so."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import sys
import time
from collections.abc import Callable
from contextvars import Context
from types import TracebackType
from typing import Any, Self

from penstock import _engine, _timers
from penstock.errors import UsageError
from penstock.testing.settling import settle

__all__ = ["ManualClock"]

PATCHED = ("time", "call_at", "call_later")
"""What a loop is asked about time: `asyncio.sleep`, `timeout` and `wait` come down to these."""
EXACT_SECONDS = 2.0**-30
"""Penstock rounds deadlines up, to save timers, by up to 1/32 s. Here they come when they are due: 2**-30 s."""
SLACK_SECONDS = 1e-6
"""0.1 s and then 0.2 s are a little less than 0.3 s: what is due within this is due now."""

RUN_ONCE = asyncio.BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]  # typeshed leaves it out
"""Where asyncio's loops look which of their own timers are due."""

_running: list[ManualClock] = []


class Timer(asyncio.TimerHandle):
    """One that the loop knows nothing about."""

    def cancel(self) -> None:
        asyncio.Handle.cancel(self)  # TimerHandle's would have the loop count it among its own

    def run(self) -> None:
        """Call back, unless it was cancelled meanwhile."""
        if not self.cancelled():
            self._run()


class ManualClock:
    """Stands still until a test advances it: hours pass in no time, in the right order, and nothing depends on luck.

    Within its block (`with` or `async with`, inside the running loop) the loop's `time()` and all its timers follow it:
    deadlines and timeouts of calls, keepalive and every other timer of Penstock, on both sides; `asyncio.sleep`,
    `asyncio.timeout`, `call_later` of handlers and of the test. After it, timers that are left run on real time.

    It works on asyncio's loops and on uvloop's. Timers that were set before keep to real time, as do `time.monotonic()`
    and what threads wait for. So a timeout within does not expire while the clock stands still; one that was begun
    before does, and so does a limit of the test runner.

    Concurrency: one at a time in a process, one task that advances it.

    Raises:
        UsageError: On entering: another one is in use, or no loop runs.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began = self._now = self._engine_began = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._advancing = False
        self._real_time: Callable[[], float] = time.monotonic
        self._grains = _timers.LONG_SECONDS, _timers.COARSEST_SECONDS

    def __enter__(self) -> Self:
        if _running:
            msg = "another ManualClock is in use; there is one time in a process"
            raise UsageError(msg)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            msg = "a ManualClock is entered inside a running event loop"
            raise UsageError(msg) from error
        _running.append(self)
        self._loop = loop
        self._real_time = loop.time
        self._began = self._now = loop.time()
        self._engine_began = _engine.now()
        _engine.hold_time(self._engine_began)
        self._grains = _timers.LONG_SECONDS, _timers.COARSEST_SECONDS
        _timers.LONG_SECONDS, _timers.COARSEST_SECONDS = 0.0, EXACT_SECONDS
        for name in PATCHED:
            setattr(loop, name, getattr(self, f"_{name}"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        loop = self._loop_here()
        for name in PATCHED:
            delattr(loop, name)
        _timers.LONG_SECONDS, _timers.COARSEST_SECONDS = self._grains
        _engine.hold_time(None)
        _running.remove(self)
        self._loop = None
        while self._timers:
            when, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                loop.call_later(when - self._now, timer.run)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def elapsed_seconds(self) -> float:
        """Seconds that have passed since it was entered."""
        return self._now - self._began

    @property
    def next_timer_seconds(self) -> float | None:
        """Seconds until the next timer is due; `None`: there is none, and time changes nothing."""
        self._drop_cancelled()
        return self._timers[0][0] - self._now if self._timers else None

    async def advance(self, seconds: float) -> None:
        """Let time pass.

        Timers that become due run in their order, each at its own time; what follows from one is done (see `settle`)
        before the next.

        Waits until: all that happens in that time has happened, but for what threads and other processes do.
        Cancelling: time has passed to somewhere in between.

        Args:
            seconds: From 0; 0 lets happen what is ready.

        Raises:
            UsageError: `seconds` is no number from 0; or the clock is not in use; or another task advances it.
        """
        _check_seconds(seconds)
        self._loop_here()
        if self._advancing:
            msg = "another task advances the clock"
            raise UsageError(msg)
        self._advancing = True
        try:
            await self._advance_to(self._now + seconds)
        finally:
            self._advancing = False

    async def _advance_to(self, end: float) -> None:
        await settle()
        while self._timers and self._timers[0][0] <= end + SLACK_SECONDS:
            self._set(self._timers[0][0])
            self._run_due()
            await settle()
        self._set(end)
        await settle()

    def _set(self, when: float) -> None:
        self._now = max(self._now, when)
        _engine.hold_time(self._engine_began + self.elapsed_seconds)

    def _run_due(self) -> None:
        while self._timers and self._timers[0][0] <= self._now:
            _, _, timer = heapq.heappop(self._timers)
            self._loop_here().call_soon(timer.run)

    def _drop_cancelled(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)

    def _loop_here(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            msg = "the clock is not in use: write `with clock:`, or give it to connected(clock=...)"
            raise UsageError(msg)
        return self._loop

    # In place of the loop's.

    def _time(self) -> float:
        if sys._getframe(1).f_code is RUN_ONCE:
            return self._real_time()  # the loop itself has only timers that were set before
        return self._now

    def _call_later(
        self, delay: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._call_at(self._now + delay, callback, *arguments, context=context)

    def _call_at(
        self, when: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        loop = self._loop_here()
        timer = Timer(when, callback, arguments, loop, context)
        if when <= self._now:
            loop.call_soon(timer.run)
        else:
            heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer


def _check_seconds(seconds: object) -> None:
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
        msg = f"advance takes seconds from 0, not {seconds!r}"
        raise UsageError(msg)
