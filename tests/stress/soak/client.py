"""The client's process. Arguments, as JSON: the lines with their addresses, the seed, the loop.

For each line of standard input it prints one: `report` what it has seen so far; `stop` that, and what is left when all
calls have ended and all channels are closed.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from penstock import keepalive
from tests.stress.soak import process
from tests.stress.soak.caller import Caller
from tests.stress.soak.tally import Tally


async def call(lines: dict[str, str], seed: int, tally: Tally) -> None:
    """Call until standard input says stop."""
    asked, before = process.asked(), process.descriptors()
    loop = asyncio.get_running_loop()
    threads = ThreadPoolExecutor(4)
    loop.set_default_executor(threads)
    callers = [Caller(line, address, tally, seed) for line, address in lines.items()]
    stopping = asyncio.Event()
    calling = [asyncio.ensure_future(caller.call_on(stopping)) for caller in callers]
    process.tell({"ready": True})
    while await asked.get() == "report":
        process.collect()
        process.tell(_report(callers, tally))
    stopping.set()
    await asyncio.wait(calling)
    for task in calling:
        task.result()
    for caller in callers:
        await caller.channel.close()
    report = _report(callers, tally)
    callers.clear()
    calling.clear()
    await loop.shutdown_default_executor()
    del caller, task
    process.tell({**report, "left": await process.left(before)})


def _report(callers: list[Caller], tally: Tally) -> dict[str, Any]:
    return {
        "made": sum(caller.made for caller in callers),
        "statistics": {caller.line: caller.channel.statistics().to_dict() for caller in callers},
        **tally.report(),
    }


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    # A black hole would take 10 seconds to find, and there are to be many.
    keepalive.LEAST_SECONDS = 0.5
    seen = Tally()
    process.prepare(seen)
    process.run(call(given["lines"], given["seed"], seen), given["loop"])
