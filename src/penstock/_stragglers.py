"""Handlers that still run when their call is over: they get some time to clean up, then nobody waits for them."""

from __future__ import annotations

import logging
import math
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

from penstock._deadline import CLOCK_SECONDS

if TYPE_CHECKING:
    import asyncio

    from penstock.server_calls import ServerStream

logger = logging.getLogger("penstock.server")


SHOWN_AT_ONCE = 10
"""Handlers that are shown with their stack, of those whose time is over together: a stack costs a millisecond."""


class Stragglers:
    """The handlers of a server that were cancelled and have not ended, by their calls.

    All get the same time, so those whose time is over are the first that came: one ordered dictionary, one timer.
    """

    __slots__ = ("_loop", "_seconds", "_timer", "cancelled", "detached", "detached_in_all")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self.cancelled: OrderedDict[ServerStream[Any, Any], float] = OrderedDict()
        """Those that clean up, and when each was cancelled (the loop's clock)."""
        self.detached: dict[ServerStream[Any, Any], float] = {}
        """Those that took too long and still run, and when each was cancelled."""
        self.detached_in_all = 0
        """How many took too long, from the beginning."""

    def add(self, call: ServerStream[Any, Any]) -> None:
        """The handler of the call was cancelled."""
        now = self.cancelled[call] = self._loop.time()
        if self._timer is None and self._seconds < math.inf:
            self._timer = self._loop.call_at(now + self._seconds, self._look)

    def remove(self, call: ServerStream[Any, Any]) -> None:
        """The handler has ended, in time or after all. Harmless when repeated."""
        if self.cancelled.pop(call, None) is None:
            since = self.detached.pop(call, None)
            if since is not None:
                seconds = self._loop.time() - since
                text = "%s from %s: the detached handler has ended, %.1f s after its cancellation"
                logger.info(text, call.method, call.peer, seconds)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        more: Counter[str] = Counter()
        shown = 0
        while self.cancelled:
            call, since = next(iter(self.cancelled.items()))
            if since + self._seconds > now + CLOCK_SECONDS:
                self._timer = self._loop.call_at(since + self._seconds, self._look)
                break
            del self.cancelled[call]
            self._detach(call, since)
            if shown < SHOWN_AT_ONCE:
                shown += 1
                text = (
                    "%s from %s: the handler still runs %.1f s after its cancellation, and is detached. It is here:\n%s"
                )
                logger.error(text, call.method, call.peer, now - since, call._where().rstrip())
            else:
                more[call.method] += 1
        if more:
            counts = ", ".join(f"{count} of {method}" for method, count in more.most_common())
            logger.error("more handlers still run after their cancellation, and are detached: %s", counts)

    def _detach(self, call: ServerStream[Any, Any], since: float) -> None:
        self.detached[call] = since
        self.detached_in_all += 1
        call._detach()
