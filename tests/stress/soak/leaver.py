"""A client's process that comes to its end in the middle of its calls. Arguments: the address, and how it ends."""

import asyncio
import contextlib
import os
import signal
import sys

import penstock
from penstock import Kind
from tests.protos.echo_pb2 import Note
from tests.stress.soak import programs
from tests.stress.soak.lines import CLIENT
from tests.stress.soak.plan import PLACES, Chance, Plan
from tests.stress.soak.ways import WAYS

CALLS = 12


async def hold(channel: penstock.Channel, plan: Plan, opened: asyncio.Semaphore) -> None:
    """Hold one call in its block."""
    call = programs.make(channel, plan, Chance(plan.line, 0))
    async with call:
        if not plan.kind.one_request:
            await call.send(Note())
        await call.receive()
        opened.release()
        async for _ in call:
            pass


async def leave(address: str, how: str) -> None:
    """Open calls, and go."""
    channel = penstock.Channel(address, limits=CLIENT)
    opened = asyncio.Semaphore(0)
    kinds = (Kind.SERVER_STREAM, Kind.BOTH_STREAM)
    plans = [Plan(WAYS["leave"], kinds[n % 2], "visited", place=PLACES[n % 3]) for n in range(CALLS)]
    holding = [asyncio.ensure_future(hold(channel, plan, opened)) for plan in plans]
    for _ in holding:
        await opened.acquire()
    sys.stdout.write("open\n")
    sys.stdout.flush()
    if how == "exit":
        sys.exit(3)
    if how == "vanish":
        os._exit(3)
    if how != "return":
        await asyncio.wait(holding)  # until a signal ends it


if __name__ == "__main__":
    # A shell has what it runs in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(leave(*sys.argv[1:]))
