"""Clients of the tutorial's third server come, take a line, and leave: what is left of them?"""

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import penstock
from examples.leak import go_programs, usage
from examples.tutorial.all_stream_penstock import AllStreamServerClient
from examples.tutorial.programs import Program, free_address

LOOKS = (0, 1, 2, 4, 8)
"""How many clients have left, each time we look."""

LOOK_SECONDS = 0.5

SETTLING_SECONDS = 5.0
"""Time that a handler gets to end in, once its client has left."""

GOROUTINES = "goroutines: "
LEFT = "the client has left"


@dataclass(frozen=True)
class Look:
    """What a server holds and uses when so many clients have left."""

    server: str
    clients_left: int
    stranded: int
    """Goroutines in the handler, or started by it, while nobody is connected; in Python: handlers that still run."""
    cpu_percent: float
    """Of one core."""
    memory_mib: float
    answer_ms: float
    """How long the next client waits for its first line, from connecting."""


class Counter(Protocol):
    """Knows what clients that left have left behind."""

    def stranded(self, clients_left: int, /) -> int:
        """Count."""


class Goroutines:
    """Asks a Go server how many are in its handler."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def stranded(self, _clients_left: int) -> int:
        """Give how many there are: nobody is connected."""
        told = len(self._told(self._program.lines))
        os.kill(self._program.process_id, signal.SIGUSR1)
        lines = self._program.wait_until(lambda lines: len(self._told(lines)) > told)
        return int(self._told(lines)[-1].removeprefix(GOROUTINES))

    @staticmethod
    def _told(lines: list[str]) -> list[str]:
        return [line for line in lines if line.startswith(GOROUTINES)]


class Handlers:
    """Counts the handlers of our server that have not said that their client has left."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def stranded(self, clients_left: int) -> int:
        """Give how many there are."""
        with suppress(TimeoutError):  # what is left is what stays
            self._program.wait_until(lambda lines: lines.count(LEFT) == clients_left, SETTLING_SECONDS)
        return clients_left - self._program.lines.count(LEFT)


async def compare() -> list[Look]:
    """Measure the servers one after another: one of them takes all the processor it can get."""
    looks: list[Look] = []
    if go_programs.is_installed():
        looks += await _measure_go("Go, as printed", go_programs.as_printed())
        looks += await _measure_go("Go, errors returned", go_programs.mended())
    looks += await _measure_ours("Penstock, as printed", "examples.leak.as_printed")
    looks += await _measure_ours("Penstock, examples/tutorial", "examples.tutorial.both_push.server", "--address")
    return looks


async def _measure_go(name: str, path: Path) -> list[Look]:
    address = free_address()
    # Its output goes nowhere: a pipe that is full would slow the loop that prints for ever.
    command = ["sh", "-c", 'exec "$0" >/dev/null', str(path)]
    with Program(command, {"ADDRESS": address}) as program:
        return await measure(name, program, address, Goroutines(program))


async def _measure_ours(name: str, module: str, *before_address: str) -> list[Look]:
    address = free_address()
    with Program([sys.executable, "-m", module, *before_address, address]) as program:
        return await measure(name, program, address, Handlers(program))


async def measure(name: str, program: Program, address: str, counter: Counter) -> list[Look]:
    """Let clients come and leave one after another, and look from time to time."""
    looks: list[Look] = []
    await asyncio.to_thread(program.wait_until_listening, address)
    for clients_left in range(max(LOOKS) + 1):
        seen = await usage.look_at(program.process_id, LOOK_SECONDS) if clients_left in LOOKS else None
        stranded = await asyncio.to_thread(counter.stranded, clients_left)
        answer_ms = await come_and_leave(address)
        if seen is not None:
            looks.append(Look(name, clients_left, stranded, seen.cpu_percent, seen.memory_mib, answer_ms))
    return looks


async def come_and_leave(address: str) -> float:
    """Be a client that takes one line and leaves; give after how many milliseconds it had its line."""
    begin = time.perf_counter()
    async with penstock.Channel(address) as channel, AllStreamServerClient(channel).all_stream() as stream:
        await stream.receive()
        return round((time.perf_counter() - begin) * 1000, 1)
