"""A peer that reads nothing is found by what its socket takes, on a clock that only the test moves."""

from __future__ import annotations

from math import inf
from typing import Any

from penstock._progress import WriteProgress
from penstock._timers import Timers
from tests.unit.manual_loop import ManualLoop

LATE = 1 / 32
"""By so much a timer may be late."""


class Socket:
    """The connection, as far as it is asked."""

    def __init__(self, loop: ManualLoop) -> None:
        self.loop = loop
        self.is_full = False
        self.unwritten_bytes = 0
        self.ended_at: list[float] = []

    def end_silent(self, reason: str) -> None:
        assert "read nothing" in reason
        self.ended_at.append(self.loop.now)


def watched(seconds: float) -> tuple[ManualLoop, Socket, WriteProgress]:
    loop = ManualLoop(100.0)
    socket: Any = Socket(loop)
    return loop, socket, WriteProgress(socket, Timers(loop.as_loop()), seconds)


def fill(socket: Socket, progress: WriteProgress, unwritten: int) -> None:
    socket.is_full, socket.unwritten_bytes = True, unwritten
    progress.note_full()


def test_a_socket_that_takes_nothing_ends_the_connection_in_time() -> None:
    loop, socket, progress = watched(30)
    fill(socket, progress, 1000)
    loop.advance(129.9)
    assert socket.ended_at == []
    loop.advance(200)
    (ended,) = socket.ended_at
    assert 130 <= ended <= 130 + LATE


def test_one_byte_is_progress() -> None:
    loop, socket, progress = watched(30)
    fill(socket, progress, 1000)
    for step in range(10):
        loop.advance(100 + 29 * (step + 1))
        socket.unwritten_bytes -= 1
    assert socket.ended_at == []


def test_a_buffer_that_was_emptied_and_is_as_full_again_is_progress() -> None:
    loop, socket, progress = watched(30)
    fill(socket, progress, 1000)
    loop.advance(129)
    fill(socket, progress, 1000)
    loop.advance(158)
    assert socket.ended_at == []
    loop.advance(161)
    assert len(socket.ended_at) == 1


def test_a_socket_with_room_is_not_watched() -> None:
    loop, socket, progress = watched(30)
    fill(socket, progress, 1000)
    socket.is_full = False
    loop.advance(200)
    assert loop.armed() == []
    fill(socket, progress, 5)
    loop.advance(300)
    assert len(socket.ended_at) == 1


def test_many_fills_have_one_timer() -> None:
    loop, socket, progress = watched(30)
    for _ in range(1000):
        fill(socket, progress, 1)
    assert len(loop.armed()) == 1


def test_off_and_after_the_end_nothing_happens() -> None:
    loop, socket, progress = watched(inf)
    fill(socket, progress, 1)
    assert loop.armed() == []
    loop, socket, progress = watched(30)
    fill(socket, progress, 1)
    progress.stop()
    loop.advance(1000)
    assert socket.ended_at == []
