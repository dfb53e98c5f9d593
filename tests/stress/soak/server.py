"""A process with servers. Arguments, as JSON: a server for each sort of line, with its address; the loop.

For each line of standard input it prints one: `report` what it has seen so far; `stop` that, and what is left when all
servers have stopped. The other lines end the process, some with a last line: `drain`, `exit`, `return`, `loop ends`.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

from penstock import Server
from tests.stress.soak import process
from tests.stress.soak.handlers import Coroutines, Generators, Threads
from tests.stress.soak.lines import sort_of
from tests.stress.soak.plan import Plan
from tests.stress.soak.tally import Tally
from tests.stress.soak.watch import Watch

SWEEP_SECONDS = 0.1
GRACE_SECONDS = 0.1


class Host:
    """The servers of a process."""

    def __init__(self, sorts: list[str], tally: Tally) -> None:
        self.tally = tally
        self.servers: dict[str, Server] = {}
        self.watches: list[Watch] = []
        self.blocks: AsyncExitStack | None = None
        for name in sorts:
            watch = Watch(tally)
            services = [form(watch) for form in (Coroutines, Generators, Threads)]
            self.servers[name] = watch.server = Server(services, **sort_of(name).options())
            self.watches.append(watch)

    async def sweep(self) -> None:
        """Judge calls as they end."""
        while True:
            self.sweep_once()
            await asyncio.sleep(SWEEP_SECONDS)  # real time: what has ended is looked at now and then

    def sweep_once(self) -> None:
        """Judge those that have ended."""
        for watch in self.watches:
            watch.sweep()

    def report(self) -> dict[str, Any]:
        """What was seen."""
        self.sweep_once()
        return {
            "statistics": {name: server.statistics().to_dict() for name, server in self.servers.items()},
            "begun": sum(watch.begun for watch in self.watches),
            "running": [str(Plan.of(call)) for watch in self.watches for call in watch.running],
            "open": sum(watch.open_calls for watch in self.watches),
            **self.tally.report(),
        }


async def serve(addresses: dict[str, str], host: Host) -> None:
    """Serve until standard input says otherwise."""
    asked, before = process.asked(), process.descriptors()
    sweeping = asyncio.ensure_future(host.sweep())
    async with AsyncExitStack() as stack:
        bound = {
            name: await stack.enter_async_context(host.servers[name].listening(address))
            for name, address in addresses.items()
        }
        process.tell({"addresses": bound})
        while (line := await asked.get()) == "report":
            process.collect()
            process.tell(host.report())
        if line == "exit":
            asyncio.get_running_loop().call_soon(sys.exit, 3)
            await asyncio.Event().wait()
        if line == "return":
            return
        if line == "loop ends":
            host.blocks = stack.pop_all()  # nobody leaves them: the loop ends under the servers
            return
        if line == "drain":
            await asyncio.gather(*[server.stop(GRACE_SECONDS) for server in host.servers.values()])
    sweeping.cancel()
    await asyncio.wait([sweeping])
    report = host.report()
    host.watches.clear()
    host.servers.clear()
    process.tell({**report, "left": await process.left(before)})


def main(addresses: dict[str, str], loop: str) -> None:
    """Run."""
    tally = Tally()
    process.prepare(tally)
    host = Host(list(addresses), tally)
    try:
        process.run(serve(addresses, host), loop)
    finally:
        if host.servers:  # the loop ended under them
            process.tell({**host.report(), "left": [], "ended": True})


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    main(given["addresses"], given["loop"])
