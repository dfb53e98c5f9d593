"""A server's connection: calls come, handlers run."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from penstock._admission import Entrance
from penstock._transport import Transport
from penstock.ends import End
from penstock.server_calls import ServerStream
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from penstock._pool import Pool
    from penstock._timers import Expiring
    from penstock.metadata import MetadataValue
    from penstock.server import Server

logger = logging.getLogger("penstock.server")


class ServerConnection(Transport):
    """One client."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server.limits,
            loop,
            client=False,
            context=server.tls,
            compression=server.compression,
            any_subtype=server.any_subtype,
        )
        self._server = server
        self.ends = server.ends
        self._established = False
        self._among: set[Expiring] = set()
        self._entrance: Entrance
        self.draining = server.draining
        """Set when handlers should finish."""
        self.calls: set[ServerStream[Any, Any]] = set()
        """Calls that are open, or whose handler still runs."""
        self.finished: asyncio.Future[None] = loop.create_future()
        """Done when the connection drains and has no calls left."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        super().connection_made(transport)
        left = self._server.limits.handshake_timeout_seconds
        self._among = self._server.timers.add(self.loop.time() + left, left, self)
        self._server.connections.add(self)
        self._entrance = Entrance(self._server.gatekeeper, self.peer)
        if self.draining.is_set():
            self.abort("the server has stopped")  # accepted in the moment it stopped listening

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        super().connection_lost(error)
        self._among.discard(self)
        self._server.connections.discard(self)
        self._entrance.close()

    @property
    def pool(self) -> Pool:
        """The threads of sync handlers."""
        return self._server.pool

    def pushback_ms(self) -> int:
        """When a client that is refused should try again; below 0: never."""
        return self._server.gatekeeper.pushback_ms()

    @property
    def send_buffer_bytes(self) -> int:
        """What is queued on a stream at most before it has to wait."""
        return self._server.limits.send_buffer_bytes

    def shut_down(self) -> None:
        """Say GOAWAY; the connection ends after its last call."""
        if self._established:
            self.engine.shut_down()
        else:
            self.close()
        self._check_finished()

    def release(self, call: ServerStream[Any, Any]) -> None:
        """The call is over and its handler has ended, or it is no longer waited for. Harmless when repeated."""
        if call not in self.calls:
            return
        self.calls.remove(call)
        for place in call._places:
            place.taken -= 1
        if self.draining.is_set():
            self._check_finished()

    def _check_finished(self) -> None:
        if not self.calls and not self.finished.done():
            self.finished.set_result(None)

    def _on_expired(self) -> None:
        if not self.reason:
            logger.info("%s said no HTTP/2 preface in time; closed", self.peer)
        self.abort("the handshake took too long")

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
        self._established = True
        self._among.discard(self)

    def _on_closed(self, message: str, clean: bool, foreign: bool) -> None:
        if foreign:
            logger.warning("%s: %s; closed", self.peer, message)
        super()._on_closed(message, clean, foreign)

    def _on_opened(
        self,
        stream_id: int,
        path: str,
        authority: str,
        metadata: list[tuple[str, MetadataValue]] | None,
        timeout_seconds: float | None,
    ) -> None:
        route = self._server.route(path)
        codec, stream = (self._server.raw_codec, ServerStream) if route is None else (route.codec, route.stream)
        call: ServerStream[Any, Any] = stream(codec, self, path, authority, metadata, timeout_seconds)
        self.engine.adopt(call, stream_id)
        if route is None:
            call._close(Status(StatusCode.UNIMPLEMENTED, f"unknown method {path}"), End.REFUSED)
            return
        if timeout_seconds is not None and timeout_seconds <= 0:
            call._on_expired()
            return
        if not self._entrance.admit(call):
            return
        if call._deadline is not None:
            call._deadline.watch(self._server.timers, call)
        self.calls.add(call)
        call._life = call._life.start
        call._task = task = self.loop.create_task(route.run(call), name=path)
        # Not a `finally` in the task: a task cancelled before its first step never runs one.
        task.add_done_callback(call._on_handler_done)
