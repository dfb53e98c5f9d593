"""What the client's and the servers' processes have in common: lines of JSON, and what is left at the end."""

import asyncio
import gc
import json
import logging
import os
import sys
import warnings
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

import penstock
from penstock import _engine
from penstock._transport import Transport
from penstock.testing import LeftBehind, assert_nothing_left
from tests.stress.soak.tally import Tally

SETTLING_SECONDS = 10.0
"""What sockets and tasks get to come to their end: a bound for failures."""


class Quiet(logging.Handler):
    """Formats every line of the log, counts it, and shows those that no way to end explains."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.INFO)
        self._tally = tally
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one."""
        text = self.format(record)
        is_warning = record.name in {"asyncio", "py.warnings"} and record.levelno >= logging.WARNING
        if is_warning or ("Traceback" in text and "nobody expected it" not in text):
            self._tally.complain(None, text)


def prepare(tally: Tally) -> None:
    """Have what is logged or raised where nobody looks counted as wrong."""
    root = logging.getLogger()
    root.addHandler(Quiet(tally))
    root.setLevel(logging.INFO)
    warnings.simplefilter("default", ResourceWarning)
    warnings.simplefilter("ignore", penstock.UnfinishedCall)
    logging.captureWarnings(True)
    gc.collect()
    gc.freeze()  # what the imports made: there is no sense in looking at it again and again
    sys.unraisablehook = lambda what: tally.complain(None, f"unraisable: {what.exc_value!r} in {what.object!r}")


def run(main: Coroutine[Any, Any, None], loop: str) -> None:
    """Run on a loop of either kind."""
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def tell(what: dict[str, Any]) -> None:
    """Print a line for the one who started this process."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def collect() -> None:
    """Collect garbage, so that what is resident is what is kept, and not how long ago the last collection was."""
    gc.collect()


def asked() -> asyncio.Queue[str]:
    """Give a queue that gets the lines of standard input. The process ends with it: who started it is gone."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    os.set_blocking(sys.stdin.fileno(), False)

    def read() -> None:
        data = os.read(sys.stdin.fileno(), 1 << 16)
        if not data:
            os._exit(1)
        for line in data.decode().splitlines():
            lines.put_nowait(line)

    loop.add_reader(sys.stdin.fileno(), read)
    return lines


def descriptors() -> int:
    """Count the open files of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def left(descriptors_before: int) -> list[str]:
    """Say what is left, once everything has had its time to end."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SETTLING_SECONDS
    while (found := _found(descriptors_before)) and loop.time() < end:  # noqa: ASYNC110 - see below
        await asyncio.sleep(0.1)  # real time: the kernel tells of closed sockets, no event tells us
    return found


def _found(descriptors_before: int) -> list[str]:
    found = []
    try:
        assert_nothing_left()
    except LeftBehind as left_behind:
        found += left_behind.found
    counts = {
        "connections in the engine": _engine.live_connections(),
        "tasks": len(asyncio.all_tasks()) - 1,
        "descriptors": descriptors() - descriptors_before,
        **{f"objects {kind.__name__}": _objects(kind) for kind in (penstock.Stream, Transport, penstock.Channel)},
    }
    return found + [f"{name}: {count}" for name, count in counts.items() if count]


def _objects(kind: type) -> int:
    return sum(isinstance(thing, kind) for thing in gc.get_objects())
