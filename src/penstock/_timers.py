"""Deadlines by the thousand for one timer of the loop."""

from __future__ import annotations

import asyncio
import heapq
import math
from typing import Generic, Protocol, TypeVar


class Expiring(Protocol):
    """What can have a deadline."""

    def _on_expired(self) -> None: ...


FINEST, COARSEST = -12, -5
"""Grains of time, as powers of two: from 1/4096 s to 1/32 s."""

FEW_TICKS = 64
"""So many ticks are kept without a look at which of them are empty: an empty set keeps the room of all it ever held, so
that 1,024 of them looked like a leak of 9 bytes a call for minutes."""

PARTS = 6
"""A grain is at most 2**-6 = 1/64 of the time left."""

COARSEST_SECONDS = 2.0**COARSEST
LONG_SECONDS = 2.0 ** (COARSEST + PARTS)
"""From here on the grain is the coarsest."""


class Timers:
    """The deadlines of one loop.

    A loop timer for each call costs a heap operation and an object that outlives the call. Here deadlines are rounded
    up to shared ticks: adding and removing is one set operation, and the loop sees one timer, for the next tick. A
    deadline is late by at most 1/64 of what it had left when it was added (1/4096 s if that is less), and never by
    more than 1/32 s.
    """

    __slots__ = ("_crowded", "_handle", "_loop", "_next", "_order", "_ticks")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ticks: dict[float, set[Expiring]] = {}
        self._order: list[float] = []
        self._handle: asyncio.TimerHandle | None = None
        self._next = math.inf
        self._crowded = FEW_TICKS

    def add(self, when: float, left: float, item: Expiring) -> set[Expiring]:
        """Expire `item` at `when` (the loop's clock), which is `left` seconds from now, more than 0.

        Returns:
            The set that holds it: discard it from there when it has ended. Harmless after it expired.
        """
        if left >= LONG_SECONDS:
            grain = COARSEST_SECONDS  # most deadlines: 0.3 us less
        else:
            grain = math.ldexp(1.0, max(FINEST, math.frexp(left)[1] - 1 - PARTS))
        tick = math.ceil(when / grain) * grain
        waiting = self._ticks.get(tick)
        if waiting is None:
            if len(self._order) >= self._crowded:
                self._sweep()
            waiting = self._ticks[tick] = set()
            heapq.heappush(self._order, tick)
            if tick < self._next:
                self._arm(tick)
        waiting.add(item)
        return waiting

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._ticks.values())

    def tidy(self) -> None:
        """Keep nothing for calls that have ended, and no timer of the loop if all have."""
        self._sweep()
        if self._handle is not None and not self._ticks:
            self._handle.cancel()
            self._handle, self._next = None, math.inf

    def _sweep(self) -> None:
        # Calls end long before a deadline that is hours away; what they leave would otherwise stay until then.
        self._ticks = {tick: waiting for tick, waiting in self._ticks.items() if waiting}
        self._order = sorted(self._ticks)
        self._crowded = max(FEW_TICKS, 2 * len(self._order))

    def _arm(self, tick: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._next = tick
        self._handle = self._loop.call_at(tick, self._expire)

    def _expire(self) -> None:
        now = self._loop.time()
        expired: list[Expiring] = []
        while self._order and (self._order[0] <= now or not self._ticks[self._order[0]]):
            expired.extend(self._ticks.pop(heapq.heappop(self._order)))
        self._handle, self._next = None, math.inf
        if self._order:
            self._arm(self._order[0])
        for item in expired:
            try:
                item._on_expired()
            except Exception as error:  # noqa: BLE001 - it is told, and the deadlines of others must not be lost with it
                self._loop.call_exception_handler({"message": f"{item!r} failed as it expired", "exception": error})


class Timed(Protocol):
    """What can be watched."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...


TimedT = TypeVar("TimedT", bound=Timed)


class Watch(Generic[TimedT]):
    """Looks at a connection when a time is over, and chooses the next; until it is stopped."""

    __slots__ = ("_among", "_connection", "_is_over", "_timers")

    def __init__(self, connection: TimedT, timers: Timers) -> None:
        self._connection = connection
        self._timers = timers
        self._among: set[Expiring] = set()
        self._is_over = False

    def stop(self) -> None:
        """The connection is over, or is watched no more. Harmless when repeated."""
        self._is_over = True
        self._among.discard(self)
        self._connection = None  # type: ignore[assignment]  # no cycle is left; nothing of this runs any more

    def _wait(self, seconds: float) -> None:
        """Look when so much time is over."""
        if not self._is_over:  # what it did may have stopped it
            self._among = self._timers.add(self._connection.loop.time() + seconds, seconds, self)

    def _on_expired(self) -> None:
        if not self._is_over:  # what expired before it in this moment may have stopped it
            self._look()

    def _look(self) -> None:
        raise NotImplementedError
