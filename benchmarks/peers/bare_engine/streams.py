"""What both sides do with the messages of a stream, where the engine tells that they came, or that there is room."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

from benchmarks.peers.bare_engine.connection import NOTHING
from penstock._engine import StreamBase

__all__ = ["BATCH", "NO_ROOM", "BareStream", "Sender"]

NO_ROOM = None
"""What `send` returns in place of something to await."""

BATCH = 100
"""Messages taken at once: ten times as many are not faster, and leave the cache."""


class BareStream(StreamBase[Any, Any]):
    """One call, and what came of it."""

    __slots__ = ()

    _on_responded = _on_ended = NOTHING

    def _on_readable(self) -> None:
        while messages := self._take_many(BATCH):
            self._took(messages)
        if self._is_last:
            self._took_last()
        elif self._await_message():
            self._on_readable()

    def _took(self, messages: Sequence[Any]) -> None:
        raise NotImplementedError

    def _took_last(self) -> None:
        """The peer sends no more."""


class Sender(BareStream):
    """Sends as much as there is room for, then the rest."""

    __slots__ = ("_left", "_unsent")

    _left: Iterator[None]
    """One for each message to come; it keeps its place."""
    _unsent: Any

    def _send_times(self, count: int) -> None:
        self._left = repeat(None, count)
        self._send_on()

    def _send_on(self) -> None:
        """Send until one is NO_ROOM: its turn comes when there is room."""
        raise NotImplementedError

    def _on_writable(self) -> None:
        self._push(self._unsent)
        self._send_on()

    def _send_waiting(self, payload: Any) -> None:
        # What this returns, `send` does.
        self._unsent = payload
        self._await_room()
        return NO_ROOM

    _yield = NOTHING
    """The time slice is spent. But a turn ends here when there is no room, which is sooner."""
