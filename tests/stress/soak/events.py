"""What is done to the lines, while calls are made on them: each event ends many of them at once."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from signal import SIGINT, SIGKILL
from typing import Any

from penstock.testing import BLACK_HOLE, CLEAR, FaultProxy, ProxiedConnection
from tests.stress.soak.child import Child

LOOK_SECONDS = 0.05


class Events:
    """Does them until it is told to stop, and counts."""

    def __init__(self, seed: int, loop: str) -> None:
        self.counts: Counter[str] = Counter()
        self.by_line: Counter[str] = Counter()
        """Events on a line that may end a connection."""
        self.reports: list[dict[str, Any]] = []
        """Last words of servers that were not killed."""
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

    async def _until_come_again(self, connection: ProxiedConnection, proxy: FaultProxy) -> None:
        while proxy.connections[-1:] == [connection] and not self.stopping.is_set():
            await self.pause(LOOK_SECONDS, LOOK_SECONDS)

    # The network.

    async def cut(self, line: str, proxy: FaultProxy) -> None:
        """Cut connections, in one way after the other."""
        ways = [self._reset, self._close, self._cut_after, self._cut_in_frame]
        number = 0
        while not self.stopping.is_set():
            await self.pause(0.2, 0.6)
            if not proxy.connections:
                continue
            connection = proxy.connections[-1]
            ways[number % len(ways)](connection)
            number += 1
            self.by_line[line] += 1
            await asyncio.wait([connection.ended], timeout=5.0)

    def _reset(self, connection: ProxiedConnection) -> None:
        self.counts["connection reset"] += 1
        connection.reset()

    def _close(self, connection: ProxiedConnection) -> None:
        self.counts["connection closed"] += 1
        connection.close()

    def _cut_after(self, connection: ProxiedConnection) -> None:
        self.counts["connection cut"] += 1
        self._flow(connection).cut_after(self._random.randrange(5000), reset=self._random.random() < 0.5)

    def _cut_in_frame(self, connection: ProxiedConnection) -> None:
        self.counts["cut in a frame"] += 1
        self._flow(connection).cut_in_next_frame(reset=self._random.random() < 0.5)

    def _flow(self, connection: ProxiedConnection) -> Any:
        return self._random.choice([connection.to_server, connection.to_client])

    async def darken(self, line: str, proxy: FaultProxy) -> None:
        """Let the network go silent, in one way after the other."""
        ways: list[Callable[[ProxiedConnection], bool]] = [self._black_hole, self._half_open, self._outage]
        number = self._random.randrange(len(ways))
        while not self.stopping.is_set():
            await self.pause(0.2, 0.8)
            if not proxy.connections:
                continue
            connection = proxy.connections[-1]
            ends = ways[number % len(ways)](connection)
            number += 1
            if ends:
                self.by_line[line] += 1
                # The client comes again when it has given up; the server needs as long, more or less.
                await self._until_come_again(connection, proxy)
                await self.pause(0.5, 2.5)
                connection.reset()
            else:
                await self.pause(0.3, 0.3)
                connection.to_server.conditions = connection.to_client.conditions = CLEAR

    def _black_hole(self, connection: ProxiedConnection) -> bool:
        self.counts["black hole"] += 1
        connection.to_server.conditions = connection.to_client.conditions = BLACK_HOLE
        return True

    def _half_open(self, connection: ProxiedConnection) -> bool:
        self.counts["half-open"] += 1
        side = self._random.choice(["client", "server"])
        connection.drop(side, reset=self._random.random() < 0.5)  # type: ignore[arg-type]  # a side it is
        return True

    def _outage(self, connection: ProxiedConnection) -> bool:
        self.counts["outage of 0.3 s"] += 1
        connection.to_server.conditions = connection.to_client.conditions = BLACK_HOLE
        return False

    # Processes.

    async def doom(self, line: str, address: str) -> None:
        """End a server's process in one way after the other, and start it again."""
        ends = ["kill", "drain", "exit", "return"]
        number = self._random.randrange(len(ends))
        while not self.stopping.is_set():
            await self.pause(0.3, 0.8)
            how = ends[number % len(ends)]
            number += 1
            self.counts[f"server: {how}"] += 1
            await self._end_server(line, how)
            self.doomed[line] = await Child.start("server", {"addresses": {"doomed": address}, "loop": self._loop})
            await self.doomed[line].answer()

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

    async def visit(self, address: str) -> None:
        """Start clients, and have them end in the middle of their calls."""
        ends = ["kill", "exit", "return", "vanish", "interrupt"]
        number = 0
        while not self.stopping.is_set():
            how = ends[number % len(ends)]
            number += 1
            child = await Child.start("leaver", address, how)
            try:
                if (await child.line()).strip() == "open":
                    self.counts[f"client: {how}"] += 1
                if how in {"kill", "interrupt"}:
                    child.signal(SIGKILL if how == "kill" else SIGINT)
                await child.end()
            finally:
                await child.kill()
