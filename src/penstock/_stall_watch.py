"""Clients that keep their windows shut, so that what they were sent waits here for ever."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from penstock._timers import Watch
from penstock.ends import End
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from penstock._server_connection import ServerConnection
    from penstock._timers import Timers
    from penstock.server_calls import ServerStream

LOOKS = 4
"""In the time a call may be stalled: it ends at most a quarter of that late."""


class StallWatch(Watch["ServerConnection"]):
    """Ends calls of one connection whose client took not one byte for too long, though something is queued for them.

    It goes through the calls a few times in all that while, so calls that flow pay nothing.
    """

    __slots__ = ("_stalled", "_timeout")

    def __init__(self, connection: ServerConnection, timers: Timers, timeout_seconds: float) -> None:
        super().__init__(connection, timers)
        self._timeout = timeout_seconds
        self._stalled: dict[ServerStream[Any, Any], tuple[int, float]] = {}

    def start(self) -> None:
        """The connection is established."""
        if self._timeout < inf:
            self._wait(self._timeout / LOOKS)

    def stop(self) -> None:
        """The connection is over."""
        super().stop()
        self._stalled.clear()

    def _look(self) -> None:
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
