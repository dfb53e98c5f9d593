"""What the connections of one server share: its settings, its routes, who is connected, what it has counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from penstock._admission import Gatekeeper
from penstock._counters import Counters
from penstock._expansions import Expansions
from penstock._memory import Memory
from penstock._message_watch import of_limits
from penstock._pool import Pool
from penstock._stragglers import Stragglers
from penstock._timers import Timers
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
        self.threads_refused = 0
        """Calls of sync handlers that were refused before it listened this time."""
        self.blocked_in_all = 0
        """How often its event loop was blocked for too long."""
        self._timers: Timers | None = None
        self._connection_timers: Timers | None = None
        self._expansions: Expansions | None = None
        self._pool: Pool | None = None
        self._stragglers: Stragglers | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def timers(self) -> Timers:
        """The deadlines of its calls."""
        if self._timers is None:
            self._timers = Timers(asyncio.get_running_loop())
        return self._timers

    @property
    def expansions(self) -> Expansions:
        """Whose turn it is to expand a message."""
        if self._expansions is None:
            self._expansions = Expansions(asyncio.get_running_loop())
        return self._expansions

    @property
    def connection_timers(self) -> Timers:
        """What its connections are watched by, however many calls they have."""
        if self._connection_timers is None:
            self._connection_timers = Timers(asyncio.get_running_loop())
        return self._connection_timers

    @property
    def pool(self) -> Pool:
        """The threads of its sync handlers."""
        if self._pool is None:
            limits = self.limits
            self._pool = Pool(
                asyncio.get_running_loop(), limits.sync_threads, limits.sync_queue_calls, limits.sync_queue_seconds
            )
        return self._pool

    @property
    def stragglers(self) -> Stragglers:
        """Handlers that still run when their call is over."""
        if self._stragglers is None:
            self._stragglers = Stragglers(asyncio.get_running_loop(), self.limits.handler_cleanup_seconds)
        return self._stragglers

    @property
    def detached(self) -> Collection[ServerStream[Any, Any]]:
        """Calls that are over, and nobody waits for their handlers, which still run."""
        return () if self._stragglers is None else self._stragglers.detached

    def route(self, path: str) -> Route | None:
        """What serves `path`, or `None`."""
        return self._routes.get(path, self._fallback)

    def call_of(self, task: asyncio.Task[Any]) -> ServerStream[Any, Any] | None:
        """The call whose handler runs in `task`. From any thread: a blocked loop cannot be asked."""
        hosts = [*list(self.connections), *list(self.gone)]
        calls = [call for connection in hosts for call in list(connection.calls)]
        return next((call for call in [*calls, *self.detached] if call._task is task), None)

    def enter_loop(self) -> None:
        """It begins to serve in the running loop."""
        loop = asyncio.get_running_loop()
        if self._loop not in {None, loop}:
            # It listened in another one before: timers and waiters of that are of no use here.
            self._timers = self._connection_timers = self._expansions = self._stragglers = None
            self.draining = asyncio.Event()
            if self._pool is not None:
                self._pool.close()
        if self._pool is not None and self._pool.is_closed:
            self.threads_refused += self._pool.refused
            self._pool = None
        self._loop = loop
