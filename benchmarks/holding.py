"""The client program of a peer that holds streams open: prints what they cost, as one line of JSON."""

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Protocol

from benchmarks.usage import resident_bytes

__all__ = ["Cost", "Holder", "main"]

CALLS = 2_000
"""Unary calls, one after another, of each measurement."""

STREAMS_PER_CONNECTION = 1_000
"""What our server allows by default (MAX_CONCURRENT_STREAMS)."""

WARM_STREAMS = 100
"""Opened before anything is measured: they pay for imports, caches and connections."""


class Holder(Protocol):
    """One peer's client."""

    async def unary(self) -> None:
        """Make one call on a connection that has no other."""

    async def hold(self, connection: int, opened: Callable[[], None]) -> None:
        """Open a stream, exchange one message, tell of it, and wait for the next message, which never comes."""


@dataclass(frozen=True)
class Cost:
    """What idle streams cost."""

    streams: int
    client_bytes: float
    """Of one stream, in the client's process: growth of its resident memory."""
    server_bytes: float
    empty_us: float
    """Median of a unary call before there were streams, and after them."""
    among_us: float
    """The same while they were open."""


def main(connect: Callable[[str, int], AbstractAsyncContextManager[Holder]]) -> None:
    """Read the command line and do what it says: see `benchmarks.idle`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("server", type=int, help="its process")
    parser.add_argument("streams", type=int)
    options = parser.parse_args()

    async def measure() -> None:
        connections = -(-options.streams // STREAMS_PER_CONNECTION)
        async with connect(options.address, connections) as holder:
            cost = await _measure(holder, options.server, options.streams, connections)
        print(json.dumps(asdict(cost)), flush=True)

    asyncio.run(measure())
    sys.stdout.flush()
    os._exit(0)  # no need to wait until everything was freed


async def _measure(holder: Holder, server: int, streams: int, connections: int) -> Cost:
    async with asyncio.TaskGroup() as warm:
        tasks = await _open(holder, warm, WARM_STREAMS, connections)
        await _median_us(holder)
        _cancel(tasks)
    before = await _median_us(holder)
    gc.collect()
    client_bytes, server_bytes = resident_bytes(os.getpid()), resident_bytes(server)
    async with asyncio.TaskGroup() as group:
        tasks = await _open(holder, group, streams, connections)
        gc.collect()
        client_bytes = resident_bytes(os.getpid()) - client_bytes
        server_bytes = resident_bytes(server) - server_bytes
        among = await _median_us(holder)
        _cancel(tasks)
    after = await _median_us(holder)
    return Cost(streams, client_bytes / streams, server_bytes / streams, (before + after) / 2, among)


async def _open(holder: Holder, group: asyncio.TaskGroup, streams: int, connections: int) -> list[asyncio.Task[None]]:
    opened = asyncio.Semaphore(0)
    tasks = []
    for number in range(streams):
        waiting: Coroutine[Any, Any, None] = holder.hold(number % connections, opened.release)
        tasks.append(group.create_task(waiting))
        await opened.acquire()
    return tasks


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _median_us(holder: Holder) -> float:
    seconds = []
    for _ in range(CALLS):
        started = perf_counter()
        await holder.unary()
        seconds.append(perf_counter() - started)
    return statistics.median(seconds) * 1e6
