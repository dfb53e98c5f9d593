"""What the connections of one server share: its settings, its routes, who is connected, what it has counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from penstock._admission import Gatekeeper
from penstock._counters import Counters
from penstock._equipment import Equipment
from penstock._memory import Memory
from penstock._message_watch import of_limits
from penstock.method import raw_method, server_codec

if TYPE_CHECKING:
    import ssl
    from collections.abc import Collection, Mapping

    from penstock._handlers import Route
    from penstock._server_connection import ServerConnection
    from penstock.admission import Admission
    from penstock.compression import Compression
    from penstock.keepalive import ServerKeepalive
    from penstock.limits import Limits
    from penstock.server_calls import ServerStream


class ServerCore:
    """The inside of a `Server`, which is its face.

    Raises:
        UsageError: `admission` limits a method that no service has.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        fallback: Route | None,
        limits: Limits,
        admission: Admission,
        keepalive: ServerKeepalive,
        compression: Compression | None,
    ) -> None:
        self._routes = routes
        self._fallback = fallback
        self.limits = limits
        self.timeouts = of_limits(limits)
        """How long calls may be without messages."""
        self.keepalive = keepalive
        self.compression = compression
        """What replies are compressed with."""
        self.gatekeeper = Gatekeeper(admission, {path: route.kind for path, route in routes.items()})
        """What it has taken on."""
        if fallback is None:
            self.gatekeeper.check_methods()
        self.memory = Memory(admission, limits, self.gatekeeper)
        """What its connections keep."""
        self.raw_codec = server_codec(raw_method("*"), limits)
        self.any_subtype = fallback is not None or not all(route.is_protobuf for route in routes.values())
        """Calls may come that say their messages are not protobuf."""
        self.tls: ssl.SSLContext | None = None
        """What the next connection uses; `None` in plaintext."""
        self.connections: set[ServerConnection] = set()
        """Clients that are connected."""
        self.gone: set[ServerConnection] = set()
        """Clients that were connected, and handlers of their calls still run."""
        self.draining = asyncio.Event()
        """Set when the server wants handlers to finish."""
        self.counters = Counters()
        self.ends = self.counters.ends
        """How many calls ended in which way."""
        self.abuses: Counter[str] = Counter()
        """Connections that were closed, or are served more slowly, for what their client did; by kind."""
        self.blocked_in_all = 0
        """How often its event loop was blocked for too long."""
        self.equipment: Equipment | None = None
        """What it has in the loop it serves in, or served in last."""

    @property
    def detached(self) -> Collection[ServerStream[Any, Any]]:
        """Calls that are over, and nobody waits for their handlers, which still run."""
        return () if self.equipment is None else self.equipment.stragglers.detached

    def route(self, path: str) -> Route | None:
        """What serves `path`, or `None`."""
        return self._routes.get(path, self._fallback)

    def call_of(self, task: asyncio.Task[Any]) -> ServerStream[Any, Any] | None:
        """The call whose handler runs in `task`. From any thread: a blocked loop cannot be asked."""
        hosts = [*list(self.connections), *list(self.gone)]
        calls = [call for connection in hosts for call in list(connection.calls)]
        return next((call for call in [*calls, *self.detached] if call._task is task), None)

    def enter(self, loop: asyncio.AbstractEventLoop) -> Equipment:
        """It begins to serve in this loop; give what it has there."""
        equipment = self.equipment
        if equipment is None or equipment.loop is not loop:
            self.draining = asyncio.Event()  # waiters of another loop are of no use here
            equipment = self.equipment = Equipment(loop, self.limits, equipment)
        equipment.open_pool()
        return equipment
