"""A soak: a client's process and the servers' are started, calls are made and ended, and both sides are compared."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from penstock.testing import FaultProxy
from tests.stress.soak.child import Child
from tests.stress.soak.events import NAMES, VISITORS, Events
from tests.stress.soak.lines import SORTS
from tests.stress.soak.memory import Memory

SAMPLE_SECONDS = 1.0
TELL_SECONDS = 30.0
LEAST = 20
"""So often each way to end and each event comes, in a soak of `FULL_SECONDS` or more; once in a shorter one."""
FULL_SECONDS = 100.0
MOST_OVERTIME = 3
"""So many times its time a soak may take until each event has come so often: a busy machine starts processes slowly."""
VISITING = 2
"""Processes that come and go, at the same time."""


@dataclass
class Soak:
    """How long it goes, and what came of it."""

    seconds: float
    calls: int
    """It ends at so many calls, or at its time."""
    seed: int
    loop: str = "asyncio"
    client: dict[str, Any] = field(default_factory=dict)
    """The last report of the client."""
    server: dict[str, Any] = field(default_factory=dict)
    """The last report of the servers that lived all the time."""
    events: Events = field(init=False)
    memory: dict[str, Memory] = field(default_factory=dict)
    least: int = 0
    """So often each way and each event is to come at least."""
    took_seconds: float = 0.0
    """Until no more calls were made."""

    async def run(self, say: Callable[[str], object]) -> None:
        """Do it."""
        self.least = LEAST if self.seconds >= FULL_SECONDS else 1
        self.events = Events(self.seed, self.loop)
        self.memory = {name: Memory(name) for name in ("client", "server")}
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.events.kill)
            server = await self._start(stack, "server", {"addresses": dict.fromkeys(_LASTING, "127.0.0.1:0")})
            addresses = (await server.answer())["addresses"]
            lines, disturbing = await self._lines(stack, addresses)
            client = await self._start(stack, "client", {"lines": lines, "seed": self.seed})
            await client.answer()
            disturbing = [asyncio.ensure_future(each) for each in disturbing]
            try:
                await self._watch(client, server, disturbing, say)
                self.events.stopping.set()
                await asyncio.wait(disturbing)
            finally:
                for task in disturbing:
                    task.cancel()
                ended = await asyncio.gather(*disturbing, return_exceptions=True)
            for error in ended:
                if isinstance(error, BaseException):
                    raise error
            self.client = await client.ask("stop")
            await self.events.end_servers()
            self.server = await server.ask("stop")

    async def _start(self, stack: AsyncExitStack, module: str, given: dict[str, Any]) -> Child:
        child = await Child.start(module, {**given, "loop": self.loop})
        stack.push_async_callback(child.kill)
        return child

    async def _lines(self, stack: AsyncExitStack, addresses: dict[str, str]) -> tuple[dict[str, str], list[Any]]:
        """Lay them, and say what will be done to them."""
        lines, disturbing = {}, []
        for sort in SORTS.values():
            for number in range(sort.count):
                line = f"{sort.name}{number}" if sort.count > 1 else sort.name
                if sort.process:
                    given = {"addresses": {line: "127.0.0.2:0"}, "loop": self.loop}
                    child = self.events.doomed[line] = await Child.start("server", given)
                    lines[line] = (await child.answer())["addresses"][line]
                    disturbing.append(self.events.doom(line, lines[line]))
                elif sort.network:
                    proxy = FaultProxy(addresses[sort.name], seed=self.seed + number)
                    await stack.enter_async_context(proxy)
                    lines[line] = proxy.address
                    disturbing.append(self.events.disturb(line, proxy))
                else:
                    lines[line] = addresses[sort.name]
        for first in range(VISITING):
            disturbing.append(self.events.visit(addresses["visited"], VISITORS[first::VISITING]))
        return lines, disturbing

    async def _watch(self, client: Child, server: Child, disturbing: list[Any], say: Callable[[str], object]) -> None:
        """Until there are enough calls, or time is up."""
        loop = asyncio.get_running_loop()
        began, told, complaints = loop.time(), 0.0, 0
        while True:
            await asyncio.wait(disturbing, timeout=SAMPLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            report = await client.ask("report")
            await server.ask("report")
            self.took_seconds = seconds = loop.time() - began
            for name, child in (("client", client), ("server", server)):
                self.memory[name].samples.append((seconds, report["made"], child.rss_bytes))
            if seconds - told >= TELL_SECONDS:
                told = seconds
                say(f"{seconds:5.0f} s: {report['made']:>9,} calls, {report['wrong']} wrong")
            for complaint in report["told"][complaints:]:
                say(f"{seconds:5.0f} s: {complaint}")
            complaints = len(report["told"])
            if any(task.done() for task in disturbing) or seconds >= MOST_OVERTIME * self.seconds:
                return
            is_enough = all(self.events.counts[name] >= self.least for name in NAMES)
            if is_enough and (seconds >= self.seconds or report["made"] >= self.calls):
                return


_LASTING = [sort.name for sort in SORTS.values() if not sort.process]
