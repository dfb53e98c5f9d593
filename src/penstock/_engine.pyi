"""The Rust engine: one HTTP/2 connection, and the paths taken once per message."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Sequence
from contextvars import Context
from types import GenericAlias
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar, final, type_check_only

from typing_extensions import disjoint_base

_Pairs: TypeAlias = list[tuple[str, str | bytes]]

__all__ = [
    "DONE",
    "IS_DEBUG_BUILD",
    "MANY",
    "VERSION",
    "Budget",
    "Codec",
    "Compressed",
    "Connection",
    "Encoded",
    "ReadBuffer",
    "StreamBase",
    "Waiter",
    "begin_task",
    "broadcast",
    "hold_time",
    "live_connections",
    "now",
    "reading_begins",
    "reading_ends",
    "reading_is_forgotten",
    "send_each",
    "slice_begins",
    "turn_begins",
    "turn_over",
]

_T = TypeVar("_T")
_SendT = TypeVar("_SendT")
_ReceiveT = TypeVar("_ReceiveT")

VERSION: str
IS_DEBUG_BUILD: bool
DONE: Coroutine[Any, Any, None]
"""What `send` gives when nothing is left to wait for: one for all, awaited as often as you like."""
MANY: object
"""What `_take_only` gives when there is more than one message."""

@type_check_only
class Owner(Protocol):
    """Hears what concerns a connection as a whole."""

    def _on_opened(
        self, stream_id: int, path: str, authority: str, metadata: _Pairs | None, timeout_seconds: float | None, /
    ) -> None: ...
    def _on_calls_lost(self, calls: list[Any], code: int, message: str, cause: str, unprocessed: bool, /) -> None:
        """Calls that the end of the connection ended, in place of their `_on_ended`."""

    def _on_settings(self) -> None: ...
    def _on_pong(self) -> None: ...
    def _on_headers(self, begun: bool, /) -> None: ...
    def _on_abuse(self, kind: str, text: str, cut: bool, /) -> None: ...
    def _on_over_budget(self) -> None: ...
    def _on_go_away(self, reason: int, text: str, /) -> None: ...
    def _on_closed(self, message: str, clean: bool, foreign: bool, /) -> None: ...
    def _on_backlog(self) -> None: ...
    def _on_backlog_gone(self) -> None: ...
    def _on_pause(self, seconds: float, /) -> None: ...

@final
class Budget:
    """Bytes that connections, or calls, may keep together: received and not taken, or queued. Any thread may use it.

    The owner of a connection that has grown, or of whose calls one has, while all are above the limit hears
    `_on_over_budget`, once in a turn.
    """

    def __new__(cls, limit_bytes: int) -> Self: ...
    @property
    def limit_bytes(self) -> int: ...
    @property
    def used_bytes(self) -> int:
        """Of all that share it, each as of its last turn; nothing of those that are gone."""

@final
class ReadBuffer:
    """What sockets are read into: one for all connections of a thread."""

    def __new__(cls, size: int) -> Self: ...
    def view(self) -> memoryview: ...

@final
class Codec:
    """How one side of a method turns messages into bytes and back. `None` for a function: they are bytes."""

    def __new__(
        cls,
        send_type: type[Any],
        encode: Callable[[Any], bytes] | None,
        decode: Callable[[bytes], Any] | None,
        max_send_bytes: int,
        max_receive_bytes: int,
    ) -> Self: ...
    @property
    def send_type(self) -> type[Any]: ...
    @property
    def encode(self) -> Callable[[Any], bytes] | None: ...

@final
class Encoded(Generic[_SendT]):
    """A message encoded once. `len` is its size in bytes."""

    def __new__(cls, payload: bytes, message_type: type[_SendT]) -> Encoded[_SendT]: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...
    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

@final
class Compressed:
    """A message that was compressed for one call."""

_Payload: TypeAlias = bytes | Encoded[_SendT] | Compressed

@disjoint_base
class StreamBase(Generic[_SendT, _ReceiveT]):
    """The native half of a stream: it belongs to one call, and calls back the `_on_*` methods of its subclass."""

    def __new__(cls, codec: Codec, *args: Any, **kwargs: Any) -> Self: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...
    def __aiter__(self) -> AsyncIterator[_ReceiveT]: ...
    def __anext__(self) -> Coroutine[Any, Any, _ReceiveT]:
        """As `receive`, but the end is StopAsyncIteration: the loop ends normally only if all is well."""

    def receive(self) -> Coroutine[Any, Any, _ReceiveT]:
        """Receive the next message, in the order the peer sent them.

        Waits until: a message is there, or the end. What is there is given at once, but about every millisecond
        other tasks run first.
        Cancelling: loses nothing; the message waits for the next receive.
        Concurrency: one task at a time; any number may send meanwhile.

        Raises:
            EndOfStream: The peer sent its last message.
            RpcError: The call ended otherwise, or a message could not be decoded (INTERNAL).
            BusyError: Another task is receiving.
            UsageError: The call is used outside of its block.

        Source: gRPC PROTOCOL-HTTP2, "Length-Prefixed-Message".
        """

    def send(
        self,
        message: _SendT | Encoded[_SendT],
        *,
        merge: Callable[[_SendT, _SendT], _SendT] | None = None,
        compress: bool = True,
    ) -> Coroutine[Any, Any, None]:
        """Queue one message for the peer; await the result.

        Waits until: less than `Limits.send_buffer_bytes` is queued on the stream, or the call is over. If there is
        room the message is queued when this is called, not when it is awaited. About every millisecond other tasks run.
        Cancelling: while it waits nothing was queued; otherwise the whole message was. The stream can be used on.
        Concurrency: any task may send; messages of one task keep their order, and none is torn.
        Does not promise: that the peer gets it. Only a final OK does.

        Args:
            message: Encoded, at most `Limits.max_send_message_bytes`; or what `penstock.encode` gave.
            merge: `(unsent, new) -> both in one`. While the newest message was sent with `merge` and has not begun to
                leave, the new one goes into it: the peer sets the pace, and nothing is delayed.
            compress: False sends this message as it is, where the call compresses.

        Raises:
            RpcError: The call is over. RESOURCE_EXHAUSTED may also mean that this message is too large; then the call
                goes on.
            EndOfStream: The peer ended the call with OK.
            ClosedError: `end_sending()` or `finish()` was called before.
            UsageError: The message has another type, or the call is used outside of its block.

        Source: gRPC PROTOCOL-HTTP2, "Length-Prefixed-Message"; RFC 9113 section 5.2, flow control.
        """

    def on_send(self, watcher: Callable[[_SendT | Encoded[_SendT]], object]) -> None:
        """Have a function called with each message that this side sends from now on, before it is encoded.

        It gets what the program gave to `send` and its kin, the request and the reply of methods that have one
        included; with `merge`, the new message. It watches: what it returns counts for nothing, and the message is the
        program's own. A message for which `send_nowait`, `send_each` or `broadcast` finds no room is not told of; one
        whose `send` waits is, even if that is cancelled.

        Args:
            watcher: Any number, called in the order they came. What one raises, the send raises: the message is not
                sent, the call goes on.

        Raises:
            UsageError: It cannot be called, or is a coroutine function.
        """

    def on_receive(self, watcher: Callable[[_ReceiveT], object]) -> None:
        """Have a function called with each message that this side receives from now on, when the program takes it.

        Args:
            watcher: Any number, called in the order they came. What one raises, the receive raises: the message is
                gone (with `receive_many` those taken before it too), the call goes on.

        Raises:
            UsageError: It cannot be called, or is a coroutine function.
        """

    def _unwatch(self) -> None:
        """Nobody watches any more."""

    def _watcher_failed(self) -> bool:
        """The take that raised last did so because a watcher raised. Asking again says no."""

    def _tell_of_sending(self, message: _SendT | Encoded[_SendT]) -> None:
        """Tell who watches of a message that was encoded before it could be sent."""

    def _accept(self, message: _SendT | Encoded[_SendT], compress: bool, waits: bool) -> _Payload[_SendT]:
        """Tell who watches, and encode. `waits`: the message will wait if there is no room."""

    def _encode(self, message: _SendT | Encoded[_SendT], compress: bool = True) -> _Payload[_SendT]: ...
    def _compress_with(self, name: str | None) -> bool:
        """Choose how messages are compressed from now on. False: it is too late, nothing changed."""

    def _push(self, payload: _Payload[_SendT]) -> int:
        """Queue what `_encode` gave. 0: queued, 1: no room, 2: the sending side is closed."""

    def _mark_mergeable(self) -> None:
        """The message pushed last was sent with `merge`."""

    def _replace_newest(self, payload: _Payload[_SendT]) -> bool:
        """False: the newest message has begun to leave, or was not sent with `merge`."""

    def _await_room(self) -> bool:
        """True: `_on_writable` will be called. False: there is no need to wait."""

    def _take(self) -> _ReceiveT | None:
        """The next message, or `None`: nothing is there (`_is_last`: and nothing will be; `_is_expanding`: not yet)."""

    def _take_many(self, most: int) -> list[_ReceiveT]:
        """Messages that are there; what is wrong with the one behind them is told by the next `_take`."""

    def _take_only(self) -> _ReceiveT | None:
        """The one message, once nothing follows. `None`: not yet, or (`_is_last`) there is none. `MANY`: more."""

    def _reply(self, message: _SendT, trailers: _Pairs | None) -> bool:
        """Server: send the one reply and end with OK. False: there was no room, nothing was done."""

    @property
    def _is_expanding(self) -> bool:
        """`_take` and its kin find nothing before `_expand_on` was called as often as it takes."""

    def _expand_on(self, steps: int) -> None:
        """Expand a message further, in so many steps or 50 us for each; what is wrong with it is told by `_take`."""

    @property
    def _is_last(self) -> bool: ...
    def _await_message(self) -> bool:
        """True: there is no need to wait. False: `_on_readable` will be called."""

    @property
    def _receiving(self) -> bool: ...
    @_receiving.setter
    def _receiving(self, receiving: bool) -> None: ...
    def _half_close(self) -> None:
        """Client: after what is queued."""

    def _respond(self, pairs: _Pairs | None) -> bool:
        """Server: send initial metadata. False: it was sent before."""

    def _finish(
        self, code: int, message: str, details: bytes | None, trailers: _Pairs | None, discard: bool, /
    ) -> None:
        """Server: end the call with a status, after what is queued or (`discard`) without it."""

    def _reset(self, reason: int) -> None:
        """End the call here, and towards the peer with RST_STREAM."""

    @property
    def id(self) -> int:
        """Names the call in this process, as in `server.streams()`: from 1, later calls have greater ones."""

    @property
    def _age_seconds(self) -> float:
        """Since the object was made, on the clock of `now`."""

    @property
    def _id(self) -> int:
        """HTTP/2 stream id; 0 before the call is on the wire."""

    @property
    def _queued_bytes(self) -> int:
        """Waiting to be sent."""

    @property
    def _held_bytes(self) -> int:
        """Received, and not taken."""

    def _tally(self) -> tuple[int, int, int, int, float, float, int, int, str]:
        """What passed over it so far; after the end the last word, for as long as this lives.

        Messages and bytes in (that came whole), messages and bytes out (that were queued): bytes as on the wire,
        prefixes included. Seconds since the last message in, and out, or since the call began. Bytes that came and were
        not taken, bytes that have not left, and what these wait for: "window" (of the stream), "connection" (its
        window), "socket", or "" for nothing.
        """

    @property
    def _peer_may_send(self) -> bool:
        """The peer has not half-closed, and the call is not over."""

    @property
    def _came_compressed(self) -> bool:
        """The message taken last."""

    @property
    def _peer_coding(self) -> str | None:
        """What the peer said that it compresses with."""

@final
class Waiter:
    """A future for one task that waits for news of the engine, and one wait: `None`.

    Whoever awaits it goes on at the end of the read that brought the news; or, where that is not within a read, in the
    next turn of the loop.
    """

    def __new__(cls, event_loop: asyncio.AbstractEventLoop) -> Self: ...
    def __await__(self) -> Generator[Any]: ...
    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def result(self) -> None: ...
    def set_result(self, none: None, /) -> None:
        """The news is there. Harmless when repeated."""

    def cancel(self, msg: object = None) -> bool:
        """Have it raise CancelledError, in the next turn of the loop. False: it had ended."""

    def get_loop(self) -> asyncio.AbstractEventLoop: ...
    def add_done_callback(self, callback: Callable[[Waiter], object], /, *, context: Context | None = None) -> None: ...
    def remove_done_callback(self, callback: Callable[[Waiter], object], /) -> int: ...
    @property
    def _asyncio_future_blocking(self) -> bool: ...
    @_asyncio_future_blocking.setter
    def _asyncio_future_blocking(self, blocking: bool) -> None: ...

@final
class Connection:
    """One HTTP/2 connection of either side, without a socket."""

    def __new__(
        cls,
        *,
        client: bool,
        read_buffer: ReadBuffer,
        stream_window_bytes: int,
        max_frame_bytes: int,
        max_concurrent_streams: int,
        max_header_list_bytes: int,
        max_receive_message_bytes: int,
        send_buffer_bytes: int,
        coding: str | None,
        any_subtype: bool = False,
        user_agent: str = "",
        connection_budget_bytes: int = ...,
    ) -> Self:
        """Make a connection that has its first bytes ready.

        When all its calls together hold more than `connection_budget_bytes` that nobody took, it sheds.
        """

    def attach(
        self,
        call_soon: Callable[..., object],
        write: Callable[[bytes | memoryview], None],
        owner: Owner,
        write_pieces: Callable[[Sequence[bytes | memoryview]], None] | None = None,
    ) -> None:
        """Tie it to a socket and a loop; what it has to say first is written at once.

        What has large messages in it is given to `write_pieces`, and they are not copied.
        """

    def detach(self) -> None:
        """The socket is gone: nothing is written or told any more."""

    def get_buffer(self, _size_hint: int) -> memoryview:
        """Where the next bytes of the socket go."""

    def buffer_updated(self, length: int) -> None:
        """So many bytes came; tells owner and streams what is in them."""

    def end_of_input(self) -> None:
        """No bytes will come any more: calls that are open end with UNAVAILABLE."""

    def flush(self) -> None:
        """Write all that is ready, unless paused."""

    def pause(self) -> None:
        """The socket takes no more for now."""

    def resume(self) -> None:
        """It does again."""

    def end_rest(self) -> None:
        """The seconds that `_on_pause` told have passed: read on."""

    def open(
        self,
        stream: StreamBase[Any, Any],
        path: str,
        authority: str,
        secure: bool,
        timeout_seconds: float | None,
        metadata: _Pairs | None,
        only: _Payload[Any] | None,
        /,
    ) -> None:
        """Client: start a call; with `only`, that is its one message, and the sending side ends behind it.

        Raises:
            ConnectionError: The connection takes no more calls.
            UsageError: The path, or a pair of the metadata, may not be sent.
        """

    def adopt(self, stream: StreamBase[Any, Any], id: int) -> None:  # noqa: A002 - the engine's name for it
        """Server: give the call that `_on_opened` told of its stream, before that returns."""

    def shut_down(self) -> None:
        """Take no new calls, say GOAWAY, and close after the last call."""

    def go_away(self, code: int, text: str, /) -> None:
        """As `shut_down`, and the GOAWAYs carry this. A client's leaves after its last call."""

    def finish_shutdown(self) -> None:
        """Server: say the GOAWAY with the last call's id although the peer did not answer the PING before it.

        Calls go on. Without this a peer that never answers keeps the connection open: call it some seconds after
        `go_away`. It leaves at the next end of a frame of the peer; afterwards nothing of this is left to do.
        """

    def abort(self, message: str, code: int = 0, text: str = "") -> None:
        """End every call with UNAVAILABLE, and the connection; the last frame is a GOAWAY with code and text.

        A client sends that only if it has one of them to say.
        """

    def ping(self) -> None:
        """Ask whether the peer is there: `_on_pong` tells of its answer."""

    def set_ping_policy(self, min_seconds: float, without_calls: bool) -> None:
        """End the connection of a peer that sends PINGs too often, with "too_many_pings".

        The third PING is one too many that came sooner than `min_seconds` (while no call is open, and unless
        `without_calls`: than two hours) after the last that did not. What we send on calls forgives all before.
        Source: gRFC A8, "Server Enforcement".
        """

    @property
    def last_read_at(self) -> float:
        """When the peer's last byte came, or this was made, in seconds of `now`."""

    @property
    def pings_received(self) -> int:
        """PINGs of the peer, from the beginning; answers are none."""

    @property
    def ping_strikes(self) -> int:
        """Those of them that came too early, from the beginning."""

    @property
    def pings_sent(self) -> int:
        """What `ping` sent, from the beginning."""

    @property
    def resets_received(self) -> int:
        """RST_STREAMs of the peer, from the beginning."""

    @property
    def settings_received(self) -> int:
        """SETTINGS of the peer, from the beginning; acks are none."""

    def share(self, budgets: list[Budget]) -> None:
        """Keep what all calls keep in these, with other connections."""

    def share_call(self, id: int, budgets: list[Budget]) -> None:  # noqa: A002 - the engine's name for it
        """Keep what one call keeps in these, with other calls."""

    def shed(self, budget: Budget | None, why: str) -> bool:
        """End the call that keeps most, of all or of those that share `budget`, and drop that.

        It ends with RESOURCE_EXHAUSTED and `why`. A client hears that; a server, of a client that sheds,
        ENHANCE_YOUR_CALM. False: no call keeps anything.
        """

    @property
    def is_beside_others(self) -> bool:
        """Other connections of this loop were read within some milliseconds."""

    def take_excess(self) -> int:
        """Server: bytes its messages became that are far more than came, since this was last called."""

    def slow_down(self, slowed: bool) -> None:
        """Read it as if its calls came to nothing, or (`False`) as others."""

    @property
    def held_bytes(self) -> int:
        """Received on open calls, and not taken."""

    @property
    def stream_window_bytes(self) -> int:
        """What each stream may hold, as the peer was told last: less than the full window where many are filled."""

    @property
    def queued_bytes(self) -> int:
        """Waiting to be sent on open calls."""

    @property
    def open_calls(self) -> int:
        """Calls that are not over."""

    @property
    def max_calls(self) -> int:
        """What the peer takes at once (MAX_CONCURRENT_STREAMS)."""

    @property
    def unread(self) -> int:
        """Bytes that were given and not read yet: the peer does not take the answers to what it sent before."""

    @property
    def bytes_received(self) -> int:
        """Bytes of the peer, from the beginning."""

    @property
    def bytes_sent(self) -> int:
        """Bytes for the peer, from the beginning: written to the socket, or given to TLS."""

    @property
    def frames_received(self) -> int:
        """Frames of the peer, from the beginning."""

def broadcast(streams: Iterable[StreamBase[_SendT, Any]], encoded: Encoded[_SendT]) -> list[StreamBase[_SendT, Any]]:
    """Queue on each stream that has room; returns the others."""

def send_each(
    pairs: Iterable[tuple[StreamBase[_SendT, Any], _SendT]], refusals: tuple[type[Exception], ...]
) -> list[StreamBase[_SendT, Any]]:
    """Queue on each stream the message of its pair; returns those that had no room, are over, or raised a refusal."""

def now() -> float:
    """Seconds on the clock of connections: `time.monotonic()`, unless held."""

def hold_time(seconds: float | None) -> None:
    """For tests: what `now` says from here on, everywhere in the process; `None` lets it run again."""

def live_connections() -> int:
    """Connections whose memory is held, in the whole process."""

def begin_task(
    event_loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _T], name: str, /
) -> asyncio.Task[_T]:
    """`event_loop.create_task(coroutine, name=name)`; within a read the first step comes at the end of that."""

def reading_begins() -> bool:
    """Gather who is woken, until `reading_ends`. False: within another read, or within a task; there is no end then."""

def reading_ends() -> None:
    """Run the steps of who was woken, then write what they sent."""

def reading_is_forgotten() -> None:
    """This is the child of a fork: the read in which that happened, if it did in one, is its parent's."""

def turn_begins() -> bool:
    """A task lets others run. True: the loop should call `turn_over` in its next turn."""

def turn_over() -> None:
    """The loop came round: its next turn is shared by as many tasks as spent their slice in this one."""

def slice_begins() -> None:
    """A task goes on after it let others run."""
