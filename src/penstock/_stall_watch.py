"""Clients that keep their windows shut, so that what they were sent waits here for ever."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from penstock.ends import End
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from penstock._server_connection import ServerConnection
    from penstock._timers import Expiring, Timers
    from penstock.server_calls import ServerStream

LOOKS = 4
"""In the time a call may be stalled: it ends at most a quarter of that late."""


class StallWatch:
    """Ends calls of one connection whose client took not one byte for too long, though something is queued for them.

    It goes through the calls a few times in all that while, so calls that flow pay nothing.
    """

    __slots__ = ("_among", "_connection", "_stalled", "_timeout", "_timers")

    def __init__(self, connection: ServerConnection, timers: Timers, timeout_seconds: float) -> None:
        self._connection = connection
        self._timers = timers
        self._timeout = timeout_seconds
        self._stalled: dict[ServerStream[Any, Any], tuple[int, float]] = {}
        self._among: set[Expiring] = set()

    def start(self) -> None:
        """The connection is established."""
        if self._timeout < inf:
            pause = self._timeout / LOOKS
            self._among = self._timers.add(self._connection.loop.time() + pause, pause, self)

    def stop(self) -> None:
        """The connection is over."""
        self._among.discard(self)
        self._stalled.clear()
        self._timeout = inf
        self._connection = None  # type: ignore[assignment]  # no cycle is left; nothing of this runs any more

    def _on_expired(self) -> None:
        if self._timeout == inf:
            return  # it was stopped in the moment its time came
        now, before = self._connection.loop.time(), self._stalled
        self._stalled = {}
        for call in list(self._connection.calls):
            tally = call._tally()
            queued, left = tally[7], tally[3] - tally[7]
            if queued and call._status is None:
                left_before, since = before.get(call, (left, now))
                self._stalled[call] = left, since if left == left_before else now
        for call, (_, since) in list(self._stalled.items()):
            if now - since >= self._timeout:
                text = f"nothing that is queued was taken for {self._timeout:g} s"
                call._close(Status(StatusCode.RESOURCE_EXHAUSTED, text), End.SEND_STALLED)
        self.start()
