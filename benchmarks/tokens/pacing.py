"""The stand-in model of the servers: when a step is due, and who gets a token from it."""

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.tokens.load import TEXT

__all__ = ["Pace", "Queues", "pace"]

MOST_AHEAD = 4
"""Tokens that wait in the queue of a caller when the model makes no pause: then it waits for the slowest."""


class Pace:
    """Says when the next step begins.

    Args:
        steps_per_second: How many, come what may: a model does not wait for its front end. 0: as many as are delivered.
        streams: The first step waits for so many callers; some servers take thousands of new calls only while they have
            nothing to send.
    """

    def __init__(self, steps_per_second: float, streams: int) -> None:
        self.steps_per_second = steps_per_second
        self._missing = streams
        self._all_came = asyncio.Event()
        self._due: float | None = None

    def came(self) -> None:
        """Count a caller."""
        self._missing -= 1
        if not self._missing:
            self._all_came.set()

    async def step(self) -> None:
        """Wait until the next step is due; others run at least once."""
        await self._all_came.wait()
        pause = 0.0
        if self.steps_per_second:
            now = asyncio.get_running_loop().time()
            self._due = (self._due or now) + 1 / self.steps_per_second
            pause = max(0.0, self._due - now)
        await asyncio.sleep(pause)


class Queues:
    """Gives each caller its tokens through a queue of its own, as model servers do whose handlers send."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._queues: dict[asyncio.Queue[str], None] = {}

    @contextmanager
    def queue(self) -> Iterator[asyncio.Queue[str]]:
        """Give a queue that gets a token from each step, within the block."""
        queue = asyncio.Queue[str](0 if self._pace.steps_per_second else MOST_AHEAD)
        self._queues[queue] = None
        self._pace.came()
        try:
            yield queue
        finally:
            del self._queues[queue]
            while not queue.empty():
                queue.get_nowait()  # the model may be waiting for room in it

    async def run(self) -> None:
        """Make tokens, for ever."""
        while True:
            await self._pace.step()
            for queue in list(self._queues):
                if queue in self._queues:
                    await queue.put(TEXT)


def pace() -> Pace:
    """Read the command line of a server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("steps_per_second", type=float, help="0: as many as are delivered")
    parser.add_argument("streams", type=int, help="that the first step waits for")
    options = parser.parse_args()
    return Pace(options.steps_per_second, options.streams)
