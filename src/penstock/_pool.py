"""Threads for what blocks: made on demand, bounded, and none of them keeps the process alive."""

from __future__ import annotations

import logging
import math
import threading
from collections import OrderedDict
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from penstock.errors import RpcError
from penstock.status import StatusCode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

logger = logging.getLogger("penstock.server")

QUIET_SECONDS = 1.0
"""Between two lines in the log about calls that are refused: many of them must not become as many lines."""

UNARY_SHARE = 4
"""One thread of so many is kept for unary calls."""


class Job:
    """One piece of work for a thread, and who waits for it. All but `work` belongs to the loop.

    Args:
        function: What to do.
        is_step: It is a step of a stream: it may not take a thread that is kept for unary calls.
        is_first: It is the first of its call, which may be refused. A call that has begun is not.
    """

    __slots__ = (
        "_function",
        "_waiter",
        "abandoned",
        "afterwards",
        "error",
        "is_first",
        "is_over",
        "is_step",
        "number",
        "on_end",
        "result",
        "thread",
    )

    def __init__(self, function: Callable[[], Any], *, is_step: bool, is_first: bool = False) -> None:
        self._function = function
        self._waiter: asyncio.Future[None] | None = None
        self.is_step = is_step
        self.is_first = is_first
        self.number = 0
        """Its place in the order of all jobs; 0 is before all others."""
        self.thread: int | None = None
        """Who works on it."""
        self.is_over = False
        """A thread is through with it."""
        self.abandoned = False
        """Nobody waits for it any more."""
        self.afterwards: Callable[[], object] | None = None
        """What a thread is to do when it is over, if it was abandoned."""
        self.on_end: Callable[[], object] | None = None
        """Who is to be told when it is over, and that too, if it was abandoned."""
        self.result: Any = None
        self.error: BaseException | None = None

    @property
    def is_waiting(self) -> bool:
        """No thread has begun it."""
        return self.thread is None and not self.is_over and not self.abandoned

    def work(self) -> None:
        """Do it, in a thread."""
        self.thread = threading.get_ident()
        try:
            self.result = self._function()
        except BaseException as error:  # noqa: BLE001  # kept: raised where the result is taken
            self.error = error

    def take(self) -> Any:
        """Give the result, or raise what the function raised."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
            return self.result
        finally:
            # Left here, the error and the frames it remembers would keep each other until a garbage collection.
            del error

    async def wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until it is over or abandoned. Cancelling ends the waiting, not the job."""
        if not self.is_over and not self.abandoned:
            self._waiter = loop.create_future()
            await self._waiter

    def end(self) -> None:
        """A thread is through with it."""
        self.is_over = True
        self._wake()

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        self.abandoned = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Queue:
    """Jobs of one kind that wait for a thread."""

    __slots__ = ("first", "jobs")

    def __init__(self) -> None:
        # All may be taken out at once, when a connection is lost: that must not cost a search for each.
        self.jobs: OrderedDict[Job, None] = OrderedDict()
        self.first = 0
        """Those that are the first of their call."""

    def put(self, job: Job, *, ahead: bool) -> None:
        """Add one as the last, or `ahead` of all others."""
        self.jobs[job] = None
        if ahead:
            self.jobs.move_to_end(job, last=False)
        self.first += job.is_first

    def next(self) -> Job | None:
        """Look at the next one."""
        return next(iter(self.jobs), None)

    def take(self) -> Job:
        """Give the next one."""
        job = self.jobs.popitem(last=False)[0]
        self.first -= job.is_first
        return job

    def withdraw(self, job: Job) -> bool:
        """Take one out. False: it is not here."""
        if job not in self.jobs:
            return False
        del self.jobs[job]
        self.first -= job.is_first
        return True


class Pool:
    """The threads of a server's sync handlers. Its methods belong to the loop's thread, so nothing is locked.

    Args:
        loop: Where those live that wait for jobs.
        most_threads: Threads, at most.
        most_waiting: Unary calls that wait for a thread, and as many new streams, at most.
        longest_wait_seconds: How long each of them waits, at most.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        most_threads: int,
        most_waiting: int,
        longest_wait_seconds: float = math.inf,
    ) -> None:
        self._loop = loop
        self._most = most_threads
        self._most_steps = max(1, most_threads - max(1, most_threads // UNARY_SHARE))
        self._most_waiting = most_waiting
        self._longest_wait_seconds = longest_wait_seconds
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._unary, self._steps = Queue(), Queue()
        self._count = self._idle = self._running_steps = 0
        self.is_closed = False
        """Its threads end, each after its job."""
        self._quiet_until = -math.inf
        self.threads = 0
        """Threads there are."""
        self.running = 0
        """Jobs that a thread works on."""
        self.refused = 0
        """Calls there was no thread and no place for, from the beginning."""

    @property
    def waiting(self) -> int:
        """Jobs that wait for a thread."""
        return len(self._unary.jobs) + len(self._steps.jobs)

    def start(self, job: Job, *, ahead: bool = False) -> None:
        """Have a thread work on it, now or in its turn; `ahead` of all others of its kind.

        Raises:
            RpcError: RESOURCE_EXHAUSTED: it is the first of its call, no thread is free, and as many calls wait as may.
        """
        queue = self._steps if job.is_step else self._unary
        if job.is_first and queue.first >= self._most_waiting and not self._is_free_for(job):
            raise self._refuse(queue)
        if not ahead:
            self._count += 1
            job.number = self._count
        queue.put(job, ahead=ahead)
        self._give_work()

    def limit_wait(self, job: Job) -> asyncio.TimerHandle | None:
        """Refuse it if no thread begins it in time; `None` if there is nothing to limit."""
        queue = self._steps if job.is_step else self._unary
        if not job.is_first or job not in queue.jobs or self._longest_wait_seconds == math.inf:
            return None
        return self._loop.call_later(self._longest_wait_seconds, self._give_up, job)

    def _give_up(self, job: Job) -> None:
        if self.withdraw(job):
            job.error = self._refuse(self._steps if job.is_step else self._unary)
            job.end()

    def withdraw(self, job: Job) -> bool:
        """Take back a job that no thread works on yet. False: one does, or did."""
        if not (self._steps if job.is_step else self._unary).withdraw(job):
            return False
        job.abandoned = False  # it is with who waited for it, and nothing more will be heard of it
        return True

    def close(self) -> None:
        """Have the threads end, each after its job. A job that comes all the same is done all the same."""
        self.is_closed = True
        for _ in range(self._idle):
            self._inbox.put(None)
        self.threads -= self._idle
        self._idle = 0

    def _is_free_for(self, job: Job) -> bool:
        return self.running < self._most and (not job.is_step or self._running_steps < self._most_steps)

    def _refuse(self, queue: Queue) -> RpcError:
        self.refused += 1
        now = self._loop.time()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            text = "%d of %d threads of sync handlers are busy, and %d calls wait: one is refused; %d so far"
            logger.warning(text, self.running, self._most, queue.first, self.refused)
        message = "the server's threads are busy, and too many calls wait for one, or for too long"
        return RpcError(StatusCode.RESOURCE_EXHAUSTED, message)

    def _give_work(self) -> None:
        while (queue := self._next()) is not None:
            job = queue.take()
            if self._idle:
                self._idle -= 1
            elif (error := self._add_thread()) is None:
                pass
            elif self.threads:
                # The system gives no more: those there are come to it in time.
                queue.put(job, ahead=True)
                return
            else:
                job.error = RpcError(StatusCode.RESOURCE_EXHAUSTED, f"no thread for a sync handler: {error}")
                job.end()
                continue
            self.running += 1
            self._running_steps += job.is_step
            self._inbox.put(job)

    def _next(self) -> Queue | None:
        """Whose turn it is: in the order they came, as far as threads are free for them."""
        unary, step = self._unary.next(), self._steps.next()
        if step is not None and self._is_free_for(step) and (unary is None or step.number < unary.number):
            return self._steps
        return self._unary if unary is not None and self._is_free_for(unary) else None

    def _add_thread(self) -> RuntimeError | None:
        name = f"penstock sync handler {self.threads + 1}"
        # A daemon: one that is stuck in a handler must not keep the process from its end.
        thread = threading.Thread(target=_work, args=(self._inbox, self._loop, self._on_over), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            return error
        self.threads += 1
        return None

    def _on_over(self, job: Job) -> None:
        """A thread is through with a job, and waits for the next."""
        self.running -= 1
        self._running_steps -= job.is_step
        self._idle += 1
        self._give_work()
        job.end()
        if job.abandoned:
            self._end_abandoned(job)
        if self.is_closed:
            self.close()

    def _end_abandoned(self, job: Job) -> None:
        if job.error is not None:
            logger.error("what was left of a handler failed", exc_info=job.error)
        if job.afterwards is not None:
            last = Job(job.afterwards, is_step=True)
            last.abandoned = True
            last.on_end = job.on_end
            self.start(last, ahead=True)
        elif job.on_end is not None:
            job.on_end()


def _work(inbox: SimpleQueue[Job | None], loop: asyncio.AbstractEventLoop, on_over: Callable[[Job], None]) -> None:
    while (job := inbox.get()) is not None:
        job.work()
        try:
            loop.call_soon_threadsafe(on_over, job)
        except RuntimeError:
            # The loop is closed, and who waited for this job with it: only what comes after it is left.
            if job.afterwards is not None:
                job.afterwards()
            return
        del job  # what it holds is not held while this waits
