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

ValueT = TypeVar("ValueT")

INHERITED: ContextVar[float | None] = ContextVar("penstock deadline", default=None)
"""Inside a handler: when its call must have ended (the loop's clock)."""


class Deadline:
    """A point in time on the loop's clock, or none."""

    __slots__ = ("_loop", "_tick", "_timeout", "_timers", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        self._loop = loop
        self._timeout = timeout
        self._when = None if timeout is None else loop.time() + timeout
        self._timers: Timers | None = None
        self._tick = math.inf

    @classmethod
    def of_call(cls, loop: asyncio.AbstractEventLoop, timeout: float | None, *, inherit: bool) -> Deadline:
        """For a call a client makes: its own timeout, or less if it is made inside a handler that has less left."""
        if timeout is not None and not timeout >= 0:
            msg = f"timeout is a number of seconds, 0 or more, not {timeout!r}"
            raise UsageError(msg)
        outer = INHERITED.get() if inherit else None
        if outer is not None:
            left = max(0.0, outer - loop.time())
            timeout = left if timeout is None else min(timeout, left)
        return cls(loop, None if timeout == math.inf else timeout)

    @property
    def when(self) -> float | None:
        """The loop's clock at the deadline."""
        return self._when

    def left(self) -> float | None:
        """Seconds left, below 0 if it is over; `None` without a deadline."""
        return None if self._when is None else self._when - self._loop.time()

    def is_over(self) -> bool:
        """The time is up."""
        return self._when is not None and self._loop.time() >= self._when

    def status(self) -> Status:
        """What a call that missed it ends with."""
        return Status(StatusCode.DEADLINE_EXCEEDED, f"the call did not end within {self._timeout:g} s")

    async def bound(self, waiting: Awaitable[ValueT]) -> ValueT:
        """Await something, at most until the deadline.

        Raises:
            DeadlineExceeded: It was not done by then, and is cancelled.
        """
        try:
            async with asyncio.timeout_at(self._when):
                return await waiting
        except TimeoutError as error:
            if isinstance(error, DeadlineExceeded) or not self.is_over():
                raise
            status = self.status()
            raise DeadlineExceeded(status.code, status.message) from None

    def watch(self, timers: Timers, item: Expiring) -> None:
        """Have `item` told when it is over."""
        if self._when is not None:
            self._timers = timers
            self._tick = timers.add(self._when, item)

    def unwatch(self, item: Expiring) -> None:
        """The call ended by itself."""
        if self._timers is not None:
            self._timers.remove(self._tick, item)
            self._timers = None
