"""When a call must have ended, on either side."""

from __future__ import annotations

import asyncio
import math
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from penstock.errors import DeadlineExceeded, UsageError
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from penstock._timers import Expiring, Timers
    from penstock.limits import CallOptions

ValueT = TypeVar("ValueT")

INHERITED: ContextVar[float | None] = ContextVar("penstock deadline", default=None)
"""Inside a handler: when its call must have ended (the loop's clock)."""

CLOCK_SECONDS = 0.001
"""The clock and the timers of uvloop count milliseconds: what waited until a deadline may look at it before it."""


class Deadline:
    """A point in time on the loop's clock. A call without one has `None` in its place."""

    __slots__ = ("_among", "_loop", "_timeout", "when")

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop = loop
        self._timeout = timeout
        self._among: set[Expiring] | None = None
        self.when = loop.time() + timeout
        """The loop's clock at the deadline."""

    def left(self) -> float:
        """Seconds left, below 0 if it is over."""
        return self.when - self._loop.time()

    def is_over(self) -> bool:
        """The time is up."""
        return self._loop.time() >= self.when - CLOCK_SECONDS

    def status(self) -> Status:
        """What a call that missed it ends with."""
        return Status(StatusCode.DEADLINE_EXCEEDED, f"the call did not end within {self._timeout:g} s")

    async def bound(self, waiting: Awaitable[ValueT]) -> ValueT:
        """Await something, at most until the deadline.

        Raises:
            DeadlineExceeded: It was not done by then, and is cancelled.
        """
        scope = asyncio.timeout_at(self.when)
        try:
            async with scope:
                return await waiting
        except TimeoutError as error:
            if isinstance(error, DeadlineExceeded) or not scope.expired():
                raise
        # Not within `except`: as its context the TimeoutError would lead to the task, and the task to this error.
        status = self.status()
        raise DeadlineExceeded(status.code, status.message)

    def watch(self, timers: Timers, item: Expiring) -> None:
        """Have `item` told when it is over."""
        self._among = timers.add(self.when, self._timeout, item)

    def unwatch(self, item: Expiring) -> None:
        """The call ended by itself."""
        if self._among is not None:
            self._among.discard(item)


def of_call(loop: asyncio.AbstractEventLoop, timeout: float | None, options: CallOptions | None) -> Deadline | None:
    """For a call a client makes: its own timeout, or less if it is made inside a handler that has less left."""
    if timeout is not None:
        check_timeout(timeout)
    outer = INHERITED.get() if options is None or options.inherit_deadline else None
    if outer is not None:
        left = max(0.0, outer - loop.time())
        timeout = left if timeout is None else min(timeout, left)
    if timeout is None:
        return None
    return None if timeout == math.inf else Deadline(loop, timeout)


def check_timeout(timeout: object) -> None:
    """Look at what a program gave.

    Raises:
        UsageError: It is no number, or one below 0.
    """
    if not isinstance(timeout, (int, float)) or not timeout >= 0:
        msg = f"timeout is a number of seconds, 0 or more, not {timeout!r}"
        raise UsageError(msg)


async def bounded(deadline: Deadline | None, waiting: Awaitable[ValueT]) -> ValueT:
    """Await something, at most until the deadline, if there is one."""
    return await waiting if deadline is None else await deadline.bound(waiting)
