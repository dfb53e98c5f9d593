"""The servers that are compared, each a program of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from examples.tutorial.programs import Program


@dataclass(frozen=True)
class Server:
    """A program that serves the feed."""

    name: str
    module: str
    options: tuple[str, ...] = ()


SERVERS = [
    Server("grpcio, threads", "grpcio_threads"),
    Server("grpcio, threads, keepalive", "grpcio_threads", ("--keepalive",)),
    Server("grpcio, threads, keepalive, handler woken", "grpcio_threads", ("--keepalive", "--wake")),
    Server("grpcio, asyncio, keepalive", "grpcio_asyncio", ("--keepalive",)),
    Server("Penstock, async handlers, keepalive", "penstock_asyncio"),
    Server("Penstock, sync handlers, keepalive", "penstock_threads"),
]

LISTENING = "listening on "
OPEN_CALLS = "open calls: "


class Serving:
    """A server that runs."""

    def __init__(self, program: Program) -> None:
        self.process_id = program.process_id
        self._program = program
        program.wait_until(lambda lines: bool(_said(LISTENING, lines)))
        self.address = _said(LISTENING, program.lines)[-1]

    @property
    def open_calls(self) -> int:
        """How many handlers have begun and not ended, as it says itself."""
        return int(_said(OPEN_CALLS, self._program.lines)[-1])


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Serving]:
    """Start it, and wait until it listens; leaving the block kills it."""
    with Program([sys.executable, "-m", f"examples.leak.{server.module}", *server.options]) as program:
        yield await asyncio.to_thread(Serving, program)


def _said(beginning: str, lines: Sequence[str]) -> list[str]:
    return [line.removeprefix(beginning) for line in lines if line.startswith(beginning)]
