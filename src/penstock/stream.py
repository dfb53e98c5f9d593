"""A stream of messages, as both sides see it.

How this works: the base class, in the engine, serves what need not wait. What waits comes to `_sending.py` and
`_receiving.py`. The engine calls `_on_readable`, `_on_writable` and, once and last, `_on_ended` (`_ending.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock._ending import ReceiveT, SendT
from penstock._message_watch import NEVER, MessageWatch
from penstock._receiving import ReceivingStream
from penstock._sending import NOBODY
from penstock.compression import Compression

if TYPE_CHECKING:
    import asyncio

    from penstock import _engine
    from penstock._message_watch import MessageTimeouts
    from penstock._timers import Timers

__all__ = ["Stream"]


class Stream(ReceivingStream[SendT, ReceiveT]):
    """Messages in both directions of one call.

    `send` and `receive` are independent of each other. Any task may send; a message is never torn, and messages of one
    task keep their order. One task receives at a time: a second one gets `BusyError`.
    """

    __slots__ = ("_message_watch", "_timeouts")

    _timeouts: MessageTimeouts
    _message_watch: MessageWatch | None

    def __init__(self, codec: _engine.Codec, loop: asyncio.AbstractEventLoop) -> None:
        # All of it here, not a part in each base: three calls less for every RPC.
        del codec  # the base class in the engine has it
        self._loop = loop
        self._status = None
        self._end = None
        self._error = None
        self._trailers = None
        self._told = 0
        self._ended_sending = False
        self._timeouts = NEVER
        self._message_watch = None
        self._merged = None
        self._send_waiters = NOBODY
        self._sources = ()
        self._receive_waiter = self._receiver = None

    @property
    def peer_compression(self) -> Compression | None:
        """What the peer compresses messages with; `None` before it has begun to speak, and if it does not compress."""
        name = self._peer_coding
        return None if name is None else Compression(name)

    @property
    def came_compressed(self) -> bool:
        """The message received last was compressed on its way."""
        return self._came_compressed

    def set_message_timeouts(
        self,
        *,
        first_message_timeout_seconds: float | None = None,
        receive_idle_timeout_seconds: float | None = None,
        send_idle_timeout_seconds: float | None = None,
    ) -> None:
        """Choose how long this call may be without messages, in place of what its `Limits` or `CallOptions` say.

        A call that is longer without ends with DEADLINE_EXCEEDED, on both sides.

        Args:
            first_message_timeout_seconds: For the peer's first message, from now. As all three: above 0, `math.inf` for
                as long as it likes, `None` for no change.
            receive_idle_timeout_seconds: Between two messages of the peer, while none waits to be received.
            send_idle_timeout_seconds: Between two messages of this side, while none waits to be taken.

        Raises:
            UsageError: One is no number of seconds above 0.
        """
        self._timeouts = self._timeouts.replaced(
            first_message_timeout_seconds, receive_idle_timeout_seconds, send_idle_timeout_seconds
        )
        if self._message_watch is not None:
            self._message_watch.stop()
            self._message_watch = None
        timers = self._timed_by()
        if timers is not None and self._timeouts != NEVER and self._status is None:
            self._message_watch = MessageWatch(self, timers, self._timeouts)

    def _timed_by(self) -> Timers | None:
        """Where the call is timed; `None` before it is on the wire."""
        raise NotImplementedError

    def _may_send(self) -> bool:
        """This side has not said that it has sent all."""
        return not self._ended_sending

    def _wake_all(self) -> None:
        if self._message_watch is not None:
            self._message_watch.stop()
        self._merged = None
        if self._receive_waiter is not None:
            self._on_readable()
        if self._send_waiters:
            self._on_writable()
        if self._sources:
            self._stop_sources()
