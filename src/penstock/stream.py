"""A stream of messages, as both sides see it.

How this works: the base class, in the engine, serves what need not wait. What waits comes to `_sending.py` and
`_receiving.py`. The engine calls `_on_readable`, `_on_writable` and, once and last, `_on_ended` (`_ending.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock._ending import ReceiveT, SendT
from penstock._receiving import ReceivingStream
from penstock._sending import NOBODY
from penstock.compression import Compression

if TYPE_CHECKING:
    import asyncio

    from penstock import _engine

__all__ = ["Stream"]


class Stream(ReceivingStream[SendT, ReceiveT]):
    """Messages in both directions of one call.

    `send` and `receive` are independent of each other. Any task may send; a message is never torn, and messages of one
    task keep their order. One task receives at a time: a second one gets `BusyError`.
    """

    __slots__ = ()

    def __init__(self, codec: _engine.Codec, loop: asyncio.AbstractEventLoop) -> None:
        # All of it here, not a part in each base: three calls less for every RPC.
        del codec  # the base class in the engine has it
        self._loop = loop
        self._status = None
        self._end = None
        self._error = None
        self._trailers = None
        self._told = False
        self._ended_sending = False
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

    def _wake_all(self) -> None:
        self._merged = None
        if self._receive_waiter is not None:
            self._on_readable()
        if self._send_waiters:
            self._on_writable()
        if self._sources:
            self._stop_sources()
