"""The asyncio protocol: bytes from the socket into the engine, bytes from the engine into the socket."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import weakref
from math import inf
from typing import TYPE_CHECKING, Any, cast

from penstock import _address, _engine, _loop_end, _lost_calls, _pieces, tls
from penstock._ending import ENDS
from penstock._liveness import Liveness
from penstock._progress import WriteProgress
from penstock._timers import Timers
from penstock._tls_session import TlsSession
from penstock.ends import End
from penstock.keepalive import ClientKeepalive
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection

    from penstock._ending import EndingStream
    from penstock.compression import Compression
    from penstock.keepalive import ServerKeepalive
    from penstock.limits import Limits
    from penstock.metadata import MetadataValue

READ_BYTES = 256 * 1024
"""One read of a socket: what the kernel's buffers hold."""

MOST_USER_TIMEOUT_MS = 2**31 - 1
"""What the kernel keeps it in."""

_live: weakref.WeakSet[Transport] = weakref.WeakSet()
_thread = threading.local()


def _silence_after_fork() -> None:
    # The child has the parent's sockets: one byte from it, and the parent's connection is garbage.
    for transport in list(_live):
        transport.forget()
    _live.clear()
    _engine.reading_is_forgotten()


os.register_at_fork(after_in_child=_silence_after_fork)


def live_transports() -> Collection[Transport]:
    """Connections whose socket is open, in the whole process."""
    return list(_live)


def _read_buffer() -> _engine.ReadBuffer:
    # A read is used up before the loop goes on, so one buffer serves all connections of a thread, warm in the cache.
    buffer: _engine.ReadBuffer | None = getattr(_thread, "buffer", None)
    if buffer is None:
        buffer = _thread.buffer = _engine.ReadBuffer(READ_BYTES)
    return buffer


class Transport(asyncio.BufferedProtocol):
    """One connection. Subclasses are the client's and the server's.

    With a `context` TLS stands between socket and engine; a client's needs the `server_hostname`.
    """

    def __init__(
        self,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        *,
        client: bool,
        timers: Timers | None = None,
        keepalive: ClientKeepalive | ServerKeepalive | None = None,
        compression: Compression | None = None,
        any_subtype: bool = False,
        context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        user_agent: str = "",
    ) -> None:
        self.loop = loop
        self.peer = ""
        self.tls: tls.TlsPeer | None = None
        """What the handshake showed of the peer; `None` in plaintext."""
        self.engine = _engine.Connection(
            client=client,
            read_buffer=_read_buffer(),
            stream_window_bytes=limits.stream_window_bytes,
            max_frame_bytes=limits.max_frame_bytes,
            max_concurrent_streams=limits.max_concurrent_streams,
            max_header_list_bytes=limits.max_metadata_bytes,
            max_receive_message_bytes=limits.max_receive_message_bytes,
            send_buffer_bytes=limits.send_buffer_bytes,
            coding=None if compression is None else compression.value,
            any_subtype=any_subtype,
            user_agent=user_agent,
            connection_budget_bytes=max(limits.connection_buffer_bytes, limits._most_held_bytes),
        )
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self.reason = ""
        """Why the connection ended, for people; empty before."""
        self.end_of_calls = End.CONNECTION_LOST
        """Why the calls end that the connection's end ends; set it before this side ends it for a reason of its own."""
        self.told_ends: set[End] = set()
        """Of which ends of its calls the log has told."""
        self.began = 0.0
        """When the socket was connected, in seconds of `_engine.now`."""
        self._transport: asyncio.Transport | None = None
        self._session = None if context is None else TlsSession(self, context, server_hostname)
        self.is_full = False
        """The socket takes no more."""
        self._is_behind = False
        self._pause: asyncio.TimerHandle | None = None
        """Ends a time in which nothing is read."""
        self._watching_loop: AsyncGenerator[None, None] | None = None
        timers = Timers(loop) if timers is None else timers  # an empty one is false
        keepalive = keepalive or ClientKeepalive()
        is_bounded = keepalive.time_seconds < inf and keepalive.timeout_seconds < inf
        self._user_timeout = keepalive.timeout_seconds if is_bounded else 0.0
        self._liveness = Liveness(self, timers, keepalive)
        self._progress = WriteProgress(self, timers, limits.write_timeout_seconds)
        # The loop calls the engine itself: no Python frame between a read and its bytes.
        reader = self._session or self.engine
        self.get_buffer = reader.get_buffer  # type: ignore[method-assign, assignment]
        self.buffer_updated = reader.buffer_updated  # type: ignore[method-assign, assignment]

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        # It is one in all but its bases: uvloop's does not inherit from asyncio's.
        writing = self._transport = cast("asyncio.Transport", transport)
        _live.add(self)
        self._watching_loop = _loop_end.watch(self._on_loop_end)
        self.peer = _address.of_peer(writing.get_extra_info("peername"))
        self.began = _engine.now()
        # Pause as soon as the kernel takes no more: what waits, waits in the engine, which can still choose.
        writing.set_write_buffer_limits(high=0)
        self._bound_retransmission(writing.get_extra_info("socket"))
        if self._session is None:
            self.engine.attach(self.loop.call_soon, writing.write, self, _pieces.writer(writing))
        else:
            self.engine.pause()  # until the handshake is done
            self.engine.attach(self.loop.call_soon, self._session.write, self)
            self._session.begin(writing)

    def eof_received(self) -> bool:
        """The peer writes no more: without its acks and windows the connection is over."""
        if self._session is not None:
            self._session.end_of_input()
        self.engine.end_of_input()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        # The transport and its loop are not held any longer than the socket.
        self._transport = None
        self._unwatch_loop()
        self._liveness.stop()
        self._progress.stop()
        self._end_pause()
        if self._session is not None:
            self._session.end_of_input()
            self._session = None
        if isinstance(error, TimeoutError) and not self.reason:
            self.end_of_calls = End.PEER_SILENT
        if error is not None and not self.reason:
            self.engine.abort(f"connection lost: {error}")
        self.engine.end_of_input()
        self.engine.detach()
        _live.discard(self)
        del self.get_buffer, self.buffer_updated
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        """The kernel's buffer is full."""
        self.is_full = True
        self.engine.pause()
        self._progress.note_full()

    def resume_writing(self) -> None:
        """It has room again."""
        self.is_full = False
        self._resume_engine()

    def _resume_engine(self) -> None:
        if self._transport is not None and (self._session is None or self._session.established):
            self.engine.resume()

    def close(self) -> None:
        """Close the socket, after what is written."""
        if self._session is not None:
            self._session.finish()
        if self._transport is not None:
            self._transport.close()

    def abort(self, reason: str, end: End | None = None) -> None:
        """End every call, with `end` if given, tell the peer if it listens, and close the socket without waiting."""
        if end is not None:
            self.end_of_calls = end
        self.engine.abort(reason)
        if self._transport is not None:
            self._transport.abort()

    @property
    def unwritten_bytes(self) -> int:
        """What the socket has not taken of what was written."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def end_silent(self, reason: str) -> None:
        """The peer is gone without a word."""
        self.reason = reason
        self.abort(reason, End.PEER_SILENT)

    def _bound_retransmission(self, sock: socket.socket | None) -> None:
        # What is written to a machine that is gone, the kernel would send again for a quarter of an hour.
        # Source: RFC 5482; gRPC proposal A18.
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        if option is not None and sock is not None and self._user_timeout and sock.family != socket.AF_UNIX:
            milliseconds = round(min(self._user_timeout * 1000, MOST_USER_TIMEOUT_MS))
            sock.setsockopt(socket.IPPROTO_TCP, option, milliseconds)

    def forget(self) -> None:
        """Never touch the socket, nor the loop, again: a forked child, or a loop that gave the socket up."""
        _live.discard(self)
        self._unwatch_loop()
        self._liveness.stop()
        self._progress.stop()
        self._end_pause()
        self.engine.detach()
        if self._session is not None:
            self._session.forget()
        self._transport = self._session = None

    def _on_loop_end(self) -> None:
        self._watching_loop = None
        self.abort("the event loop has ended", End.EXITED)

    def _unwatch_loop(self) -> None:
        watching, self._watching_loop = self._watching_loop, None
        if watching is not None:
            _loop_end.unwatch(watching)

    # What TLS tells.

    def _on_tls_established(self, peer: tls.TlsPeer) -> None:
        self.tls = peer
        if not self.is_full:
            self.engine.resume()

    def _on_tls_failed(self, reason: str) -> None:
        self.engine.abort(reason)

    def _rest(self) -> None:
        """Read no more in this turn of the loop: uvloop reads one socket up to 32 times before it looks at another."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._is_behind and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # What the engine tells.

    def _on_calls_lost(
        self, calls: list[EndingStream[Any, Any]], code: int, message: str, cause: str, unprocessed: bool
    ) -> None:
        end = End.UNPROCESSED if unprocessed else self.end_of_calls if cause == "lost" else ENDS[cause]
        _lost_calls.end(self.loop, calls, Status(StatusCode(code), message), end, retryable=unprocessed)

    def _on_closed(self, message: str, clean: bool, foreign: bool) -> None:
        if self.end_of_calls is End.CONNECTION_LOST and (clean or foreign):
            self.end_of_calls = End.CLOSED if clean else End.BROKEN  # it has no calls, and is counted so itself
        self.reason = self.reason or message
        # The engine's last words go out although the socket may take no more for now: they have an end, and the socket
        # is closed when it has taken them.
        self._resume_engine()
        self.close()

    def _on_backlog(self) -> None:
        self._is_behind = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _on_backlog_gone(self) -> None:
        self._is_behind = False
        self._read_on()

    def _on_pause(self, seconds: float) -> None:
        """Nothing is read for so long: it is throttled, or fills calls that nobody reads and does not answer SETTINGS.

        The socket is not either: `_on_backlog` was told before, or comes next.
        """
        if self._pause is None and self._transport is not None:
            self._pause = self.loop.call_later(seconds, self._read_after_pause)

    def _read_after_pause(self) -> None:
        self._pause = None
        self.engine.end_rest()

    def _end_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _on_headers(self, begun: bool) -> None:
        """The peer has begun a header block and does not end it, or has now."""

    def _on_abuse(self, kind: str, text: str, cut: bool) -> None:
        """The peer does what it should not; with `cut` the connection ends for it, else it is served more slowly."""

    def _on_settings(self) -> None:
        """The peer's settings came, or changed."""

    def _on_over_budget(self) -> None:
        """Connections that share a budget keep more than that, and this one has grown."""

    def _on_pong(self) -> None:
        """The peer answered a PING."""

    def _on_go_away(self, reason: int, text: str) -> None:
        """The peer takes no new calls."""

    def _on_opened(
        self,
        stream_id: int,
        path: str,
        authority: str,
        metadata: list[tuple[str, MetadataValue]] | None,
        timeout_seconds: float | None,
    ) -> None:
        """A call came."""
