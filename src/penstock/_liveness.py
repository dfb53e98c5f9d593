"""Asking a peer whether it is there, when nothing was heard of it for long."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from penstock import _engine
from penstock._timers import Watch

if TYPE_CHECKING:
    from penstock._timers import Timers
    from penstock._transport import Transport
    from penstock.keepalive import ClientKeepalive, ServerKeepalive

LAST_LOOK_SECONDS = 0.02
"""Before a peer is given up: a loop that was blocked may look at its timers first, and at its sockets behind them."""


class Liveness(Watch["Transport"]):
    """Watches one connection with one timer: `time_seconds` after the last byte read it asks, then waits for any byte.

    Nothing is done when bytes come: the engine notes the time of each read, and the timer looks at that.
    """

    __slots__ = (
        "_asked_at",
        "_looked_twice",
        "_time",
        "_timeout",
        "_without_calls",
        "is_dormant",
    )

    def __init__(self, connection: Transport, timers: Timers, settings: ClientKeepalive | ServerKeepalive) -> None:
        super().__init__(connection, timers)
        self._time = settings._interval_seconds
        self._timeout = settings.timeout_seconds
        self._without_calls = settings._asks_without_calls
        self._asked_at: float | None = None
        self._looked_twice = False
        self.is_dormant = False
        """There is no call, and so nothing to ask for: `wake` it when one begins."""

    def start(self) -> None:
        """The connection is established."""
        if self._time < inf:
            self._wait(self._time)

    def wake(self) -> None:
        """A call begins; if the connection stood unused for long, ask now whether it still stands."""
        self.is_dormant = False
        self._on_expired()

    def _look(self) -> None:
        engine, now = self._connection.engine, _engine.now()
        heard_at = engine.last_read_at
        if self._asked_at is not None and heard_at < self._asked_at:
            left = self._asked_at + self._timeout - now
            if left > 0:
                self._wait(min(self._time, left))  # whoever is never given up is looked at all the same
            elif not self._looked_twice:
                self._looked_twice = True
                self._wait(LAST_LOOK_SECONDS)
            else:
                self._connection.end_silent(f"the peer is silent: no answer to a PING within {self._timeout:g} s")
            return
        self._asked_at, self._looked_twice = None, False
        left = heard_at + self._time - now
        if left > 0:
            self._wait(left)
        elif self._without_calls or engine.open_calls:
            self._asked_at = now
            engine.ping()
            self._wait(min(self._time, self._timeout))
        else:
            self.is_dormant = True
