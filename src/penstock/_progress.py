"""A peer that reads nothing any more, while its kernel goes on saying that the line is fine."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from penstock._timers import Watch

if TYPE_CHECKING:
    from penstock._timers import Timers
    from penstock._transport import Transport


class WriteProgress(Watch["Transport"]):
    """Ends a connection whose socket took not one byte for `timeout_seconds`, though there is something to write.

    Bulk fills the socket's buffer many times a second, so it is not the timer that follows: it stands while there is
    anything to see, and looks at what became of the buffer.
    """

    __slots__ = ("_armed", "_fills", "_seen", "_timeout")

    def __init__(self, connection: Transport, timers: Timers, timeout_seconds: float) -> None:
        super().__init__(connection, timers)
        self._timeout = timeout_seconds
        self._armed = False
        self._fills = 0
        self._seen = 0, 0

    def note_full(self) -> None:
        """The socket takes no more."""
        self._fills += 1
        if not self._armed and not self._is_over and self._timeout < inf:
            self._arm()

    def _arm(self) -> None:
        self._armed = True
        self._seen = self._fills, self._connection.unwritten_bytes
        self._wait(self._timeout)

    def _look(self) -> None:
        self._armed = False
        if not self._connection.is_full:
            return
        if (self._fills, self._connection.unwritten_bytes) != self._seen:
            self._arm()
        else:
            self._connection.end_silent(f"the peer is silent: it read nothing for {self._timeout:g} s")
