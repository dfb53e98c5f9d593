"""What all clients measure, and how: tokens of a window of time, gaps of some streams, first tokens of new callers."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from time import perf_counter
from typing import Protocol

import uvloop

from benchmarks.sample import percentile
from benchmarks.tokens.load import Sample
from benchmarks.usage import cpu_seconds, resident_bytes

__all__ = ["Caller", "main"]

MOST_SAMPLED = 16
"""Streams whose tokens are looked at one by one; of the others only the sum is wanted."""

WARM_SECONDS = 0.5
"""Between the first token of the last stream and the beginning of the measurement."""

PROBE_PAUSE_SECONDS = 0.02
"""Between two callers that want a first token, so that they are no load."""

Came = Callable[[int], None]
"""Is told how many tokens were read from a stream at once."""


class Caller(Protocol):
    """A client of one kind of server."""

    async def follow(self, came: Came) -> None:
        """Open a stream and take its tokens until cancelled."""

    async def crowd(self, streams: int, came: Came) -> None:
        """Open many streams and count their tokens, until cancelled."""

    async def first(self) -> None:
        """Open a stream, take its first token, and leave."""


class Meter:
    """Counts what comes."""

    def __init__(self, sampled: int) -> None:
        self._missing = sampled
        self._all_began = asyncio.Event()
        self._tokens = 0
        self._gaps: list[float] = []

    def count(self, count: int) -> None:
        """Count tokens of the crowd."""
        self._tokens += count

    def sampled(self) -> Came:
        """Give what counts the tokens of one stream, and looks at its gaps."""
        last = 0.0

        def came(count: int) -> None:
            nonlocal last
            now = perf_counter()
            self._tokens += count
            if last:
                self._gaps.append(now - last)
                self._gaps.extend([0.0] * (count - 1))
            else:
                self._missing -= 1
                if not self._missing:
                    self._all_began.set()
            last = now

        return came

    async def measure(self, caller: Caller, server: int, seconds: float) -> Sample:
        """Wait until all streams have begun, and measure for so long."""
        await self._all_began.wait()
        await asyncio.sleep(WARM_SECONDS)
        firsts, first = list[float](), asyncio.Event()
        probing = asyncio.create_task(_probe(caller, firsts, first))
        self._gaps.clear()
        client = os.getpid()
        begin, before, cpu, own_cpu = perf_counter(), self._tokens, cpu_seconds(server), cpu_seconds(client)
        await asyncio.sleep(seconds)
        elapsed, tokens = perf_counter() - begin, self._tokens - before
        cpu, own_cpu = cpu_seconds(server) - cpu, cpu_seconds(client) - own_cpu
        gaps = _us(self._gaps, p50=0.5, p99=0.99)
        memory = resident_bytes(server)
        await first.wait()
        probing.cancel()
        return Sample(elapsed, tokens, gaps, _us(firsts, p50=0.5, p90=0.9), cpu, own_cpu, memory)


async def _probe(caller: Caller, seconds: list[float], first: asyncio.Event) -> None:
    while True:
        begin = perf_counter()
        await caller.first()
        seconds.append(perf_counter() - begin)
        first.set()
        await asyncio.sleep(PROBE_PAUSE_SECONDS)


def _us(seconds: Sequence[float], **shares: float) -> dict[str, float]:
    ordered = sorted(seconds)
    return {name: percentile(ordered, share) * 1e6 for name, share in shares.items()} if ordered else {}


def main(connect: Callable[[str], AbstractAsyncContextManager[Caller]]) -> None:
    """Read the command line, measure, and print a `Sample` as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("server", type=int, help="its process")
    parser.add_argument("streams", type=int)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    uvloop.run(_run(connect, options))


async def _run(connect: Callable[[str], AbstractAsyncContextManager[Caller]], options: argparse.Namespace) -> None:
    sampled = max(1, min(MOST_SAMPLED, options.streams // 2))
    meter = Meter(sampled)
    async with connect(options.address) as caller:
        tasks = [asyncio.create_task(caller.follow(meter.sampled())) for _ in range(sampled)]
        if options.streams > sampled:
            tasks.append(asyncio.create_task(caller.crowd(options.streams - sampled, meter.count)))
        measuring = asyncio.create_task(meter.measure(caller, options.server, options.seconds))
        # A stream never ends by itself: if one does, what it raised ends the run.
        await asyncio.wait([measuring, *tasks], return_when=asyncio.FIRST_COMPLETED)
        ended = [task.exception() for task in (measuring, *tasks) if task.done()]
        if any(ended):
            print(f"error: {next(filter(None, ended))!r}", file=sys.stderr, flush=True)
        else:
            print(json.dumps(asdict(measuring.result())), flush=True)
        os._exit(any(ended))  # nobody is interested in the end of thousands of streams
