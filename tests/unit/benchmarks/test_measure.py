import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import process_time
from typing import cast

import pytest

from benchmarks.measure import MARGIN, MAX_GROWTH, measure
from benchmarks.scenarios import Client, Scenario
from tests.unit.benchmarks.samples import rate_row

CLIENT = cast("Client", None)


class Work:
    """Takes so many seconds for each unit, by its own clock."""

    def __init__(self, seconds_each: float) -> None:
        self.seconds_each = seconds_each
        self.now = 100.0
        self.counts: list[int] = []

    async def run(self, client: Client, count: int) -> Sequence[float]:
        del client
        self.counts.append(count)
        self.now += count * self.seconds_each
        return [number * 1e-6 for number in range(count, 0, -1)]

    def clock(self) -> float:
        return self.now

    def scenario(self, first_count: int) -> Scenario:
        return Scenario("work", first_count, self.run, [rate_row()])


@pytest.mark.parametrize(("seconds_each", "runs"), [(0.249, 3), (0.25, 2), (0.251, 2)])
async def test_a_run_shorter_than_the_least_is_repeated_longer(seconds_each: float, runs: int) -> None:
    work = Work(seconds_each)
    sample = await measure(CLIENT, work.scenario(first_count=4), 1.0, clock=work.clock)
    assert len(work.counts) == runs
    assert sample.count == work.counts[-1]
    assert sample.seconds == pytest.approx(sample.count * seconds_each)


async def test_the_first_run_is_a_warm_up_even_if_it_is_long() -> None:
    work = Work(seconds_each=10)
    await measure(CLIENT, work.scenario(first_count=7), 1.0, clock=work.clock)
    assert work.counts == [7, 7]


async def test_a_run_grows_to_the_least_and_a_margin() -> None:
    work = Work(seconds_each=0.01)
    await measure(CLIENT, work.scenario(first_count=50), 1.0, clock=work.clock)
    assert work.counts == [50, 50, pytest.approx(100 * MARGIN, abs=1)]


@pytest.mark.parametrize("seconds_each", [0.0, 0.000_001])
async def test_a_run_too_short_to_tell_grows_by_a_bounded_factor(seconds_each: float) -> None:
    work = Work(seconds_each)
    run = work.run

    async def slow_at_last(client: Client, count: int) -> Sequence[float]:
        work.seconds_each = 1.0 if len(work.counts) == 2 else seconds_each
        return await run(client, count)

    await measure(CLIENT, Scenario("work", 10, slow_at_last, [rate_row()]), 1.0, clock=work.clock)
    assert work.counts == [10, 10, 10 * MAX_GROWTH]


async def test_latencies_become_percentiles_in_microseconds() -> None:
    work = Work(seconds_each=1.0)
    sample = await measure(CLIENT, work.scenario(first_count=200), 1.0, clock=work.clock)
    assert sample.latency_us == pytest.approx({"p50": 100, "p90": 180, "p99": 198})


async def test_counts_are_multiples() -> None:
    work = Work(seconds_each=0.01)
    scenario = Scenario("work", 30, work.run, [rate_row()], multiple=10)
    await measure(CLIENT, scenario, 1.0, clock=work.clock)
    assert work.counts == [30, 30, 130]


async def test_what_is_around_a_scenario_is_there_in_every_run_and_gone_afterwards() -> None:
    work, seen = Work(seconds_each=0.25), list[object]()

    @asynccontextmanager
    async def around(client: Client) -> AsyncIterator[None]:
        seen.append(client)
        yield
        seen.append(list(work.counts))

    await measure(CLIENT, Scenario("work", 2, work.run, [rate_row()], around), 1.0, clock=work.clock)
    assert seen == [CLIENT, [2, 2, 5]]


async def test_usage_is_that_of_the_measured_run_only() -> None:
    async def spend(client: Client, count: int) -> None:
        begin = process_time()
        while process_time() - begin < count * 0.02:
            pass

    scenario = Scenario("work", 1, spend, [rate_row()])
    sample = await measure(CLIENT, scenario, 0.0, server=os.getpid())  # this process plays both
    assert 0.02 <= sample.client_cpu_seconds < 0.04, "the run before it took as much"
    assert sample.server_cpu_seconds == pytest.approx(sample.client_cpu_seconds, abs=0.011)
    assert sample.server_rss_bytes == pytest.approx(sample.client_rss_bytes, rel=0.1)
    assert (await measure(CLIENT, scenario, 0.0)).server_rss_bytes == 0
