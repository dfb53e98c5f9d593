"""Live streams: who is connected, since when, how much went which way, what each waits for; and an end to one.

Nothing is kept for this while messages pass: a `LiveStream` is made from a call when somebody looks.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass, field, fields, make_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock._life import DETACHED, FINISHED
from penstock.ends import End
from penstock.errors import UsageError
from penstock.method import Kind
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock._client_call import ClientCall
    from penstock._server_core import ServerCore
    from penstock.channel import Channel
    from penstock.server_calls import ServerStream

    AnyCall: TypeAlias = ClientCall[Any, Any] | ServerStream[Any, Any]

__all__ = ["LiveStream", "Waiting"]


class Waiting(Enum):
    """What a call waits for. The first that is true, in this order."""

    INTERCEPTOR = "interceptor"
    """A client's call, not sent yet, or a server's, whose handler has not begun: an interceptor has not come to its
    `yield`. Of a server also behind the handler: one has not come to its end."""
    CREDENTIALS = "credentials"
    """A client's call, not sent yet: its credentials are being fetched."""
    AUTHENTICATE = "authenticate"
    """A server's call, whose handler has not begun: what `Server(authenticate=...)` was given has not returned."""
    CONNECTING = "connecting"
    """A client's call, not sent yet: there is no connection that takes calls."""
    PLACE = "place"
    """A client's call, not sent yet: the server takes no more at once (MAX_CONCURRENT_STREAMS)."""
    DETACHED = "detached"
    """The call is over, and its handler has ignored that for too long: nothing waits for it any more."""
    ENDED = "ended"
    """The call is over, and its handler has not ended yet."""
    THREAD = "thread"
    """A sync handler waits for a thread."""
    WINDOW = "window"
    """A `send`, or what is queued behind a handler that has ended, waits until the peer reads this stream."""
    CONNECTION = "connection"
    """The same, until the peer reads its other streams: the window of the whole connection is closed."""
    SOCKET = "socket"
    """The same, until the socket takes more: the peer, or the network, is slower than all streams together."""
    MESSAGE = "message"
    """A `receive`, or a `finish`, waits for the peer."""
    NOTHING = "nothing"
    """Nothing that the stream knows of: the program computes, or waits for something of its own."""


@dataclass(frozen=True, slots=True)
class LiveStream:
    """One call as it was when it was looked at."""

    id: int
    """Names the call in this process: `stream.id` on the call itself. Later calls have greater ones."""
    kind: Kind
    """Which sides send a stream."""
    method: str
    """`/package.Service/Method`."""
    peer: str
    """Address of the other side; of a call that is not sent yet, where its channel leads."""
    identity: Any
    """What `Server(authenticate=...)` returned; `None` without, and on a client."""
    state: str
    """Where it is in its life: the names are those of `docs/ends.md`."""
    waits_for: Waiting
    """What it waits for."""
    age_seconds: float
    """Since it began."""
    time_remaining: float | None
    """Seconds until the deadline, at least 0; `None` if there is none."""
    messages_received: int
    """That came whole, taken by the program or not."""
    messages_sent: int
    """That the program sent, on the wire or not."""
    bytes_received: int
    """Of the messages received, as they came: compressed if they were, five bytes for each prefix included."""
    bytes_sent: int
    """Of the messages sent, in the same way."""
    idle_receive_seconds: float
    """Since the last message came, or the call began."""
    idle_send_seconds: float
    """Since the last message was sent, or the call began."""
    held_bytes: int
    """Received, and not taken by the program."""
    queued_bytes: int
    """Sent by the program, and not taken by the peer or the socket."""
    _call: weakref.ref[AnyCall] = field(repr=False, compare=False)
    """To kill it; a picture of a call does not hold it."""

    def kill(self, reason: str) -> bool:
        """End the call on both sides with CANCELLED, whatever it is doing; its handler is cancelled.

        Does not wait. The log says who was killed, and why.
        Concurrency: any task of the call's loop.

        Args:
            reason: For the log and for the peer.

        Returns:
            False if the call had ended before: nothing happened.

        Raises:
            UsageError: `reason` is no text, or it was called in another thread.
        """
        if not isinstance(reason, str):
            msg = f"reason is text, for the log and for the peer, not {reason!r}"
            raise UsageError(msg)
        call = self._call()
        if call is None or call._status is not None:
            return False
        if asyncio._get_running_loop() is not call._loop:
            msg = (
                "kill() from a thread: write loop.call_soon_threadsafe(stream.kill, reason), with the loop of the call"
            )
            raise UsageError(msg)
        call._close(Status(StatusCode.CANCELLED, f"killed by the operator: {reason}"), End.KILLED)
        return True


_Draft: Any = make_dataclass("_Draft", [each.name for each in fields(LiveStream)], slots=True)
"""A live stream that can still be written: a frozen one is made five times slower, and there may be 50,000."""


def of_server(core: ServerCore, method: str, peer: str) -> Iterator[LiveStream]:
    """What `Server.streams` gives."""
    for connection in (*core.connections, *core.gone):
        if connection.peer.startswith(peer):
            for call in list(connection.calls):
                # Whoever iterates may await meanwhile, and calls end.
                if call.method.startswith(method) and call in connection.calls:
                    yield _of_server_call(call)
    for call in list(core.detached):
        if call.method.startswith(method) and call.peer.startswith(peer) and call in core.detached:
            yield _of_server_call(call)


def of_channel(channel: Channel, method: str) -> Iterator[LiveStream]:
    """What `Channel.streams` gives."""
    for call in list(channel._starting):
        waits_for = channel._starting.get(call)
        if waits_for is not None and call._status is None and call.method.startswith(method):
            yield _of_client_call(call, waits_for)
    for connection in list(channel._connector.connections) if channel._connector is not None else ():
        for call in list(connection.calls):
            # One that has ended is there until its turn comes, if its connection is gone.
            if call.method.startswith(method) and call._status is None:
                yield _of_client_call(call, None)


def _of_server_call(call: ServerStream[Any, Any]) -> LiveStream:
    if asyncio._get_running_loop() is call._loop:
        call._settle()  # not in another thread: it may be in the middle of that in its own
    route = call._connection._core.route(call.method)
    kind = Kind.BOTH_STREAM if route is None else route.kind
    return _look(call, kind, call.peer, call.identity, _held_up(call))


def _held_up(call: ServerStream[Any, Any]) -> Waiting | None:
    """What holds up a handler beside messages."""
    if call._status is not None:
        return Waiting.DETACHED if call._life is DETACHED else Waiting.ENDED
    from penstock._sync_handlers import SyncStream  # clients look at calls too, and need no handlers

    job = call.job if isinstance(call, SyncStream) else None
    if job is not None and job.is_waiting:
        return Waiting.THREAD
    # Only set where there is something around the handler: calls of servers without it pay nothing for this.
    outside: Waiting | None = getattr(call, "_outside", None)
    return outside


def _of_client_call(call: ClientCall[Any, Any], waits_for: Waiting | None) -> LiveStream:
    channel = call._channel
    if waits_for is Waiting.CONNECTING and channel._connector is not None and channel._connector.current() is not None:
        waits_for = Waiting.PLACE
    elif call._initial_waiter is not None and not call._initial_waiter.done() and not call._send_waiters:
        waits_for = Waiting.MESSAGE
    return _look(call, call.kind, call.peer or str(channel._address), None, waits_for)


def _look(call: AnyCall, kind: Kind, peer: str, identity: object, waits_for: Waiting | None) -> LiveStream:
    age_seconds = call._age_seconds
    (
        messages_received,
        bytes_received,
        messages_sent,
        bytes_sent,
        idle_receive_seconds,
        idle_send_seconds,
        held_bytes,
        queued_bytes,
        blocked_by,
    ) = call._tally()
    picture: LiveStream = _Draft(
        call.id,
        kind,
        call.method,
        peer,
        identity,
        call._life.name,
        waits_for or _waits_for(call, blocked_by),
        age_seconds,
        call.time_remaining,
        messages_received,
        messages_sent,
        bytes_received,
        bytes_sent,
        idle_receive_seconds,
        idle_send_seconds,
        held_bytes,
        queued_bytes,
        weakref.ref(call),
    )
    picture.__class__ = LiveStream
    return picture


def _waits_for(call: AnyCall, blocked_by: str) -> Waiting:
    if blocked_by and (call._send_waiters or call._life is FINISHED):
        return Waiting(blocked_by)
    return Waiting.NOTHING if call._receive_waiter is None else Waiting.MESSAGE
