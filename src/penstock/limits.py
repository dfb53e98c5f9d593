"""Every limit and setting of a connection: its unit, its default, and what it costs or prevents."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf
from typing import TYPE_CHECKING

from penstock._arguments import check_compression, check_flag
from penstock._interception import check_awaitable
from penstock._message_watch import NEVER
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock.compression import Compression
    from penstock.credentials import Credentials

__all__ = ["CallOptions", "Limits"]

KIB = 1024
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Settings of a `Channel` or a `Server`. All are checked when the object is made."""

    max_receive_message_bytes: int = 4 * MIB
    """Largest message accepted. It is checked on the five bytes before the message, before any of it is kept; over it
    the call ends with RESOURCE_EXHAUSTED and the connection lives. For a compressed message it counts the expanded
    bytes too, while they are expanded. 4 MiB is the default of every gRPC library."""

    max_send_message_bytes: int = 2**31 - 1
    """Largest message `send` takes; over it `send` raises `ResourceExhausted` and nothing is sent."""

    stream_window_bytes: int = 1 * MIB
    """Bytes a stream holds that the application has not taken; then the peer has to wait. A stream costs at most this
    plus one message. 64 KiB costs nothing on small messages, 1 MiB is for bulk. Where many streams of a connection are
    filled and not read, each gets a smaller one for as long: see `connection_buffer_bytes`."""

    send_buffer_bytes: int = 64 * KIB
    """Bytes queued on a stream above which `send` waits. A stream costs at most this plus one message."""

    connection_buffer_bytes: int = 256 * MIB
    """Bytes that all streams of a connection hold together and the application has not taken; above that the one that
    holds most ends with RESOURCE_EXHAUSTED. What one stream may hold, window and message, is always allowed.

    It should not come to that. The windows of all streams may take a 16th of it (16 MiB), or four full ones if that is
    more: when a quarter of it is held, each stream's window shrinks to its share, down to 16 KiB, until half of it is
    taken. So a thousand streams that nobody reads hold some 20 MiB, and those that are read go on beside them, slower
    over long distances. A peer that does not heed it is read slowly, and cut off after 10 seconds.
    Source: RFC 9113 section 6.9.2."""

    max_frame_bytes: int = 64 * KIB
    """Largest HTTP/2 frame accepted, 16 KiB to 16 MiB - 1. Source: RFC 9113 section 4.2."""

    max_metadata_bytes: int = 16 * KIB
    """Largest list of headers accepted, each counted with 32 bytes on top. Source: RFC 9113 section 6.5.2."""

    max_concurrent_streams: int = 1000
    """Calls a client may have open on one connection to a server. A client waits for a free place by itself.
    With `stream_window_bytes` it bounds what a connection can make a server hold."""

    blocked_loop_seconds: float = 1.0
    """When the event loop of a server has made no turn for so long, because a handler or anything else in it blocks, a
    thread beside it logs what is running, with method, peer and stack. It looks once a second, so what it tells of may
    have begun a second before. `math.inf`: nobody looks."""

    handler_cleanup_seconds: float = 5.0
    """What a server's handler gets to end after it was cancelled, because its call is over. Then it is detached: its
    call takes no place any more, the log says where it is, and nobody waits for it. `math.inf`: it is waited for."""

    max_sync_threads: int = 32
    """Threads of a server for handlers that are not `async`, at most; made when there is work for them. A step that
    blocks has one for itself until it is done. A quarter of them, at least one if there are two, is kept for unary
    calls: streams, however many and however slow, take none of those."""

    max_sync_queue_calls: int = 1000
    """Unary calls of such handlers that wait for a thread, at most, and as many new streams. One more is answered at
    once with RESOURCE_EXHAUSTED and the hint of `Admission.retry_after_seconds`. A stream that has begun waits for the
    thread of its next step beside these, and is not refused."""

    sync_queue_timeout_seconds: float = 2.0
    """A call of such a handler that has waited so long for its first thread is refused in the same way: threads that
    are stuck must not turn into clients that wait without a word."""

    connect_timeout_seconds: float = 20.0
    """A client's attempt to connect fails after this, TLS and the peer's first SETTINGS included."""

    handshake_timeout_seconds: float = 10.0
    """A server closes a connection whose client has not said its HTTP/2 preface by then, after TLS if there is any;
    and one whose client has begun the head of a call so long ago and not ended it."""

    write_timeout_seconds: float = 30.0
    """A connection whose socket took not one byte for so long, though there was something to write, is over: its peer
    has stopped reading, while its kernel, or that of a proxy, goes on to say that the line is fine. A stream that is
    not read alone does not cause this: its window closes, and nothing more is written for it. Where keepalive is on,
    the kernel may give up sooner, after its `timeout_seconds`."""

    max_connection_age_seconds: float = inf
    """A server sends a client away (GOAWAY "max_age") after this, 10 % sooner or later: it connects again, to another
    server perhaps. Source: gRPC proposal A9."""

    max_connection_age_grace_seconds: float = inf
    """What open calls get to end by themselves from then on; after it they end with UNAVAILABLE."""

    max_connection_idle_seconds: float = inf
    """A server sends a client away (GOAWAY "max_idle") that had no call for so long."""

    first_message_timeout_seconds: float = inf
    """A call ends with DEADLINE_EXCEEDED when the peer's first message did not come by then: on a server the request,
    on a client the first reply. This and the next two can be set for a single call as well: `CallOptions`,
    `stream.set_message_timeouts`."""

    receive_idle_timeout_seconds: float = inf
    """A call ends with DEADLINE_EXCEEDED when no message came for so long, while none waited to be received and the
    peer had not half-closed."""

    send_idle_timeout_seconds: float = inf
    """A call ends with DEADLINE_EXCEEDED when this side sent no message for so long, while none waited to be taken and
    this side had not half-closed."""

    send_stalled_timeout_seconds: float = 300.0
    """A server ends a call with RESOURCE_EXHAUSTED of whose queued messages the client took not one byte for so long:
    it keeps its window shut, and what it was sent waits here."""

    reconnect_initial_seconds: float = 1.0
    """Pause after the first failed attempt to connect."""

    reconnect_max_seconds: float = 120.0
    """Longest pause between attempts. Each pause is 1.6 times the one before, and up to 20 % shorter or longer.
    Source: gRPC connection-backoff.md."""

    @property
    def _most_held_bytes(self) -> int:
        """What one stream can hold that the application has not taken."""
        return self.stream_window_bytes + self.max_receive_message_bytes

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            self._check_number(field.name, value)
            if not value > 0:
                msg = f"{field.name} must be above 0, not {value!r}"
                raise UsageError(msg)
        for name in ("send_buffer_bytes", "connection_buffer_bytes"):
            self._check_range(name, 1, 2**63 - 1)
        self._check_range("max_metadata_bytes", 1, 2**32 - 1)
        self._check_range("max_frame_bytes", 16 * KIB, 2**24 - 1)
        self._check_range("stream_window_bytes", 1, 2**31 - 1)
        self._check_range("max_receive_message_bytes", 1, 2**32 - 1)
        self._check_range("max_send_message_bytes", 1, 2**32 - 1)
        self._check_range("max_concurrent_streams", 1, 2**32 - 1)

    def _check_number(self, name: str, value: object) -> None:
        unit = name.rpartition("_")[2]
        number, kind = ("number", (int, float)) if unit == "seconds" else ("whole number", int)
        if not isinstance(value, kind) or isinstance(value, bool):
            msg = f"{name} is a {number} of {unit}, not {value!r}"
            raise UsageError(msg)

    def _check_range(self, name: str, least: int, most: int) -> None:
        value = getattr(self, name)
        if not least <= value <= most:
            msg = f"{name} must be from {least} to {most}, not {value!r}"
            raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """What is rarely needed for a single call."""

    inherit_deadline: bool = True
    """Inside a handler, the call gets at most the time its own caller gave."""

    compression: Compression | None = None
    """What the messages of the call are compressed with; `None`: as the channel says. A server that cannot expand it
    answers UNIMPLEMENTED."""

    credentials: Credentials | None = None
    """Metadata fetched for this call, after the channel's own credentials: an async function of the call."""

    first_message_timeout_seconds: float | None = None
    """As in `Limits`; `None`: as the channel's limits say."""

    receive_idle_timeout_seconds: float | None = None
    """As in `Limits`; `None`: as the channel's limits say."""

    send_idle_timeout_seconds: float | None = None
    """As in `Limits`; `None`: as the channel's limits say."""

    def __post_init__(self) -> None:
        NEVER.with_options(self)
        check_flag("inherit_deadline", self.inherit_deadline)
        check_compression(self.compression)
        if self.credentials is not None:
            check_awaitable(self.credentials, "credentials")
