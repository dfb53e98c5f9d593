"""Calls beside streams that are as busy as they can be."""

import asyncio
from collections.abc import Callable
from time import perf_counter

from benchmarks.load.clients import LoadClient
from benchmarks.load.lines import Beside, Crowd, microseconds
from benchmarks.load.processor import Processor
from benchmarks.load.trips import WARM_UP_SHARE

__all__ = ["beside"]


async def beside(client: LoadClient, streams: int, seconds: float) -> Beside:
    """Read streams, every other one of large messages, and make calls among them."""
    counts = [0] * streams

    def counting(number: int) -> Callable[[], None]:
        def heard() -> None:
            counts[number] += 1

        return heard

    reading = [
        asyncio.create_task(client.read(large=number % 2 == 1, heard=counting(number))) for number in range(streams)
    ]
    try:
        while not all(counts):
            await client.unary()
        await _calls(client, seconds * WARM_UP_SHARE)
        processor, began, before = Processor(), perf_counter(), counts.copy()
        latencies = await _calls(client, seconds)
        took, spent = perf_counter() - began, processor.spent()
        came = [now - then for now, then in zip(counts, before, strict=True)]
    finally:
        for task in reading:
            task.cancel()
        ended = await asyncio.gather(*reading, return_exceptions=True)
    wrong = [error for error in ended if not isinstance(error, asyncio.CancelledError)]
    if wrong:
        msg = f"a stream ended: {wrong[0]!r}"
        raise RuntimeError(msg)
    latency_us = microseconds(latencies)
    small, large = Crowd.of(came[::2]), Crowd.of(came[1::2])
    return Beside("beside", streams, took, len(latencies), latency_us, small, large, **spent)


async def _calls(client: LoadClient, seconds: float) -> list[float]:
    """Make calls one after another, for so long; at least one."""
    latencies: list[float] = []
    ends = perf_counter() + seconds
    while not latencies or perf_counter() < ends:
        began = perf_counter()
        await client.unary()
        latencies.append(perf_counter() - began)
    return latencies
