"""The thread beside a loop: when it speaks, and when it does not."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from penstock import Limits, _watchdog

BOUND_SECONDS = 10.0


class Server:
    """What is asked of one."""

    def __init__(self, blocked_loop_seconds: float = 0.02) -> None:
        self.limits = Limits(blocked_loop_seconds=blocked_loop_seconds)
        self.blocked_in_all = 0

    def call_of(self, task: asyncio.Task[Any]) -> None:
        del task

    def block_until_told(self, count: int) -> None:
        end = time.monotonic() + BOUND_SECONDS
        while self.blocked_in_all < count and time.monotonic() < end:
            time.sleep(0.001)  # real time: it blocks the loop


@pytest.fixture
def server() -> Iterator[Server]:
    """Give one that is watched no more at the end."""
    made = Server()
    yield made
    _watchdog.leave(made)


def test_a_loop_that_turns_is_not_told_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(_watchdog, "LONGEST_STEP_SECONDS", 0.001)
    server = Server(3600)

    async def turn() -> None:
        _watchdog.watch(server)
        answers: list[float] = []
        watchdog = _watchdog._watchdogs[asyncio.get_running_loop()]
        while len(answers) < 3:
            if watchdog._answered_at is not None and watchdog._answered_at not in answers:
                answers.append(watchdog._answered_at)
            await asyncio.sleep(0.001)  # real time: the thread sets no event of the loop

    asyncio.run(asyncio.wait_for(turn(), BOUND_SECONDS))
    _watchdog.leave(server)
    assert (server.blocked_in_all, caplog.records) == (0, [])


def test_two_servers_share_a_thread_and_each_has_its_own_time(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    patient = Server(3600)

    async def block() -> None:
        _watchdog.watch(patient)
        _watchdog.watch(server)
        assert len(_watchdog._watchdogs) == 1
        _watchdog.leave(patient)
        _watchdog.leave(patient)
        _watchdog.watch(patient)
        server.block_until_told(1)

    asyncio.run(block())
    _watchdog.leave(patient)
    # Once at least: a machine that is busy with other things blocks it too.
    told = [record.levelno for record in caplog.records if "has been blocked" in record.message]
    assert told == [logging.ERROR] * server.blocked_in_all
    assert server.blocked_in_all >= 1
    assert patient.blocked_in_all == 0
    assert "a task that is no handler (Task-" in caplog.text
    caplog.clear()


class Clocks:
    """A watchdog whose waits take the time that the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
        self.now = self.busy = 0.0
        self.runs = True
        self.watchdog = _watchdog.Watchdog(self)  # type: ignore[arg-type]  # what it needs of a loop
        self.watchdog.watched.append(server)
        self._server = server
        monkeypatch.setattr(_watchdog, "monotonic", lambda: self.now)
        monkeypatch.setattr(_watchdog, "clock_gettime", lambda _clock: self.busy)
        monkeypatch.setattr(asyncio, "current_task", lambda _loop: None)

    def is_running(self) -> bool:
        return self.runs

    def told_after(self, *waits: tuple[float, float]) -> list[int]:
        """Give how often it has told after each wait; of each: the time it took, and how long the loop worked."""
        counts: list[int] = []
        left = list(waits)

        def wait(_seconds: float) -> bool:
            if len(left) < len(waits):
                counts.append(self._server.blocked_in_all)
            if not left:
                return True
            took, busy = left.pop(0)
            self.now += took
            self.busy += busy
            return False

        self.watchdog._over.wait = wait  # type: ignore[method-assign, assignment]  # time is the test's
        self.watchdog._wait_for_answer()
        return counts


def test_a_loop_that_does_not_answer_in_time_is_told_of_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert Clocks(monkeypatch, server).told_after((0.01, 0), (0.01, 0), (0.02, 0), (0.02, 0)) == [0, 1, 1, 1]
    caplog.clear()


def test_each_server_counts_what_is_longer_than_its_own_limit_and_the_log_says_it_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks(monkeypatch, server)
    patient, more_patient = Server(0.05), Server(0.5)
    clocks.watchdog.watched += [patient, more_patient]
    assert clocks.told_after((0.03, 0.03), (0.03, 0.03), (0.03, 0.03)) == [1, 1, 1]
    assert (patient.blocked_in_all, more_patient.blocked_in_all) == (1, 0)
    assert caplog.text.count("has been blocked") == 1
    caplog.clear()


def test_a_process_that_stood_still_does_not_blame_its_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Stopped by a signal, or its machine asleep: much time is over, and nothing was done in it.
    assert Clocks(monkeypatch, server).told_after((3600, 0.001), (0.01, 0.01), (0.02, 0.02)) == [0, 0, 1]
    assert "blocked for 0.0 s" in caplog.text
    caplog.clear()


def test_code_that_let_no_thread_run_is_blamed(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # As an extension does that keeps the interpreter to itself: this thread is late, and the loop was busy.
    assert Clocks(monkeypatch, server).told_after((60, 59)) == [1]
    assert "blocked for 60.0 s" in caplog.text
    caplog.clear()


def test_code_that_let_no_thread_run_is_blamed_though_the_loop_had_answered_before(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks(monkeypatch, server)
    clocks.watchdog._answered_at = 0.0
    # Late by less than the limit; late, and another process or thread worked; late, and the loop did.
    for took, worked, told in ((0.03, 0.03, 0), (60, 0.01, 0), (60, 59, 1)):
        clocks.told_after((took, worked))
        assert server.blocked_in_all == told
    assert "blocked for 60.0 s" in caplog.text
    caplog.clear()


def test_a_thread_that_lets_no_other_run_is_no_fault_of_the_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert Clocks(monkeypatch, server).told_after((60, 0.01)) == [0]
    assert not caplog.records


def test_a_loop_between_two_runs_need_not_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks(monkeypatch, server)
    clocks.runs = False
    assert clocks.told_after((0.02, 0), (0.02, 0), (0.02, 0)) == [0, 0, 0]
    assert not caplog.records


def test_a_loop_that_closed_is_left(server: Server) -> None:
    async def watch() -> None:
        _watchdog.watch(server)

    asyncio.run(watch())
    (watchdog,) = _watchdog._watchdogs.values()
    threads = [thread for thread in threading.enumerate() if thread.name == "penstock watchdog"]
    for thread in threads:
        thread.join(BOUND_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert server in watchdog.watched


async def test_without_a_limit_nobody_looks() -> None:
    _watchdog.watch(Server(math.inf))
    assert not _watchdog._watchdogs


async def test_without_a_thread_the_server_serves_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    _watchdog.watch(Server())
    assert not _watchdog._watchdogs
    assert "nobody looks whether the event loop is blocked: can't start new thread" in caplog.text
    caplog.clear()
