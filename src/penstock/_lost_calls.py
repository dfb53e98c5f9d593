"""Calls whose connection is gone.

They have ended all at once: each knows its status, and whoever touches it hears that. What follows from an end, the
waits that are cut short, the handler that is cancelled, the line in the log, is work for each of them, and a connection
may have had thousands. So it is done in slices, and between two of them the loop serves others.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from penstock import _loop_end
from penstock.errors import Origin, outcome

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Iterable

    from penstock._ending import EndingStream
    from penstock.ends import End
    from penstock.status import Status

    AnyStream = EndingStream[Any, Any]

SLICE_CALLS = 32
"""Calls whose end has its consequences in one turn of the loop: with handlers that clean up little, a millisecond."""

_pending: dict[asyncio.AbstractEventLoop, LostCalls] = {}
"""Of the loops that have some."""


def end(loop: asyncio.AbstractEventLoop, calls: list[AnyStream], status: Status, why: End, *, retryable: bool) -> None:
    """End the calls of a connection that is gone, all in the same way.

    Args:
        loop: Theirs.
        calls: In the order in which the others hear of it.
        status: What they end with.
        why: The loop's own end (`End.EXITED`) leaves no turn for later: all is done now.
        retryable: The peer surely never saw them.
    """
    error = outcome(status, Origin.TRANSPORT, retryable=retryable)
    lost = [call for call in calls if call._end_with_connection(status, why, error)]
    if not lost:
        return
    lost[0]._ends()[why] += len(lost)
    pending = _pending.get(loop)
    if pending is None:
        if why is why.EXITED or len(lost) <= SLICE_CALLS:
            _settle(loop, lost)
            return
        pending = _pending[loop] = LostCalls(loop)
    pending.add(lost)
    if why is why.EXITED:
        pending.finish()


def finish(loop: asyncio.AbstractEventLoop) -> None:
    """Do all that is left of it now."""
    pending = _pending.get(loop)
    if pending is not None:
        pending.finish()


class LostCalls:
    """Those of one loop whose end has had no consequences yet; when there are none, it is used up."""

    __slots__ = ("_calls", "_loop", "_next", "_watching")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[AnyStream] = deque()
        self._next: asyncio.Handle | None = None
        self._watching: AsyncGenerator[None, None] | None = _loop_end.watch(self._on_loop_end)

    def add(self, calls: Iterable[AnyStream]) -> None:
        """Take some more; the first slice of the first ones is done at once."""
        self._calls.extend(calls)
        if self._next is None:
            self._go_on()

    def finish(self) -> None:
        """Do the rest now."""
        if self._next is not None:
            self._next.cancel()
        self._do(len(self._calls))

    def _go_on(self) -> None:
        # Before the slice: nothing that is raised in it, Ctrl-C included, keeps the rest from its turn.
        self._next = self._loop.call_soon(self._go_on)
        self._do(SLICE_CALLS)
        if not self._calls:
            self._next.cancel()

    def _on_loop_end(self) -> None:
        self._watching = None
        self.finish()

    def _do(self, most: int) -> None:
        calls = self._calls
        _settle(self._loop, (calls.popleft() for _ in range(min(most, len(calls)))))
        if not calls:
            _pending.pop(self._loop, None)
            if self._watching is not None:
                _loop_end.unwatch(self._watching)


def _settle(loop: asyncio.AbstractEventLoop, calls: Iterable[AnyStream]) -> None:
    for call in calls:
        try:
            call._settle()
        except Exception as error:  # noqa: BLE001 - it is told, and others must hear of their end all the same
            loop.call_exception_handler({"message": f"{call!r} failed as its connection was lost", "exception": error})
