"""Compressed messages, expanded a few at a time: a kilobyte that becomes four megabytes holds up the loop for 3 ms."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

ValueT = TypeVar("ValueT")

TURN_SECONDS = 0.001
"""What all calls of a server together may take in one turn of the loop; the last of them may overrun it by one message.
200 calls with 4 MiB each held a neighbour for 0.56 s when all began in the same turn."""


class Expansions:
    """Who may expand a message in this turn of the loop, and who waits for a later one.

    Those that wait are woken in the order they came, as many in a turn as those before suggest.
    """

    __slots__ = ("_count", "_loop", "_scheduled", "_spent", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._count = 0
        self._spent = 0.0
        self._scheduled = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def run(self, expand: Callable[[], ValueT]) -> ValueT:
        """Call it in a turn that has time left, and give what it gives."""
        began = await self.begin()
        try:
            return expand()
        finally:
            self.end(began)

    async def begin(self) -> float:
        """Wait for a turn that has time left; give what `end` is to be told."""
        if self._waiting or self._spent >= TURN_SECONDS:
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            self._schedule()
            await waiter
        return perf_counter()

    def end(self, began: float) -> None:
        """A message is expanded."""
        self._count += 1
        self._spent += perf_counter() - began
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._on_turn)

    def _on_turn(self) -> None:
        each = self._spent / self._count if self._count else TURN_SECONDS
        self._count, self._spent, self._scheduled = 0, 0.0, False
        room = max(1, int(TURN_SECONDS / each)) if each else 1
        while self._waiting and room:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                room -= 1
        if self._waiting:
            # Not left to those that were woken: they may be cancelled before they come to it.
            self._schedule()
