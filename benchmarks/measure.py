"""The client program of a peer written in Python: does scenarios one after another and prints a line for each."""

import argparse
import asyncio
import json
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from time import perf_counter

from benchmarks.scenarios import Client, Sample, Scenario, named, percentile

__all__ = ["main", "measure"]

MARGIN = 1.25
"""How much longer than it must be the next run is meant to be, so that a slightly faster one is still long enough."""

MAX_GROWTH = 20
"""A very short run says little about how long the next one has to be."""


def main(connect: Callable[[str], AbstractAsyncContextManager[Client]]) -> None:
    """Read the command line and do what it says: see `benchmarks.peers`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("least_seconds", type=float)
    parser.add_argument("scenarios", nargs="+")
    options = parser.parse_args()

    async def measure_all() -> None:
        async with connect(options.address) as client:
            for scenario in named(options.scenarios):
                print(json.dumps(asdict(await measure(client, scenario, options.least_seconds))), flush=True)

    asyncio.run(measure_all())


async def measure(
    client: Client, scenario: Scenario, least_seconds: float, clock: Callable[[], float] = perf_counter
) -> Sample:
    """Run a scenario longer and longer; what took long enough is the measurement, all before it the warm-up."""
    count = scenario.first_count
    await scenario.run(client, count)
    while True:
        started = clock()
        latencies = await scenario.run(client, count)
        seconds = clock() - started
        if seconds >= least_seconds:
            return Sample(scenario.name, count, seconds, _summary(latencies or []))
        growth = least_seconds * MARGIN / seconds if seconds > 0 else math.inf
        count = math.ceil(count * min(MAX_GROWTH, growth))


def _summary(latencies: Sequence[float]) -> dict[str, float]:
    if not latencies:
        return {}
    ordered = sorted(latencies)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    return {name: percentile(ordered, share) * 1e6 for name, share in shares.items()}
