"""Compressed messages of a server, expanded in pieces: a kilobyte that becomes four megabytes takes 3 ms in all.

How this works: the engine expands what is small at once, and the rest in steps of 0.1 ms at most. All calls of a server
together have a part of each turn of the loop for that. Connections take turns; on each, one message is expanded after
the other, so that a connection holds one that is not whole. Whose messages become far more than came gets a small part
of the time while others are busy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock._receiving import ValueT

STEP_SECONDS = 0.00005
"""What a step of the engine is planned with; it takes fewer where they take longer."""

IDLE_TURN_SECONDS = 0.001
"""What all calls of a server together may take in one turn of the loop; the last of them may overrun it by a piece."""

BUSY_TURN_SECONDS = 0.00015
"""The same while connections are busy that expand nothing: a turn costs 50 us of its own."""

EXCESS_BYTES = 8 * 1024 * 1024
"""What a client's messages may become that is far more than came, before it is slowed down while others are busy."""

SLOW_BYTES = 1024 * 1024
"""From which on it is read slowly beside others: calls that wait for their turn need not come fast."""

EXCESS_BYTES_PER_SECOND = 10e6
"""And from then on; that takes 1 % of the time."""


class Expanding(Protocol):
    """A stream, to what expands its messages."""

    @property
    def _is_expanding(self) -> bool: ...
    def _expand_on(self, steps: int) -> None: ...


class Engine(Protocol):
    """A connection, to the same."""

    @property
    def is_beside_others(self) -> bool: ...
    def take_excess(self) -> int: ...
    def slow_down(self, slowed: bool) -> None: ...


class Expansions:
    """Whose turn it is to expand a piece of a message: that of each line that waits, one after the other."""

    __slots__ = ("_count", "_lines", "_scheduled", "_spent", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._count = 0
        self._spent = 0.0
        self._scheduled = False
        self._lines: deque[Line] = deque()

    def left(self, seconds: float) -> float:
        """What is left of this turn of the loop, which may take so much."""
        return seconds - self._spent

    def add(self, line: Line) -> None:
        """Call its `wake` when it is its turn, until that says no."""
        self._lines.append(line)
        self._schedule()

    def count(self, seconds: float) -> None:
        """A piece took so long."""
        self._count += 1
        self._spent += seconds
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._on_turn)

    def _on_turn(self) -> None:
        each = self._spent / self._count if self._count else IDLE_TURN_SECONDS
        self._count, self._spent, self._scheduled = 0, 0.0, False
        # As many as those before suggest; who is one too many waits again, in front of the others.
        room = max(1, int(BUSY_TURN_SECONDS / each)) if each else 1
        while self._lines and room:
            line = self._lines.popleft()
            if line.wake():
                self._lines.append(line)
                room -= 1
                # Not left to those that are woken: they may be cancelled before they come to it.
                self._schedule()


class Line:
    """The calls of one connection that have something to expand."""

    __slots__ = (
        "_begun",
        "_engine",
        "_excess",
        "_expansions",
        "_holder",
        "_queued",
        "_rest",
        "_since",
        "_slowed",
        "_waiting",
    )

    def __init__(self, expansions: Expansions, engine: Engine) -> None:
        self._expansions = expansions
        self._engine = engine
        self._excess = self._since = 0.0
        self._slowed = False
        self._begun = False
        """A message is not whole yet: the others wait."""
        self._holder: asyncio.Future[None] | None = None
        """Whose message that is, while it waits for its next piece."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._queued = False
        self._rest: asyncio.TimerHandle | None = None

    async def expand(self, stream: Expanding, take: Callable[[], ValueT], tell_of_excess: Callable[[], None]) -> ValueT:
        """Take a message that may have to be expanded, piece by piece.

        Waits until: it is whole.
        Cancelling: what has been expanded stays with the stream, for its next receive.

        Args:
            stream: Whose message it is.
            take: Gives the message, or what else there is to say; may leave the stream expanding.
            tell_of_excess: Called when the client is slowed down.
        """
        holds = False
        try:
            while True:
                seconds = await self._turn(holds)
                began = perf_counter()
                try:
                    if stream._is_expanding:
                        stream._expand_on(max(1, round(seconds / STEP_SECONDS)))
                    else:
                        value = take()
                        if not stream._is_expanding:
                            return value
                finally:
                    self._expansions.count(perf_counter() - began)
                    if self._is_excessive():
                        tell_of_excess()
                holds = self._begun = True
        finally:
            if holds:
                self._begun, self._holder = False, None
                self._queue()

    def wake(self) -> bool:
        """Have the next piece expanded. False: nobody waits for that, or not now."""
        self._queued = self._rest is None and self._wake()
        return self._queued

    def _wake(self) -> bool:
        if self._begun:
            waiter, self._holder = self._holder, None
            if waiter is None or waiter.done():
                return False
            waiter.set_result(None)
            return True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return True
        return False

    async def _turn(self, holds: bool) -> float:
        """Wait for a turn of the loop that has time left; give how much a piece may take of it."""
        comes_first = holds
        while True:
            left = self._expansions.left(BUSY_TURN_SECONDS if self._engine.is_beside_others else IDLE_TURN_SECONDS)
            is_free = holds or not (self._begun or (self._waiting and not comes_first))
            if is_free and self._rest is None and left > STEP_SECONDS / 2:
                return left
            waiter = self._expansions.loop.create_future()
            if holds:
                self._holder = waiter
            elif comes_first:
                self._waiting.appendleft(waiter)
            else:
                self._waiting.append(waiter)
            self._queue()
            await waiter
            comes_first = True

    def _queue(self) -> None:
        waits = self._holder is not None if self._begun else bool(self._waiting)
        if waits and not self._queued and self._rest is None:
            self._queued = True
            self._expansions.add(self)

    def _is_excessive(self) -> bool:
        """What came became so much that others go first; true when that begins."""
        more = self._engine.take_excess()
        if not more and not self._slowed:
            return False
        now = perf_counter()
        left = max(0.0, self._excess - EXCESS_BYTES_PER_SECOND * (now - self._since))
        # Not more than for a second: what it did while it was alone harmed nobody.
        self._excess, self._since = min(left + more, EXCESS_BYTES + EXCESS_BYTES_PER_SECOND), now
        is_beside_others = self._engine.is_beside_others
        slowed = self._excess > SLOW_BYTES and (self._slowed or is_beside_others)
        if slowed != self._slowed:
            self._slow_down(slowed)
        beyond = self._excess - EXCESS_BYTES
        if beyond <= 0 or self._rest is not None or not is_beside_others:
            return False
        self._rest = self._expansions.loop.call_later(beyond / EXCESS_BYTES_PER_SECOND, self._go_on)
        return True

    def _slow_down(self, slowed: bool) -> None:
        # Its calls cost something too: they are opened, wait and end.
        self._slowed = slowed
        self._engine.slow_down(slowed)

    def _go_on(self) -> None:
        self._rest = None
        if not self._begun and not self._waiting:
            self._slow_down(False)
        self._queue()
