"""Does one direction of a proxied connection do what its conditions say?"""

import asyncio
import errno
from random import Random
from typing import Any

import pytest

from penstock.testing.conditions import BLACK_HOLE, CLEAR, STOPPED, Conditions
from penstock.testing.flow import HELD_BYTES, QUEUE_BYTES, Flow, Mark


class Clock:
    """As much of a loop as a flow needs; time passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Any) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, (), self, None)  # type: ignore[arg-type] # as above
        self.timers.append(timer)
        return timer

    def _timer_handle_cancelled(self, timer: asyncio.TimerHandle) -> None:
        self.timers.remove(timer)

    def get_debug(self) -> bool:
        return False

    def pass_to(self, when: float) -> None:
        """Let time pass, step by step."""
        while due := [timer for timer in self.timers if timer.when() <= when]:
            timer = min(due, key=asyncio.TimerHandle.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.when())
            timer._run()
        self.now = when


class Sink(asyncio.Transport):
    """Notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reads = True

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def write_eof(self) -> None:
        self.written.append(b"<end>")

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        assert self.reads
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads
        self.reads = True


class Rig:
    """A flow from a source to a sink."""

    def __init__(self, conditions: Conditions = CLEAR, seed: int = 0) -> None:
        self.clock = Clock()
        self.source, self.sink = Sink(), Sink()
        self.ends: list[object] = []
        self.flow = Flow(
            self.clock,  # type: ignore[arg-type] # as much of a loop as it needs
            Random(seed),
            conditions,
            preface=False,
            on_ended=lambda: self.ends.append("ended"),
            end=self.end,
        )
        self.flow._source, self.flow._sink = self.source, self.sink

    def end(self, reset: bool) -> None:
        self.ends.append(reset)
        self.flow._stop()

    @property
    def written(self) -> bytes:
        return b"".join(self.sink.written)


def frame(length: int) -> bytes:
    return length.to_bytes(3) + bytes(6) + bytes(length)


def test_in_clear_conditions_bytes_go_on_at_once() -> None:
    rig = Rig()
    rig.flow._take(b"ab")
    assert rig.sink.written == [b"ab"]
    assert (rig.flow.bytes_read, rig.flow.bytes_forwarded, rig.flow.queued_bytes) == (2, 2, 0)
    rig.flow._take_mark(Mark.END)
    assert (rig.sink.written, rig.ends, rig.flow._has_ended) == ([b"ab", b"<end>"], ["ended"], True)
    rig.flow._take_mark(Mark.END)
    assert (rig.sink.written, rig.ends) == ([b"ab", b"<end>"], ["ended"])


def test_an_end_is_no_failure_where_the_other_side_has_reset() -> None:
    rig = Rig()

    def refuse() -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")  # as asyncio's, of a socket that was reset

    rig.sink.write_eof = refuse  # type: ignore[method-assign]  # it is a double anyway
    rig.flow._take_mark(Mark.END)
    assert (rig.ends, rig.flow._has_ended) == (["ended"], True)


def test_latency_delays_bytes_and_the_end() -> None:
    rig = Rig(Conditions(latency_seconds=2))
    rig.flow._take(b"ab")
    rig.clock.pass_to(101)
    rig.flow._take(b"cd")
    rig.flow._take_mark(Mark.END)
    rig.clock.pass_to(101.9)
    assert rig.written == b""
    rig.clock.pass_to(102)
    assert rig.written == b"ab"
    rig.clock.pass_to(103)
    assert (rig.written, rig.ends) == (b"abcd<end>", ["ended"])


def test_jitter_keeps_the_order_and_its_bounds_and_depends_on_the_seed() -> None:
    def arrivals(seed: int) -> list[tuple[int, float]]:
        rig = Rig(Conditions(latency_seconds=1, jitter_seconds=4), seed)
        for number in range(50):
            rig.flow._take(bytes([number]))
        seen: list[tuple[int, float]] = []
        while len(seen) < 50:
            rig.clock.pass_to(min(timer.when() for timer in rig.clock.timers))
            seen += [(data[0], rig.clock.now) for data in rig.sink.written[len(seen) :]]
        return seen

    seen = arrivals(1)
    assert [number for number, _ in seen] == list(range(50))
    assert all(101 <= when <= 105 for _, when in seen)
    assert len({when for _, when in seen}) > 1
    assert arrivals(1) == seen
    assert arrivals(2) != seen


def test_a_bandwidth_spreads_bytes_over_time() -> None:
    rig = Rig(Conditions(bytes_per_second=1000))
    rig.flow._take(bytes(2000))
    at_once = len(rig.written)
    assert at_once <= 20
    rig.clock.pass_to(101)
    assert 1000 <= len(rig.written) <= 1000 + 20
    rig.clock.pass_to(101.99)
    assert len(rig.written) < 2000 + 1
    rig.clock.pass_to(102.01)
    assert len(rig.written) == 2000
    assert max(map(len, rig.sink.written)) == 10


def test_a_pause_is_not_made_up_for_by_a_burst() -> None:
    rig = Rig(Conditions(bytes_per_second=1000))
    rig.flow._take(bytes(10))
    rig.clock.pass_to(200)
    rig.flow._take(bytes(1000))
    assert len(rig.written) <= 10 + 20


@pytest.mark.parametrize(("size", "reads"), [(QUEUE_BYTES - 1, True), (QUEUE_BYTES, False), (QUEUE_BYTES + 1, False)])
def test_with_a_bandwidth_the_sender_is_read_from_no_faster(size: int, reads: bool) -> None:
    rig = Rig(Conditions(bytes_per_second=1))
    rig.flow._take(b"a")
    rig.flow._take(b"b")
    already = len(rig.written)
    rig.flow._take(bytes(size - 2 + already))
    assert rig.flow.queued_bytes == size
    assert rig.source.reads is reads


def test_latency_alone_does_not_slow_the_sender() -> None:
    rig = Rig(Conditions(latency_seconds=1))
    rig.flow._take(bytes(QUEUE_BYTES * 10))
    assert rig.source.reads


def test_a_receiver_without_room_stops_the_sender_until_it_has_some() -> None:
    rig = Rig()
    rig.flow._sink_filled(True)
    assert not rig.source.reads
    rig.flow._take(b"ab")
    assert rig.written == b""
    rig.flow._sink_filled(False)
    assert (rig.written, rig.source.reads) == (b"ab", True)


def test_stopped_it_reads_nothing() -> None:
    rig = Rig()
    rig.flow.conditions = STOPPED
    assert not rig.source.reads
    rig.flow.conditions = CLEAR
    assert rig.source.reads


def test_a_black_hole_takes_everything_and_says_nothing() -> None:
    rig = Rig()
    rig.flow.conditions = BLACK_HOLE
    rig.flow._take(bytes(QUEUE_BYTES * 2))
    rig.flow._take_mark(Mark.RESET)
    rig.clock.pass_to(1000)
    assert (rig.written, rig.ends, rig.source.reads) == (b"", [], True)


@pytest.mark.parametrize(("size", "ends"), [(HELD_BYTES, []), (HELD_BYTES + 1, [True])])
def test_a_black_hole_that_is_lifted_gives_what_it_held_or_resets(size: int, ends: list[bool]) -> None:
    rig = Rig(BLACK_HOLE)
    rig.flow._take(b"\xff" * (size - 1))
    rig.flow._take(b"a")
    rig.flow.conditions = CLEAR
    assert rig.ends == ends
    if not ends:
        assert len(rig.written) == size


def test_a_new_bandwidth_holds_for_what_waits() -> None:
    rig = Rig(Conditions(bytes_per_second=1))
    rig.flow._take(bytes(1000))
    rig.flow.conditions = CLEAR
    assert len(rig.written) == 1000


def test_a_reset_of_the_sender_ends_the_connection() -> None:
    rig = Rig(Conditions(latency_seconds=1))
    rig.flow._take_mark(Mark.RESET)
    assert rig.ends == []
    rig.clock.pass_to(101)
    assert rig.ends == [True]


@pytest.mark.parametrize("count", [0, 1, 3, 4])
@pytest.mark.parametrize("reset", [False, True])
def test_it_is_cut_after_so_many_bytes(count: int, reset: bool) -> None:
    rig = Rig()
    rig.flow._take(b"before")
    rig.flow.cut_after(count, reset=reset)
    rig.flow._take(b"ab")
    rig.flow._take(b"cd")
    assert rig.written == b"beforeabcd"[: 6 + count]
    assert rig.ends == [reset]
    assert rig.flow.bytes_forwarded == 6 + count


def test_it_is_not_cut_before() -> None:
    rig = Rig()
    rig.flow.cut_after(5)
    rig.flow._take(b"abcd")
    assert rig.ends == []


def test_it_is_cut_in_the_next_frame() -> None:
    rig = Rig()
    rig.flow._take(frame(10))
    rig.flow.cut_in_next_frame(reset=True)
    rig.flow._take(frame(10))
    assert (rig.written, rig.ends) == (frame(10) + frame(10)[: 9 + 5], [True])


def test_stopping_forgets_what_waits() -> None:
    rig = Rig(Conditions(latency_seconds=1))
    rig.flow._take(b"ab")
    rig.flow._stop()
    assert (rig.clock.timers, rig.flow.queued_bytes) == ([], 0)


def test_what_comes_before_there_is_a_receiver_waits_for_it() -> None:
    rig = Rig()
    rig.flow._sink = None
    rig.flow._take(b"ab")
    rig.flow._sink = rig.sink
    rig.flow._sink_filled(False)
    assert rig.written == b"ab"
