"""Does the stand-in model make its steps when it should, for who is there?"""

import asyncio

import pytest

from benchmarks.tokens.pacing import MOST_AHEAD, Pace, Queues
from tests.e2e.support import until


async def test_the_first_step_waits_for_all_callers() -> None:
    pace = Pace(0, 2)
    stepping = asyncio.create_task(pace.step())
    pace.came()
    await asyncio.sleep(0)
    assert not stepping.done()
    pace.came()
    await stepping


async def test_a_model_without_a_rate_waits_for_the_slowest_caller() -> None:
    queues = Queues(Pace(0, 2))
    with queues.queue() as fast, queues.queue() as slow:
        working = asyncio.create_task(queues.run())
        for _ in range(MOST_AHEAD + 1):
            await fast.get()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fast.get(), 0.01)  # real time: nothing comes
        assert slow.qsize() == MOST_AHEAD
        await slow.get()
        await fast.get()
    working.cancel()


async def test_a_caller_that_leaves_while_the_model_waits_for_it_stops_nobody() -> None:
    queues = Queues(Pace(0, 2))
    with queues.queue() as stays:
        with queues.queue() as leaves:
            working = asyncio.create_task(queues.run())
            while not leaves.full() or stays.empty():
                await asyncio.sleep(0) if stays.empty() else await stays.get()
        for _ in range(10):
            await stays.get()
    working.cancel()


async def test_a_model_with_a_rate_waits_for_nobody() -> None:
    queues = Queues(Pace(1e6, 1))
    with queues.queue() as queue:
        working = asyncio.create_task(queues.run())
        await until(lambda: queue.qsize() > MOST_AHEAD)
    working.cancel()
