"""A server's connection: calls come, handlers run."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from math import inf
from typing import TYPE_CHECKING, Any

from penstock import _engine
from penstock._admission import Entrance
from penstock._expansions import Line
from penstock._lifetime import Lifetime
from penstock._memory import Portion
from penstock._message_watch import NEVER
from penstock._stall_watch import StallWatch
from penstock._transport import Transport
from penstock.ends import End
from penstock.server_calls import ServerStream
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock._equipment import Equipment
    from penstock._pool import Pool
    from penstock._receiving import ValueT
    from penstock._server_core import ServerCore
    from penstock._timers import Expiring
    from penstock.metadata import MetadataValue

logger = logging.getLogger("penstock.server")


LINGER_SECONDS = 1.0
"""How long a client that was sent away may take to close its end, when the last call is over."""

GO_AWAY_SECONDS = 5.0
"""How long the second GOAWAY waits for the client's answer to the first. Source: what grpc-go does."""


class ServerConnection(Transport):
    """One client."""

    def __init__(self, core: ServerCore, equipment: Equipment) -> None:
        super().__init__(
            core.limits,
            equipment.loop,
            client=False,
            timers=equipment.connection_timers,
            keepalive=core.keepalive,
            context=core.tls,
            compression=core.compression,
            any_subtype=core.any_subtype,
        )
        self._core = core
        self._equipment = equipment
        self.ends = core.ends
        self._counters = core.counters
        self._established = False
        self._authority = ""
        self._context = copy_context()
        """Where the ends of handlers are heard: one for all calls, where each would get its own."""
        self._among: set[Expiring] = set()
        self._is_noted = False
        self._is_cut = False
        self._entrance: Entrance
        self.portion: Portion
        """What its calls keep in memory."""
        self.draining = asyncio.Event()
        """Set when handlers should finish: the server stops, or the connection has come to its age."""
        self.engine.set_ping_policy(core.keepalive.min_ping_interval_seconds, core.keepalive.without_calls)
        self.timers = equipment.timers
        self._expansions = Line(equipment.expansions, self.engine)
        self._lifetime = Lifetime(self, equipment.connection_timers, core.limits)
        self._stall_watch = StallWatch(self, equipment.connection_timers, core.limits.send_stalled_timeout_seconds)
        self._ending: asyncio.TimerHandle | None = None
        self._over: Status | None = None
        """How calls end that come when no more handlers begin."""
        self.stragglers = equipment.stragglers
        """Handlers that still run when their call is over."""
        self.calls: set[ServerStream[Any, Any]] = set()
        """Calls that are open, or whose handler still runs."""
        self.finished: asyncio.Future[None] = self.loop.create_future()
        """Done when the connection drains and has no calls left."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        super().connection_made(transport)
        self._bound_time()
        self._entrance = Entrance(self._core.gatekeeper, self.peer)
        self.portion = Portion(self._core.memory, self.engine, self._entrance.peer)
        self._core.connections.add(self)
        self._counters.connections_made += 1
        if self._core.draining.is_set():
            self.abort("the server has stopped")  # accepted in the moment it stopped listening

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        super().connection_lost(error)
        self._among.discard(self)
        self._stall_watch.stop()
        self._lifetime.stop()
        if self._ending is not None:
            self._ending.cancel()
        self._core.connections.discard(self)
        if self.calls:
            self._core.gone.add(self)
            if self._core.draining.is_set():
                self.draining.set()
        self._counters.add(self)
        self._entrance.close()

    @property
    def pool(self) -> Pool:
        """The threads of sync handlers."""
        return self._equipment.pool

    def pushback_ms(self) -> int:
        """When a client that is refused should try again; below 0: never."""
        return self._core.gatekeeper.pushback_ms()

    @property
    def send_buffer_bytes(self) -> int:
        """What is queued on a stream at most before it has to wait."""
        return self._core.limits.send_buffer_bytes

    def shut_down(self) -> None:
        """The server stops: say GOAWAY; the connection ends after its last call."""
        self._lifetime.stop()
        if self._established:
            self.send_away("")
        else:
            self.close()
        self._check_finished()

    def send_away(self, text: str) -> None:
        """Say GOAWAY twice: what comes until the client has heard of the first is served."""
        self.draining.set()
        self.engine.go_away(0, text)
        if self._ending is None:
            # It answers the PING between the two at once, or never.
            self._ending = self.loop.call_later(GO_AWAY_SECONDS, self.engine.finish_shutdown)

    def end_silent(self, reason: str) -> None:
        """The client is gone without a word."""
        logger.info("%s: %s; closed", self.peer, reason)
        super().end_silent(reason)

    def close(self) -> None:
        """Close the socket, after what is written; a client that was sent away may have something under way to us."""
        transport = self._transport
        if self._ending is None or self._is_cut or transport is None or transport.is_closing():
            super().close()
            return
        if self._session is not None:
            self._session.finish()
        # Closing a socket with something unread resets it, and the client might never read its last answers. So the end
        # is when it closes too, which clients do when they read ours; what comes until then is read and dropped.
        try:
            transport.write_eof()
        except OSError:
            transport.close()  # it has closed already
            return
        self._on_backlog_gone()
        self._ending.cancel()
        self._ending = self.loop.call_later(LINGER_SECONDS, transport.close)

    def refuse_calls(self, why: str) -> None:
        """Begin no more handlers: of calls that still come the client has not heard that it should make none."""
        self._over = Status(StatusCode.UNAVAILABLE, why)

    def end_calls(self, why: str) -> None:
        """The time of grace is over, also for calls that still come."""
        status = self._over = Status(StatusCode.UNAVAILABLE, why)
        # What has not arrived by now is refused as unprocessed, and goes over the next connection.
        self.engine.finish_shutdown()
        for call in list(self.calls):
            call._close(status, End.DRAINED)

    def release(self, call: ServerStream[Any, Any]) -> None:
        """The call is over and its handler has ended, or it is no longer waited for. Harmless when repeated."""
        if call not in self.calls:
            return
        self.calls.remove(call)
        for place in call._places:
            place.taken -= 1
        if not self.calls:
            if self._transport is None:
                self._core.gone.discard(self)
            self._lifetime.note_unused()
            if self.draining.is_set():
                self._check_finished()

    def until_finished(self) -> asyncio.Future[None]:
        """Give what is done when the calls there are now are released; from here on it drains."""
        self.draining.set()  # one that came while the server stopped has not been told
        if self.calls and self.finished.done():
            self.finished = self.loop.create_future()  # one came late
        return self.finished

    def _check_finished(self) -> None:
        if not self.calls and not self.finished.done():
            self.finished.set_result(None)

    def _bound_time(self) -> None:
        left = self._core.limits.handshake_timeout_seconds
        if left < inf:
            self._among = self._equipment.connection_timers.add(self.loop.time() + left, left, self)

    def _on_expired(self) -> None:
        if self._established:
            self._note("slow_headers", "did not end a header block in time; closed")
            self.abort("a header block took too long", End.LIMIT)
            return
        if not self.reason:
            self._note("slow_handshake", "said no HTTP/2 preface in time; closed")
        self.abort("the handshake took too long", End.LIMIT)

    def _on_headers(self, begun: bool) -> None:
        if begun and self._established:
            self._bound_time()
        elif self._established:
            self._among.discard(self)

    def expand(self, call: ServerStream[Any, Any], take: Callable[[], ValueT]) -> Awaitable[ValueT]:
        """Take a message that may have to be expanded, in turns of the loop that have time for it."""
        return self._expansions.expand(call, take, self._note_excess)

    def _note_excess(self) -> None:
        self._note("expansions", "its messages become a hundred times what comes; its connection is served more slowly")

    def _on_abuse(self, kind: str, text: str, cut: bool) -> None:
        if cut:
            self._is_cut = True
            self.end_of_calls = End.BROKEN if kind == "protocol_error" else End.LIMIT
        self._note(kind, f"{text}; {'closed' if cut else 'its connection is served more slowly'}")

    def _note(self, kind: str, text: str) -> None:
        # Once for a connection: a line for each frame would be an attack too.
        if not self._is_noted:
            self._is_noted = True
            self._core.abuses[kind] += 1
            logger.warning("%s: %s", self.peer, text)

    def _on_tls_failed(self, reason: str) -> None:
        if self.tls is not None:
            super()._on_tls_failed(reason)
            return
        self.reason = reason
        logger.warning("%s: %s; closed", self.peer, reason)
        # Closing a socket with something unread resets it, and the peer might never read the alert: the end is when it
        # closes too, or the end of the time for the handshake.
        if self._transport is not None:
            self._transport.write_eof()

    def _on_settings(self) -> None:
        if not self._established:
            self._established = True
            self._among.discard(self)
            self._liveness.start()
            self._lifetime.start()
            self._stall_watch.start()

    def _on_closed(self, message: str, clean: bool, foreign: bool) -> None:
        if foreign:
            logger.warning("%s: %s; closed", self.peer, message)
        super()._on_closed(message, clean, foreign)

    def _on_over_budget(self) -> None:
        self._core.memory.relieve(self, self._core.connections)

    def _on_opened(
        self,
        stream_id: int,
        path: str,
        authority: str,
        metadata: list[tuple[str, MetadataValue]] | None,
        timeout_seconds: float | None,
    ) -> None:
        self._counters.calls_begun += 1
        route = self._core.route(path)
        # One text for all calls, where each brought its own: an idle stream is counted in bytes.
        if route is not None and route.path != "*":
            path = route.path
        if authority != self._authority:
            self._authority = authority
        codec, stream = (self._core.raw_codec, ServerStream) if route is None else (route.codec, route.stream)
        call: ServerStream[Any, Any] = stream(codec, self, path, self._authority, metadata, timeout_seconds)
        self.engine.adopt(call, stream_id)
        if route is None:
            call._close(Status(StatusCode.UNIMPLEMENTED, f"unknown method {path}"), End.REFUSED)
            return
        if timeout_seconds is not None and timeout_seconds <= 0:
            call._on_expired()
            return
        if self._over is not None:
            call._close(self._over, End.DRAINED)
            return
        if not self._entrance.admit(call):
            return
        if self._core.memory.bounds_methods:
            self.portion.add(stream_id, path)
        if call._deadline is not None:
            call._deadline.watch(self.timers, call)
        self.calls.add(call)
        call._life = call._life.start
        if self._core.timeouts is not NEVER:
            call._timeouts = self._core.timeouts
            call.set_message_timeouts()
        call._task = task = _engine.begin_task(self.loop, route.run(call), path)
        # Not a `finally` in the task: a task cancelled before its first step never runs one.
        task.add_done_callback(call._on_handler_done, context=self._context)
