"""Compressed messages, expanded a few at a time: a kilobyte that becomes four megabytes holds up the loop for 3 ms."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter

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

    async def begin(self) -> float:
        """Wait for a turn that has time left; give what `end` is to be told."""
        if self._waiting or self._spent >= TURN_SECONDS:
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            self._schedule()
            await waiter
        return perf_counter()

    def end(self, began: float) -> tuple[float, float]:
        """A message is expanded. Give the time, and what it took, for `Share`."""
        now = perf_counter()
        self._count += 1
        self._spent += now - began
        self._schedule()
        return now, now - began

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


NOTED_SECONDS = 0.25
"""Of one second: a client whose messages take so much is worth a line in the log."""


class Share:
    """What the messages of one connection take."""

    __slots__ = ("_since", "_spent")

    def __init__(self) -> None:
        self._since = self._spent = 0.0

    def is_large(self, now: float, seconds: float) -> bool:
        """Add what one took; true if it is much by now, within a second."""
        if now - self._since >= 1.0:
            self._since, self._spent = now, 0.0
        self._spent += seconds
        return self._spent >= NOTED_SECONDS
