"""One direction of a connection that goes through a `FaultProxy`."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from random import Random
from typing import TYPE_CHECKING

from penstock.testing.conditions import check_conditions
from penstock.testing.frame_tracker import FrameTracker

if TYPE_CHECKING:
    from penstock.testing.conditions import Conditions

__all__ = ["Flow"]

QUEUE_BYTES = 64 * 1024
"""What is queued before the sender has to wait, beside what is under way by latency."""
HELD_BYTES = 16 * 1024 * 1024
"""What is held at most while nothing is forwarded."""
SLICE_SECONDS = 0.01
"""With a bandwidth: how much is forwarded at once."""


class Mark(Enum):
    """What comes in place of bytes."""

    END = auto()
    """The sender writes no more."""
    RESET = auto()
    """The sender is gone."""


class Flow:
    """One direction: what is read from one side, and written to the other as the conditions say.

    Args:
        loop: The proxy's loop.
        random: Where jitter comes from.
        conditions: What it begins with.
        preface: It comes from a client.
        on_ended: Called when the receiver has been told that nothing follows.
        end: Ends the connection; with a reset or without.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        random: Random,
        conditions: Conditions,
        *,
        preface: bool,
        on_ended: Callable[[], None],
        end: Callable[[bool], None],
    ) -> None:
        self.bytes_read = 0
        """Bytes that came from the sender."""
        self.bytes_forwarded = 0
        """Bytes that were written to the receiver."""
        self._source: asyncio.Transport | None = None
        self._sink: asyncio.Transport | None = None
        self._sink_is_full = False
        self._has_ended = False
        """The receiver has been told that nothing follows."""
        self._loop = loop
        self._random = random
        self._conditions = conditions
        self._on_ended = on_ended
        self._end = end
        self._cut_resets = False
        self._cut_in_bytes: int | None = None
        self._frames = FrameTracker(preface=preface)
        self._queue: deque[tuple[float, memoryview | Mark]] = deque()
        self._queued_bytes = 0
        self._last_due = self._free_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._has_lost_bytes = False

    @property
    def conditions(self) -> Conditions:
        """What happens to bytes now; set it to change that for what comes, and for what waits."""
        return self._conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        self._conditions = check_conditions(conditions)
        self._free_at = -math.inf
        if self._has_lost_bytes and not conditions.black_hole:
            self._end(True)
        self._pump()

    @property
    def queued_bytes(self) -> int:
        """Bytes that were read and not yet forwarded."""
        return self._queued_bytes

    def cut_after(self, count_bytes: int, *, reset: bool = False) -> None:
        """End the connection when so many more bytes have been forwarded in this direction.

        Args:
            count_bytes: From 0; 0 cuts before the next byte.
            reset: With RST, rather than an orderly end.
        """
        self._cut_in_bytes, self._cut_resets = count_bytes, reset

    def cut_in_next_frame(self, *, reset: bool = False) -> None:
        """End the connection in the middle of the payload of the next HTTP/2 frame that begins and has one.

        Args:
            reset: With RST, rather than an orderly end.
        """
        self._frames.armed, self._cut_resets = True, reset

    # What the connection calls.

    def _take(self, data: bytes) -> None:
        """Bytes came from the sender."""
        self.bytes_read += len(data)
        if not self._queue and self._conditions.are_clear and self._may_forward():
            self._forward(data)
            self._update_reading()
            return
        if self._conditions.black_hole and self._queued_bytes + len(data) > HELD_BYTES:
            self._has_lost_bytes = True
            return
        self._queue.append((self._due(), memoryview(data)))
        self._queued_bytes += len(data)
        self._pump()

    def _take_mark(self, mark: Mark) -> None:
        """The sender's bytes end."""
        self._queue.append((self._due(), mark))
        self._pump()

    def _sink_filled(self, full: bool) -> None:
        """The receiver's socket has no room, or has some again."""
        self._sink_is_full = full
        self._pump()

    def _stop(self) -> None:
        """Forward nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._queue.clear()
        self._queued_bytes = 0
        self._source = self._sink = self._timer = None

    # Inside.

    def _due(self) -> float:
        conditions = self._conditions
        jitter = self._random.uniform(0, conditions.jitter_seconds) if conditions.jitter_seconds else 0.0
        self._last_due = max(self._last_due, self._loop.time() + conditions.latency_seconds + jitter)
        return self._last_due

    def _pump(self) -> None:
        """Forward what is due."""
        while self._queue and self._may_forward():
            due, item = self._queue[0]
            due = max(due, self._free_at)
            now = self._loop.time()
            if due > now:
                self._wake_at(due)
                break
            self._queue.popleft()
            if isinstance(item, Mark):
                self._forward_mark(item)
            else:
                self._free_at = max(now - SLICE_SECONDS, self._free_at)
                self._forward_slice(due, item)
        self._update_reading()

    def _forward_slice(self, due: float, data: memoryview) -> None:
        rate = self._conditions.bytes_per_second
        size = max(1, int(min(rate * SLICE_SECONDS, QUEUE_BYTES)))
        if size < len(data):
            self._queue.appendleft((due, data[size:]))
        piece = bytes(data[:size])
        self._queued_bytes -= len(piece)
        self._free_at += len(piece) / rate
        self._forward(piece)

    def _may_forward(self) -> bool:
        return self._sink is not None and not self._sink_is_full and not self._conditions.black_hole

    def _wake_at(self, due: float) -> None:
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_due)

    def _on_due(self) -> None:
        self._timer = None
        self._pump()

    def _forward(self, data: bytes) -> None:
        assert self._sink is not None
        end = self._frames.follow(data)
        if self._cut_in_bytes is not None:
            end = min(self._cut_in_bytes, len(data) + 1 if end is None else end)
            self._cut_in_bytes -= len(data)
        is_cut = end is not None and end <= len(data)
        if is_cut:
            data = data[:end]
        if not self._sink.is_closing():
            self._sink.write(data)
        self.bytes_forwarded += len(data)
        if is_cut:
            self._end(self._cut_resets)

    def _forward_mark(self, mark: Mark) -> None:
        if mark is Mark.RESET:
            self._end(True)
        elif self._sink is not None and not self._has_ended:
            self._has_ended = True
            if not self._sink.is_closing():
                with suppress(OSError):  # reset by its peer, of which it will hear in a moment
                    self._sink.write_eof()
            self._on_ended()

    def _update_reading(self) -> None:
        conditions, source = self._conditions, self._source
        most = QUEUE_BYTES
        if conditions.latency_seconds or conditions.jitter_seconds:
            under_way = conditions.bytes_per_second * (conditions.latency_seconds + conditions.jitter_seconds)
            most += int(min(under_way, HELD_BYTES))
        has_room = conditions.black_hole or (self._queued_bytes < most and not self._sink_is_full)
        reads = has_room and not conditions.stopped
        if source is not None and reads is not self._reading and not source.is_closing():
            self._reading = reads
            (source.resume_reading if reads else source.pause_reading)()
