"""A client's process that comes to its end in the middle of its calls. Arguments: the address, and how it ends.

It prints `open` when its calls are; at its end, unless that comes from outside, what became of them.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import penstock
from penstock import Kind
from tests.protos.echo_pb2 import Note
from tests.stress.soak import process, programs
from tests.stress.soak.lines import CLIENT
from tests.stress.soak.plan import PLACES, Chance, Plan
from tests.stress.soak.tally import Tally, outcome
from tests.stress.soak.ways import WAYS

CALLS = 12


class Leaver:
    """Holds calls, and looks at them when their loop has ended."""

    def __init__(self, address: str, how: str) -> None:
        self.tally = Tally()
        self._how = how
        self._address = address
        self._calls: list[tuple[Plan, Any]] = []

    async def run(self) -> None:
        """Open calls, and go."""
        process.asked()
        channel = penstock.Channel(self._address, limits=CLIENT)
        opened = asyncio.Semaphore(0)
        for number in range(CALLS):
            kind = (Kind.SERVER_STREAM, Kind.BOTH_STREAM)[number % 2]
            plan = Plan(WAYS[f"client: {self._how}"], kind, "visited", place=PLACES[number % 3])
            self._calls.append((plan, programs.make(channel, plan, Chance(plan.line, 0))))
        hold = _forget if self._how == "forget" else _hold
        holding = [asyncio.ensure_future(hold(call, plan, opened.release)) for plan, call in self._calls]
        for _ in holding:
            await opened.acquire()
        sys.stdout.write("open\n")
        sys.stdout.flush()
        if self._how == "exit":
            sys.exit(3)
        if self._how == "vanish":
            os._exit(3)
        if self._how in {"kill", "interrupt"}:
            await asyncio.wait(holding)  # until a signal ends it

    def judge(self) -> None:
        """Look at how the calls ended."""
        for plan, call in self._calls:
            code = None if call.status is None else call.status.code
            if call.end is None or (call.end, code) not in plan.way.of_client:
                self.tally.complain(plan, f"in a client that ends, {outcome(call.end, code)}")
            else:
                self.tally.add(plan, call.end, code)


async def _hold(call: Any, plan: Plan, opened: Callable[[], None]) -> None:
    """Hold one call in its block."""
    async with call:
        await _open(call, plan)
        opened()
        async for _ in call:
            pass


async def _forget(call: Any, plan: Plan, opened: Callable[[], None]) -> None:
    """Begin a call, and never leave it."""
    await call.__aenter__()
    await _open(call, plan)
    opened()


async def _open(call: Any, plan: Plan) -> None:
    if not plan.kind.one_request:
        await call.send(Note())
    await call.receive()


def main(address: str, how: str) -> None:
    """Run."""
    # A shell has what it runs in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    leaver = Leaver(address, how)
    process.prepare(leaver.tally)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(leaver.run())
    finally:
        leaver.judge()
        process.tell(leaver.tally.report())


if __name__ == "__main__":
    main(*sys.argv[1:])
