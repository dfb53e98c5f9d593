"""A loop of nothing but timers, on a clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast


class Handle:
    """A timer of the loop."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualLoop:
    """The methods of a loop that timers need, and a clock that stands."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.handles: list[Handle] = []
        self.told: list[dict[str, Any]] = []
        """What the exception handler got."""

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        handle = Handle(when, callback)
        self.handles.append(handle)
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.told.append(context)

    def armed(self) -> list[Handle]:
        """Timers that wait."""
        return [handle for handle in self.handles if not handle.cancelled]

    def advance(self, to: float) -> None:
        """Move the clock, and run on the way what is due, each at its own time."""
        while due := [handle for handle in self.armed() if handle.when <= to]:
            first = min(due, key=lambda handle: handle.when)
            self.handles.remove(first)
            self.now = max(self.now, first.when)
            first.callback()
        self.now = to

    def as_loop(self) -> asyncio.AbstractEventLoop:
        """The same, for what asks for a whole loop."""
        return cast("asyncio.AbstractEventLoop", self)
