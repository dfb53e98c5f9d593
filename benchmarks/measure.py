"""The client program of a peer written in Python: does scenarios one after another and prints a line for each."""

import argparse
import asyncio
import json
import math
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.programs import add_loop, run_on
from benchmarks.sample import Sample, summary
from benchmarks.scenarios import Client, Scenario, named
from benchmarks.usage import cpu_seconds, resident_bytes
from benchmarks.work import CONCURRENT_CALLS, SERVER_VARIABLE

__all__ = ["at_once", "main", "measure"]

MARGIN = 1.25
"""How much longer than it must be the next run is meant to be, so that a slightly faster one is still long enough."""

MAX_GROWTH = 20
"""A very short run says little about how long the next one has to be."""


def main(connect: Callable[[str, Path | None], AbstractAsyncContextManager[Client]]) -> None:
    """Read the command line and do what it says: see `benchmarks.peers`.

    Args:
        connect: Gives a client of an address; over TLS if there is a file with whom to trust.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("least_seconds", type=float)
    parser.add_argument("scenarios", nargs="+")
    parser.add_argument("--tls", type=Path, metavar="CA")
    add_loop(parser)
    options = parser.parse_args()
    server = int(os.environ.get(SERVER_VARIABLE, "0"))

    async def measure_all() -> None:
        async with connect(options.address, options.tls) as client:
            for scenario in named(options.scenarios):
                sample = await measure(client, scenario, options.least_seconds, server)
                print(json.dumps(asdict(sample)), flush=True)

    run_on(options.loop, measure_all())


async def measure(
    client: Client, scenario: Scenario, least_seconds: float, server: int = 0, clock: Callable[[], float] = perf_counter
) -> Sample:
    """Run a scenario longer and longer; what took long enough is the measurement, all before it the warm-up.

    Args:
        client: Does it.
        scenario: What to do.
        least_seconds: What the measurement takes at least.
        server: The server's process; 0: not known.
        clock: Gives seconds.
    """
    count = scenario.first_count
    async with scenario.around(client):
        await scenario.run(client, count)
        while True:
            server_cpu, client_cpu = cpu_seconds(server) if server else 0.0, process_time()
            started = clock()
            latencies = await scenario.run(client, count)
            seconds = clock() - started
            if seconds >= least_seconds:
                return Sample(
                    scenario.name,
                    count,
                    seconds,
                    summary(latencies or []),
                    client_cpu_seconds=process_time() - client_cpu,
                    server_cpu_seconds=cpu_seconds(server) - server_cpu if server else 0.0,
                    client_rss_bytes=resident_bytes(os.getpid()),
                    server_rss_bytes=resident_bytes(server) if server else 0,
                )
            growth = min(MAX_GROWTH, least_seconds * MARGIN / seconds if seconds > 0 else math.inf)
            count = math.ceil(count * growth / scenario.multiple) * scenario.multiple


async def at_once(unary: Callable[[], Awaitable[None]], count: int) -> None:
    """Make so many calls, each of some tasks one after another."""

    async def caller(calls: int) -> None:
        for _ in range(calls):
            await unary()

    share, rest = divmod(count, CONCURRENT_CALLS)
    await asyncio.gather(*[caller(share + (number < rest)) for number in range(CONCURRENT_CALLS)])
