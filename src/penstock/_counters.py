"""What a server, or a channel, counts from its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.ends import End

if TYPE_CHECKING:
    from penstock._transport import Transport


class Counters:
    """Sums that only grow; what lives now is counted where it lives."""

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "calls_begun",
        "connection_ends",
        "connections_made",
        "ends",
        "ping_strikes",
        "pings",
        "pings_sent",
        "resets",
    )

    def __init__(self) -> None:
        self.calls_begun = 0
        """Calls that began, those that were refused, or given up before they began, included."""
        self.ends = dict.fromkeys(End, 0)
        """How calls ended."""
        self.connections_made = 0
        """Sockets that were connected."""
        self.connection_ends = dict.fromkeys(End, 0)
        """Why they were closed."""
        # Of connections that have ended.
        self.bytes_received = self.bytes_sent = self.resets = 0
        self.pings = self.ping_strikes = self.pings_sent = 0

    def add(self, connection: Transport) -> None:
        """Keep what an ending connection has counted."""
        engine = connection.engine
        self.connection_ends[connection.end_of_calls] += 1
        self.bytes_received += engine.bytes_received
        self.bytes_sent += engine.bytes_sent
        self.pings += engine.pings_received
        self.ping_strikes += engine.ping_strikes
        self.pings_sent += engine.pings_sent
        self.resets += engine.resets_received
