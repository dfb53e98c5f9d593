"""Looks whether an event loop still turns, from a thread beside it, and says what keeps it from doing so.

A loop that is blocked answers no PING and reads no cancellation: every stream in it suffers, and nothing in the loop
itself can tell. Once a second, so that an idle loop is woken no more often, the thread asks the loop to answer.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import threading
import time
from time import clock_gettime, monotonic
from typing import TYPE_CHECKING, Any, Protocol

from penstock import _stacks

if TYPE_CHECKING:
    from penstock.limits import Limits
    from penstock.server_calls import ServerStream

logger = logging.getLogger("penstock.server")

LONGEST_STEP_SECONDS = 1.0
"""Between two looks, unless what may be blocked for a shorter time."""


class Watched(Protocol):
    """A server, as far as this needs to know it."""

    limits: Limits
    blocked_in_all: int

    def call_of(self, task: asyncio.Task[Any]) -> ServerStream[Any, Any] | None: ...


class Watchdog:
    """Watches one loop for the servers that listen in it. The loop's thread makes it.

    It is one loop: the log says once what blocks it, and each server counts what took longer than its own limit.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self._clock = _clock_of_this_thread()
        self._over = threading.Event()
        self._answered_at: float | None = None
        self.watched: list[Watched] = []

    def start(self) -> None:
        """Begin to look."""
        # A daemon: it never keeps the process from its end.
        threading.Thread(target=self._run, name="penstock watchdog", daemon=True).start()

    def stop(self) -> None:
        """Look no more. Does not wait."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._answered_at = None
                self._loop.call_soon_threadsafe(self._answer)
            except RuntimeError:
                return  # the loop is closed
            self._wait_for_answer()

    def _answer(self) -> None:
        self._answered_at = monotonic()

    def _wait_for_answer(self) -> None:
        asked_at = monotonic()
        told: list[Watched] = []
        while True:
            watched = list(self.watched)
            step_seconds = min((server.limits.blocked_loop_seconds for server in watched), default=math.inf)
            step_seconds = min(step_seconds, LONGEST_STEP_SECONDS)
            before, worked_before = monotonic(), self._worked_seconds()
            if self._over.wait(step_seconds):
                return
            now, worked_seconds = monotonic(), self._worked_seconds() - worked_before
            if self._answered_at is not None:
                # Before code that keeps the interpreter to itself held up this thread as well, perhaps.
                self._tell_held(now - before - step_seconds, worked_seconds, watched)
                break
            if not self._loop.is_running():
                asked_at = now  # between two runs it need not answer
            elif now - before > 2 * step_seconds and worked_seconds < step_seconds:
                asked_at = now  # the process stood still, was starved, or another thread kept it: no fault of its loop
            else:
                late = [each for each in watched if now - asked_at >= each.limits.blocked_loop_seconds]
                if late and not told:
                    self._tell(now - asked_at, watched)
                for server in late:
                    if server not in told:
                        told.append(server)
                        server.blocked_in_all += 1
        if told:
            logger.warning("the event loop goes on; it was blocked for %.1f s", self._answered_at - asked_at)

    def _worked_seconds(self) -> float:
        """CPU time of the loop's thread, so far."""
        try:
            return clock_gettime(self._clock)
        except OSError:
            return 0.0  # the thread is over

    def _tell_held(self, seconds: float, worked_seconds: float, watched: list[Watched]) -> None:
        # Both: on a busy machine this thread may be late, and the loop of a busy server works all the time.
        late = [each for each in watched if min(seconds, worked_seconds) >= each.limits.blocked_loop_seconds]
        if late:
            # This thread runs again as soon as that code lets go: the stack is still where it was.
            self._tell(seconds, watched)
        for server in late:
            server.blocked_in_all += 1

    def _tell(self, seconds: float, servers: list[Watched]) -> None:
        task = asyncio.current_task(self._loop)
        text = "the event loop has been blocked for %.1f s by %s. It is here:\n%s"
        logger.error(text, seconds, _name(task, servers), _stacks.of_thread(self._thread).rstrip())


def _clock_of_this_thread() -> int:
    """Its CPU time, where the system tells that of one thread to another; else that of the process."""
    if sys.platform == "linux":
        return time.pthread_getcpuclockid(threading.get_ident())
    return time.CLOCK_PROCESS_CPUTIME_ID


def _name(task: asyncio.Task[Any] | None, servers: list[Watched]) -> str:
    if task is None:
        return "a callback"
    for server in servers:
        call = server.call_of(task)
        if call is not None:
            return f"{call.method} from {call.peer}"
    return f"a task that is no handler ({task.get_name()})"


_watchdogs: dict[asyncio.AbstractEventLoop, Watchdog] = {}


def watch(server: Watched) -> None:
    """Watch the running loop for a server, unless its limits say otherwise."""
    if server.limits.blocked_loop_seconds == math.inf:
        return
    loop = asyncio.get_running_loop()
    watchdog = _watchdogs.get(loop)
    if watchdog is not None:
        watchdog.watched.append(server)
        return
    watchdog = Watchdog(loop)
    watchdog.watched.append(server)
    try:
        watchdog.start()
    except RuntimeError as error:
        logger.warning("nobody looks whether the event loop is blocked: %s", error)
        return
    _watchdogs[loop] = watchdog


def leave(server: Watched) -> None:
    """Watch no more for a server. Harmless when repeated."""
    for loop, watchdog in list(_watchdogs.items()):
        if server in watchdog.watched:
            watchdog.watched.remove(server)
            if not watchdog.watched:
                watchdog.stop()
                del _watchdogs[loop]


# A child of `fork` has the table and none of the threads.
os.register_at_fork(after_in_child=_watchdogs.clear)
