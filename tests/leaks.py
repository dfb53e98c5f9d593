"""What a test may not leave behind, and how it is found."""

import asyncio
import gc
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock import _engine, _transport
from penstock.testing import leftovers
from penstock.testing.leftovers import Baseline

TURNS = 10
"""Turns of the loop that tasks get to end in: enough for callbacks of callbacks, no time for work."""
CLOSING_SECONDS = 1.0
"""Time that connections get: the other side of a socket hears of the end when the kernel says so."""


async def settle(before: Baseline) -> list[str]:
    """Let what is ending end; then say which tasks still live.

    Args:
        before: What there was when the test began.
    """
    for _ in range(TURNS):
        await asyncio.sleep(0)
    found = [f"pending task: {task!r}" for task in leftovers.tasks()]
    if still_open(before):
        # An exception keeps the frames it came through, and they keep the exception: no fault of what is tested.
        gc.collect()
    loop = asyncio.get_running_loop()
    end = loop.time() + CLOSING_SECONDS
    while still_open(before) and loop.time() < end:  # noqa: ASYNC110 - nobody sets an event
        await asyncio.sleep(0.005)  # real time: the kernel tells the peer of a closed socket, no event tells us
    return found


def still_open(before: Baseline) -> list[str]:
    """Say which connections there are that were not there before; for ourselves none may be held either."""
    found = [f"open transport: {each!r}" for each in _transport.live_transports() if each not in before.transports]
    connections = _engine.live_connections() - before.engine_connections
    if connections > 0:
        found.append(f"open connections in the engine: {connections}")
    return found


def complain_to(found: list[str]) -> None:
    """Have the running loop write the exceptions that nobody handled into `found`."""

    def record(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        trace = "".join(traceback.format_exception(error)) if error is not None else ""
        found.append(f"unhandled in the loop: {context['message']}\n{trace}".rstrip())

    asyncio.get_running_loop().set_exception_handler(record)


@contextmanager
def logged_errors(found: list[str]) -> Iterator[None]:
    """Write what asyncio logs as an error into `found`: results that were never retrieved, failed callbacks."""

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(f"logged by asyncio: {self.format(record)}")

    recorder = Recorder(logging.ERROR)
    logger = logging.getLogger("asyncio")
    logger.addHandler(recorder)
    try:
        yield
    finally:
        logger.removeHandler(recorder)
