"""Threads for what blocks: who gets one, who waits, who is refused."""

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from penstock import ResourceExhausted, RpcError, _pool
from penstock._pool import Job, Pool

BOUND_SECONDS = 10.0


class Stage:
    """A pool whose jobs block until they are let go."""

    def __init__(self, threads: int, queue: int) -> None:
        self.pool = Pool(asyncio.get_running_loop(), threads, queue)
        self.entered: list[str] = []
        self._go_on: dict[str, threading.Event] = {}

    def job(self, name: str, *, is_step: bool = False, is_first: bool = True) -> Job:
        event = self._go_on[name] = threading.Event()

        def work() -> str:
            self.entered.append(name)
            assert event.wait(BOUND_SECONDS)
            return name

        return Job(work, is_step=is_step, is_first=is_first)

    def start(self, name: str, **options: bool) -> Job:
        job = self.job(name, **options)
        self.pool.start(job)
        return job

    def let_go(self, *names: str) -> None:
        for name in names or self._go_on:
            self._go_on[name].set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(BOUND_SECONDS):
            while not condition():  # noqa: ASYNC110 - as below
                await asyncio.sleep(0.001)  # real time: threads set no event of the loop


@asynccontextmanager
async def stage(threads: int, queue: int = 100) -> AsyncIterator[Stage]:
    """A pool that has nothing left to do at the end, and whose threads end then."""
    made = Stage(threads, queue)
    yield made
    made.let_go()
    await made.until(lambda: not made.pool.running and not made.pool.waiting)
    made.pool.close()
    assert made.pool.threads == 0


async def test_a_job_gives_its_result_and_a_thread_is_used_again() -> None:
    async with stage(4) as on:
        for name in ("one", "two", "three"):
            job = on.start(name)
            on.let_go(name)
            await job.wait(asyncio.get_running_loop())
            assert (job.take(), job.is_over) == (name, True)
        assert on.pool.threads == 1


async def test_a_job_raises_what_its_function_raised() -> None:
    def fail() -> None:
        raise KeyboardInterrupt("even this")

    async with stage(1) as on:
        job = Job(fail, is_step=False)
        on.pool.start(job)
        await job.wait(asyncio.get_running_loop())
        with pytest.raises(KeyboardInterrupt, match="even this"):
            job.take()


async def test_threads_are_made_on_demand_up_to_the_limit() -> None:
    async with stage(3) as on:
        assert on.pool.threads == 0
        for number in range(5):
            on.start(str(number))
        await on.until(lambda: len(on.entered) == 3)
        assert (on.pool.threads, on.pool.running, on.pool.waiting) == (3, 3, 2)
        on.let_go("0")
        await on.until(lambda: len(on.entered) == 4)
        assert on.entered[3] == "3"
        assert (on.pool.threads, on.pool.waiting) == (3, 1)


@pytest.mark.parametrize(("threads", "steps"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (32, 24)])
async def test_steps_leave_a_share_of_the_threads_to_unary_calls(threads: int, steps: int) -> None:
    async with stage(threads) as on:
        for number in range(threads + 1):
            on.start(f"step {number}", is_step=True)
        await on.until(lambda: len(on.entered) == steps)
        assert (on.pool.running, on.pool.waiting) == (steps, threads + 1 - steps)
        for number in range(threads - steps):
            on.start(f"unary {number}")
        await on.until(lambda: len(on.entered) == threads)
        assert on.pool.running == threads


async def test_jobs_of_both_kinds_get_threads_in_the_order_they_came() -> None:
    async with stage(1) as on:
        for name in ("unary 1", "step 1", "unary 2", "step 2"):
            on.start(name, is_step=name.startswith("step"))
        for count, name in enumerate(("unary 1", "step 1", "unary 2", "step 2"), 1):
            await on.until(lambda: len(on.entered) == count)  # noqa: B023 - awaited at once
            on.let_go(name)
        await on.until(lambda: not on.pool.running)
        assert on.entered == ["unary 1", "step 1", "unary 2", "step 2"]


async def test_a_job_ahead_of_others_comes_before_the_steps_that_wait() -> None:
    async with stage(1) as on:
        on.start("running")
        on.start("step", is_step=True)
        on.start("unary")
        on.pool.start(on.job("closing", is_step=True, is_first=False), ahead=True)
        on.let_go()
        await on.until(lambda: len(on.entered) == 4)
        assert on.entered == ["running", "closing", "step", "unary"]


@pytest.mark.parametrize("is_step", [False, True])
async def test_one_call_more_than_may_wait_is_refused(is_step: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with stage(1, queue=2) as on:
        for number in range(3):
            on.start(str(number), is_step=is_step)
        on.start("of the other kind", is_step=not is_step)
        on.start("of a stream that has begun", is_step=True, is_first=False)
        for _ in range(2):
            with pytest.raises(ResourceExhausted):
                on.start("3", is_step=is_step)
        assert (on.pool.refused, on.pool.waiting) == (2, 4)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
    caplog.clear()


async def test_that_calls_are_refused_is_logged_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_pool, "QUIET_SECONDS", 3600.0)
    async with stage(1, queue=1) as on:
        on.start("running")
        on.start("waiting")
        for lines in (1, 2):
            for number in range(3):
                with pytest.raises(ResourceExhausted):
                    on.start(str(number))
            assert len(caplog.records) == lines
            on.pool._quiet_until = 0.0  # a while later
        assert "1 of 1 threads of sync handlers are busy, and 1 calls wait: one is refused; 4 so far" in caplog.text
    caplog.clear()


async def test_a_job_that_waits_can_be_withdrawn_and_one_that_runs_cannot() -> None:
    async with stage(1, queue=1) as on:
        running, waiting = on.start("running"), on.start("waiting")
        assert on.pool.withdraw(waiting)
        assert not on.pool.withdraw(waiting)
        assert not on.pool.withdraw(running)
        on.start("in its place")
        on.let_go()
        await on.until(lambda: len(on.entered) == 2)
        assert on.entered == ["running", "in its place"]


async def test_jobs_by_the_thousand_are_withdrawn_in_any_order() -> None:
    async with stage(1) as on:
        on.start("running")
        waiting = [on.start(str(number), is_step=True, is_first=False) for number in range(5000)]
        for job in reversed(waiting):
            assert on.pool.withdraw(job)
        assert on.pool.waiting == 0


async def test_what_is_left_of_an_abandoned_job_is_done_behind_it(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        on.entered.append("afterwards")
        raise LookupError("cleanup")

    async with stage(1) as on:
        job = on.start("stuck", is_step=True)
        job.afterwards = fail
        waiting = asyncio.ensure_future(job.wait(asyncio.get_running_loop()))
        await on.until(lambda: on.entered)
        job.abandon()
        await waiting
        assert not job.is_over
        on.let_go()
        await on.until(lambda: len(on.entered) == 2 and not on.pool.running)
        assert on.entered == ["stuck", "afterwards"]
        assert "LookupError: cleanup" in caplog.text
    caplog.clear()


def test_what_is_left_is_done_by_the_thread_itself_when_the_loop_is_closed() -> None:
    done = threading.Event()

    async def start() -> Stage:
        on = Stage(1, 1)
        job = on.start("stuck", is_step=True)
        job.afterwards = done.set
        await on.until(lambda: on.entered)
        return on

    asyncio.run(start()).let_go()
    assert done.wait(BOUND_SECONDS)


async def test_a_pool_that_closed_still_ends_what_it_began() -> None:
    async with stage(2) as on:
        on.start("one")
        job = on.start("two", is_step=True)
        job.afterwards = lambda: on.entered.append("afterwards")
        await on.until(lambda: len(on.entered) == 2)
        on.pool.close()
        job.abandon()
        on.let_go()
        await on.until(lambda: on.pool.threads == 0)
        assert sorted(on.entered) == ["afterwards", "one", "two"]


async def test_a_first_job_for_which_no_thread_comes_free_in_time_is_refused() -> None:
    loop = asyncio.get_running_loop()
    async with stage(1) as on:
        on.pool._longest_wait_seconds = 0.001
        running = on.start("running")
        assert on.pool.limit_wait(running) is None  # a thread has it
        later = on.start("later", is_first=False)
        assert on.pool.limit_wait(later) is None  # its call has begun
        waiting = on.start("waiting")
        assert on.pool.limit_wait(waiting) is not None
        await waiting.wait(loop)
        with pytest.raises(ResourceExhausted, match="for too long"):
            waiting.take()
        assert on.pool.refused == 1
        on.let_go("running", "later")
        await later.wait(loop)
        assert on.entered == ["running", "later"]


async def test_threads_do_not_keep_the_process_alive() -> None:
    before = set(threading.enumerate())  # some of other tests may be about to end
    async with stage(1) as on:
        on.start("one")
        await on.until(lambda: on.entered)
        (thread,) = set(threading.enumerate()) - before
        assert thread.name == "penstock sync handler 1"
        assert thread.daemon


async def test_where_no_thread_can_be_made_the_job_fails_and_its_place_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with stage(1) as on:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            job = on.start("none")
        await job.wait(asyncio.get_running_loop())
        with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED: no thread for a sync handler"):
            job.take()
        assert (on.pool.threads, on.pool.running) == (0, 0)


async def test_where_no_more_threads_can_be_made_jobs_wait_for_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with stage(4) as on:
        on.start("one")
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            on.start("two")
            on.start("three")
        assert (on.pool.threads, on.pool.running, on.pool.waiting) == (1, 1, 2)
        on.let_go("one")
        await on.until(lambda: len(on.entered) == 3)
        assert on.entered[0] == "one"


async def test_a_thread_that_waits_holds_nothing_of_its_last_job() -> None:
    class Result:
        pass

    async with stage(1) as on:
        job: Any = Job(Result, is_step=False)
        on.pool.start(job)
        await job.wait(asyncio.get_running_loop())
        result = weakref.ref(job.take())
        del job
        await on.until(lambda: result() is None)
