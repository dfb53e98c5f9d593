"""Messages there and back on many streams: as fast as they go, or at a rate."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

from benchmarks.load.clients import LoadClient, Pair
from benchmarks.load.lines import Trips, microseconds
from benchmarks.load.processor import Processor

__all__ = ["WARM_UP_SHARE", "maximum", "steady"]

WARM_UP_SHARE = 0.25
"""Of the measured part, before it."""

MOST_LATE_SECONDS = 10.0
"""Replies are waited for so long after the last message was meant to go."""


@asynccontextmanager
async def _open(client: LoadClient, streams: int, connections: int) -> AsyncIterator[Sequence[Pair]]:
    """Give streams that are open, each after one round trip."""
    async with AsyncExitStack() as stack:
        pairs = []
        for number in range(streams):
            pair = await stack.enter_async_context(client.pair(number % connections))
            await pair.trip()
            pairs.append(pair)
        yield pairs


async def maximum(client: LoadClient, streams: int, connections: int, seconds: float) -> Trips:
    """Let each stream send and wait, again and again, and count what came back."""
    count = 0
    going = True

    async def go_on(pair: Pair) -> None:
        nonlocal count
        while going:
            await pair.trip()
            count += 1

    async with _open(client, streams, connections) as pairs, asyncio.TaskGroup() as group:
        for pair in pairs:
            group.create_task(go_on(pair))
        await asyncio.sleep(seconds * WARM_UP_SHARE)
        processor, began, before = Processor(), perf_counter(), count
        await asyncio.sleep(seconds)
        took, came, spent = perf_counter() - began, count - before, processor.spent()
        going = False
    return Trips("maximum", streams, connections, took, came, came / took, {}, {}, **spent)


async def steady(client: LoadClient, streams: int, connections: int, seconds: float, rate: float) -> Trips:
    """Send at this rate, whatever comes back, and measure how long each takes from when it was meant to go."""
    async with _open(client, streams, connections) as pairs:
        return await _Schedule(pairs, seconds, rate).run(connections)


class _Schedule:
    """Message `k` is meant for `start + k / rate`, on stream `k % streams`."""

    def __init__(self, pairs: Sequence[Pair], seconds: float, rate: float) -> None:
        self._pairs = pairs
        self._rate = rate
        self._warm = round(seconds * WARM_UP_SHARE * rate)
        self._total = self._warm + round(seconds * rate)
        self._latencies: list[float] = []
        self._late: list[float] = []
        self._start = 0.0

    async def run(self, connections: int) -> Trips:
        streams = len(self._pairs)
        self._start = perf_counter()
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
            for number, pair in enumerate(self._pairs):
                group.create_task(pair.follow(len(range(number, self._total, streams)), self._hearing(number)))
            await self._post(0, self._warm)
            processor = Processor()
            self._late.clear()
            await self._post(self._warm, self._total)
            limit.reschedule(asyncio.get_running_loop().time() + MOST_LATE_SECONDS)
        took, spent = perf_counter() - self._meant(self._warm), processor.spent()
        count, latencies, late = len(self._latencies), microseconds(self._latencies), microseconds(self._late)
        return Trips("steady", streams, connections, took, count, count / took, latencies, late, **spent)

    def _meant(self, number: int) -> float:
        return self._start + number / self._rate

    def _hearing(self, number: int) -> Callable[[], None]:
        """Give what takes the time of each reply on one stream, in order."""
        meant, step = self._meant(number), len(self._pairs) / self._rate
        # Half a step of the schedule earlier: sums of floats are not exact.
        counted_from = self._meant(self._warm) - 0.5 / self._rate

        def heard() -> None:
            nonlocal meant
            if meant > counted_from:
                self._latencies.append(perf_counter() - meant)
            meant += step

        return heard

    async def _post(self, number: int, until: int) -> None:
        """Post the messages from one number up to another, each when it is due."""
        pairs, streams = self._pairs, len(self._pairs)
        while number < until:
            due = min(until, int((perf_counter() - self._start) * self._rate) + 1)
            for message in range(number, due):
                pairs[message % streams].post()
                self._late.append(perf_counter() - self._meant(message))
            number = max(number, due)
            await asyncio.sleep(max(0.0, self._meant(number) - perf_counter()))
