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
    from collections.abc import AsyncGenerator, Callable, Iterable

    from penstock._ending import EndingStream
    from penstock.ends import End
    from penstock.status import Status

    AnyStream = EndingStream[Any, Any]

SLICE_CALLS = 8
"""Calls of a connection whose end has its consequences at once, and then in each turn of the loop: with handlers that
clean up little, 0.2 ms. In slices of 32 the calls of others waited 4 times as long."""

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
    at_once = len(lost) if why is why.EXITED else SLICE_CALLS
    _settle(loop, lost[:at_once])
    if lost[at_once:]:
        _pending_of(loop).add(lost[at_once:])


def finish(loop: asyncio.AbstractEventLoop, concerns: Callable[[AnyStream], bool]) -> None:
    """Do now what is left of it for some of the calls."""
    pending = _pending.get(loop)
    if pending is not None:
        # Their turns still come, and find nothing to do.
        _settle(loop, [call for calls in pending.calls for call in calls if concerns(call)])


def _pending_of(loop: asyncio.AbstractEventLoop) -> LostCalls:
    pending = _pending.get(loop)
    if pending is None:
        for closed in [each for each in list(_pending) if each.is_closed()]:
            del _pending[closed]  # nobody told it that it ends: nothing of it will run again
        pending = _pending[loop] = LostCalls(loop)
    return pending


class LostCalls:
    """Those of one loop whose end has had no consequences yet; when there are none, it is used up."""

    __slots__ = ("_loop", "_next", "_watching", "calls")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.calls: deque[deque[AnyStream]] = deque()
        """Of each connection; the first one has its turn, and is then the last."""
        self._watching: AsyncGenerator[None, None] | None = _loop_end.watch(self._on_loop_end)
        self._next = loop.call_soon(self._go_on)

    def add(self, calls: Iterable[AnyStream]) -> None:
        """Take those of one more connection."""
        self.calls.append(deque(calls))

    def _go_on(self) -> None:
        # Before the slice: nothing that is raised in it, Ctrl-C included, keeps the rest from its turn.
        self._next = self._loop.call_soon(self._go_on)
        calls = self.calls[0]
        _settle(self._loop, (calls.popleft() for _ in range(min(SLICE_CALLS, len(calls)))))
        self.calls.rotate(-1)
        if not calls:
            self.calls.pop()
        if not self.calls:
            self._end()
            if self._watching is not None:
                _loop_end.unwatch(self._watching)

    def _on_loop_end(self) -> None:
        self._watching = None
        self._end()
        for calls in self.calls:
            _settle(self._loop, calls)

    def _end(self) -> None:
        self._next.cancel()
        _pending.pop(self._loop, None)


def _settle(loop: asyncio.AbstractEventLoop, calls: Iterable[AnyStream]) -> None:
    for call in calls:
        try:
            call._settle()
        except Exception as error:  # noqa: BLE001 - it is told, and others must hear of their end all the same
            loop.call_exception_handler({"message": f"{call!r} failed as its connection was lost", "exception": error})
