"""How long a server keeps a connection: its age, and the time it stands unused."""

from __future__ import annotations

import random
from math import inf
from typing import TYPE_CHECKING

from penstock._timers import Watch

if TYPE_CHECKING:
    from penstock._server_connection import ServerConnection
    from penstock._timers import Timers
    from penstock.limits import Limits

JITTER = 0.1
"""Of the age: clients that came together, after a restart for example, do not leave together. Source: proposal A9."""


class Lifetime(Watch["ServerConnection"]):
    """Sends a client away, gently: new calls go over a new connection, to another server perhaps."""

    __slots__ = ("_age_at", "_grace", "_idle", "_idle_since", "_is_old")

    def __init__(self, connection: ServerConnection, timers: Timers, limits: Limits) -> None:
        super().__init__(connection, timers)
        self._idle = limits.max_connection_idle_seconds
        self._grace = limits.max_connection_age_grace_seconds
        self._age_at = limits.max_connection_age_seconds
        self._idle_since = 0.0
        self._is_old = False

    def start(self) -> None:
        """The connection is established."""
        if self._is_over or self._idle == self._age_at == inf:
            return
        now = self._idle_since = self._connection.loop.time()
        self._age_at = now + self._age_at * random.uniform(1 - JITTER, 1 + JITTER)
        self._arm(now)

    def note_unused(self) -> None:
        """The last call ended."""
        if self._idle < inf and not self._is_over:
            self._idle_since = self._connection.loop.time()

    def _arm(self, now: float) -> None:
        left = min(self._age_at, self._idle_since + self._idle) - now
        if left < inf:
            self._wait(max(left, 0.001))

    def _look(self) -> None:
        now = self._connection.loop.time()
        if self._is_old:
            self._connection.end_calls("the connection has come to its age")
        elif now >= self._age_at:
            self._is_old = True
            self._connection.send_away("max_age")
            if self._grace < inf:
                self._wait(self._grace)
        else:
            if self._connection.calls:
                self._idle_since = now
            elif now >= self._idle_since + self._idle:
                self._idle = inf
                self._connection.send_away("max_idle")
            self._arm(now)  # also then: a call may be on its way, and has no longer than others
