"""What is done to the lines, while calls are made on them: each event ends many of them at once."""

import asyncio
import functools
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from signal import SIGINT, SIGKILL
from typing import Any

from penstock.testing import BLACK_HOLE, CLEAR, FaultProxy, ProxiedConnection
from tests.stress.soak.child import Child
from tests.stress.soak.lines import SORTS, sort_of
from tests.stress.soak.ways import OF_PROCESSES

LOOK_SECONDS = 0.05
SERVED_BYTES = 8 * 1024
"""What a connection has brought to its client, before something happens to it: calls were made on it."""
VISITORS = tuple(way.name for way in OF_PROCESSES)
SILENT = {"kill": -SIGKILL, "vanish": 3}
"""The exit codes of clients without last words."""
SPEAKING = {"exit": 3, "return": 0, "interrupt": 0, "forget": 0}

NAMES = (*[name for sort in SORTS.values() for name in (*sort.network, *sort.process)], *VISITORS)
"""All that is done."""


class Events:
    """Does them until it is told to stop, and counts."""

    def __init__(self, seed: int, loop: str) -> None:
        self.counts: Counter[str] = Counter()
        self.by_line: Counter[str] = Counter()
        """Events on a line that may end a connection."""
        self.reports: list[dict[str, Any]] = []
        """Last words of servers that were not killed."""
        self.visits: list[dict[str, Any]] = []
        """Last words of clients."""
        self.doomed: dict[str, Child] = {}
        """Servers that do not live long, by their line."""
        self.stopping = asyncio.Event()
        self._random = random.Random(seed)
        self._loop = loop

    async def pause(self, least: float, most: float) -> None:
        """Wait for some time, or for the end."""
        waiting = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait([waiting], timeout=self._random.uniform(least, most))
        waiting.cancel()

    # The network.

    async def disturb(self, line: str, proxy: FaultProxy) -> None:
        """Let happen to a network what its sort says, in one way after the other."""
        names = sort_of(line).network
        for number in itertools.count(self._random.randrange(len(names))):
            await self.pause(0.2, 0.6)
            await self._until(lambda: _has_served(proxy))
            if self.stopping.is_set():
                return
            connection, name = proxy.connections[-1], names[number % len(names)]
            self.counts[name] += 1
            self.by_line[line] += 1
            if name == "outage of 0.3 s":
                await self._outage(connection)
            elif name in DARK:
                DARK[name](connection, self._random)
                # The client comes again when it has given up; the server needs as long, more or less.
                await self._until(functools.partial(_is_not_last, connection, proxy))
                await self.pause(0.5, 2.5)
                connection.reset()
            else:
                CUTS[name](connection, self._random)
                await asyncio.wait([connection.ended], timeout=5.0)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so() and not self.stopping.is_set():
            await self.pause(LOOK_SECONDS, LOOK_SECONDS)

    async def _outage(self, connection: ProxiedConnection) -> None:
        _black_hole(connection, self._random)
        await self.pause(0.3, 0.3)
        connection.to_server.conditions = connection.to_client.conditions = CLEAR

    # Processes.

    async def doom(self, line: str, address: str) -> None:
        """End a server's process as its sort says, in one way after the other, and start it again."""
        names = sort_of(line).process
        for number in itertools.count(self._random.randrange(len(names))):
            await self.pause(0.8, 2.0)
            await self._until_busy(line)
            if self.stopping.is_set():
                return
            name = names[number % len(names)]
            self.counts[name] += 1
            await self._end_server(line, name.removeprefix("server: "))
            given = {"addresses": {line: address}, "loop": self._loop}
            self.doomed[line] = await Child.start("server", given)
            await self.doomed[line].answer()

    async def _until_busy(self, line: str) -> None:
        """Until every call that waited for the server has had its turn: a busy machine connects slowly."""
        least = 2 * sort_of(line).workers
        while not self.stopping.is_set() and (await self.doomed[line].ask("report"))["begun"] < least:
            await self.pause(0.2, 0.3)

    async def end_servers(self) -> None:
        """End those that are left, in order: no more calls are made."""
        for line in self.doomed:
            await self._end_server(line, "stop")

    async def kill(self) -> None:
        """Leave no process behind."""
        for child in self.doomed.values():
            await child.kill()

    async def _end_server(self, line: str, how: str) -> None:
        self.by_line[line] += 1
        child = self.doomed[line]
        if how == "kill":
            child.signal(SIGKILL)
        else:
            self.reports.append(await child.ask(how))
        await child.end()
        await child.kill()

    async def visit(self, address: str, names: tuple[str, ...]) -> None:
        """Start clients, and have them end in the middle of their calls, in one way after the other."""
        for name in itertools.cycle(names):
            if self.stopping.is_set():
                return
            how = name.removeprefix("client: ")
            child = await Child.start("leaver", address, how)
            try:
                assert (await child.line()).strip() == "open", f"{name}: it cannot open its calls"
                self.counts[name] += 1
                if how in {"kill", "interrupt"}:
                    child.signal(SIGKILL if how == "kill" else SIGINT)
                if how in SPEAKING:
                    self.visits.append(json.loads(await child.line()))
                code = await child.end()
                assert code == {**SILENT, **SPEAKING}[how], f"{name}: it ended with {code}"
            finally:
                await child.kill()


def _has_served(proxy: FaultProxy) -> bool:
    return bool(proxy.connections) and proxy.connections[-1].to_client.bytes_forwarded >= SERVED_BYTES


def _is_not_last(connection: ProxiedConnection, proxy: FaultProxy) -> bool:
    return proxy.connections[-1:] != [connection]


def _flow(connection: ProxiedConnection, chance: random.Random) -> Any:
    return chance.choice([connection.to_server, connection.to_client])


def _cut_after(connection: ProxiedConnection, chance: random.Random) -> None:
    _flow(connection, chance).cut_after(chance.randrange(5000), reset=chance.random() < 0.5)


def _cut_in_frame(connection: ProxiedConnection, chance: random.Random) -> None:
    _flow(connection, chance).cut_in_next_frame(reset=chance.random() < 0.5)


def _black_hole(connection: ProxiedConnection, chance: random.Random) -> None:
    connection.to_server.conditions = connection.to_client.conditions = BLACK_HOLE


def _half_open(connection: ProxiedConnection, chance: random.Random) -> None:
    side = chance.choice(["client", "server"])
    connection.drop(side, reset=chance.random() < 0.5)  # type: ignore[arg-type]  # a side it is


Event = Callable[[ProxiedConnection, random.Random], None]

CUTS: dict[str, Event] = {
    "connection reset": lambda connection, _chance: connection.reset(),
    "connection closed": lambda connection, _chance: connection.close(),
    "connection cut": _cut_after,
    "cut in a frame": _cut_in_frame,
}
DARK: dict[str, Event] = {"black hole": _black_hole, "half-open": _half_open}
