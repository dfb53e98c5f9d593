"""Deadlines by the thousand for one timer of the loop."""

from __future__ import annotations

import asyncio
import heapq
import math
from typing import Protocol


class Expiring(Protocol):
    """What can have a deadline."""

    def _on_expired(self) -> None: ...


class Timers:
    """The deadlines of one loop.

    A loop timer for each call costs a heap operation and an object that outlives the call. Here deadlines are rounded
    up to shared ticks: adding and removing is one set operation, and the loop sees one timer, for the next tick. A
    deadline is late by at most 1/64 of what it had left when it was added, and never by more than 50 ms.
    """

    __slots__ = ("_handle", "_loop", "_next", "_order", "_ticks")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ticks: dict[float, set[Expiring]] = {}
        self._order: list[float] = []
        self._handle: asyncio.TimerHandle | None = None
        self._next = math.inf

    def add(self, when: float, item: Expiring) -> float:
        """Expire `item` at `when` (the loop's clock). Returns what `remove` wants."""
        grain = _grain(when - self._loop.time())
        tick = math.ceil(when / grain) * grain
        waiting = self._ticks.get(tick)
        if waiting is None:
            self._ticks[tick] = {item}
            heapq.heappush(self._order, tick)
            if tick < self._next:
                self._arm(tick)
        else:
            waiting.add(item)
        return tick

    def remove(self, tick: float, item: Expiring) -> None:
        """Forget `item`. Harmless after it expired."""
        waiting = self._ticks.get(tick)
        if waiting is not None:
            waiting.discard(item)

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._ticks.values())

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
            item._on_expired()


def _grain(left: float) -> float:
    """A power of two, in seconds: at most 1/64 of the time left, from 1/4096 s to 1/32 s."""
    return 2.0 ** min(-5, max(-12, math.floor(math.log2(left / 64)))) if left > 0 else 2.0**-12
