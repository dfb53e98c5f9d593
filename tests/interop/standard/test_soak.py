"""A soak fails when too many calls fail, when calls are too slow, and when time is up."""

import asyncio

import pytest

from tests.interop.standard import soak as soaking
from tests.interop.standard.soak import Soak


class Calls:
    """Calls of which some fail, and some are slow."""

    def __init__(self, *, failing: int = 0, seconds: float = 0.0) -> None:
        self.count = 0
        self._failing = failing
        self._seconds = seconds

    async def __call__(self) -> None:
        self.count += 1
        if self.count <= self._failing:
            raise ConnectionError
        if self._seconds:
            await asyncio.sleep(self._seconds)  # real time: slow is what it shall be


async def test_all_calls_are_made() -> None:
    calls = Calls()
    await soaking.run(Soak(iterations=25), calls)
    assert calls.count == 25


async def test_as_many_failures_as_may_be_are_none() -> None:
    calls = Calls(failing=2)
    await soaking.run(Soak(iterations=10, max_failures=2), calls)
    assert calls.count == 10


async def test_one_failure_more_fails_the_soak() -> None:
    with pytest.raises(AssertionError, match=r"3 failures: .*iteration 2 failed: ConnectionError"):
        await soaking.run(Soak(iterations=10, max_failures=2), Calls(failing=3))


async def test_a_slow_call_is_a_failure() -> None:
    with pytest.raises(AssertionError, match=r"iteration 0 took \d+ ms, more than 5"):
        await soaking.run(Soak(iterations=2, per_iteration_max_acceptable_latency_ms=5), Calls(seconds=0.02))


async def test_time_that_is_up_fails_the_soak() -> None:
    with pytest.raises(AssertionError, match=r"of 1000 iterations were done in 0\.01 s"):
        await soaking.run(Soak(iterations=1000, overall_timeout_seconds=0.01), Calls(seconds=0.005))


async def test_calls_keep_their_distance() -> None:
    begun = asyncio.get_running_loop().time()
    await soaking.run(Soak(iterations=3, min_time_ms_between_rpcs=20), Calls())
    assert asyncio.get_running_loop().time() - begun >= 0.06
