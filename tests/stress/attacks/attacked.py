"""The server's process, with default settings. Prints its ports; for each line it reads, what it has seen.

Arguments: `uvloop` or `asyncio`; then settings of `penstock.Limits` as `name=value`.
"""

import asyncio
import contextlib
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Never

import uvloop

import penstock
from penstock import Limits, Server, ServerCall, ServerStream
from tests.certificates import Certificates
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase


class Application(EchoBase):
    """What an application does: answers, sends as much as is asked for, and is slow to read."""

    async def unary(self, request: Note, call: ServerCall) -> Note:
        return Note(number=request.number)

    async def server_stream(self, request: Note, stream: ServerStream[Never, Note]) -> None:
        note = Note(payload=bytes(1000))
        for _ in range(request.number):
            await stream.send(note)

    async def client_stream(self, stream: ServerStream[Note, Never]) -> Note:
        # Nothing is read: the peer's bytes stay where they are.
        await asyncio.get_running_loop().create_future()
        return Note()

    async def both_stream(self, stream: ServerStream[Note, Note]) -> None:
        async for note in stream:
            await stream.send(note)


class Lines(logging.Handler):
    """The warnings of a server, with the time of each."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((time.monotonic(), record.getMessage()))


async def serve(limits: Limits) -> None:
    """Serve until standard input ends."""
    lines = Lines()
    logging.getLogger().addHandler(lines)
    loop = asyncio.get_running_loop()
    asked: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin.fileno(), lambda: asked.put_nowait(sys.stdin.readline()))
    plain, secure = Server([Application()], limits=limits), Server([Application()], limits=limits)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tls = penstock.tls.server_context(*[Certificates(folder).server] * 2)
        addresses = [
            await stack.enter_async_context(plain.listening("127.0.0.1:0")),
            await stack.enter_async_context(secure.listening("127.0.0.1:0", tls=tls)),
        ]
        _print({"addresses": addresses})
        while await asked.get():
            _print(_seen([plain, secure], lines))


def _seen(servers: list[Server], lines: Lines) -> dict[str, Any]:
    counters: dict[str, int] = {}
    for server in servers:
        for name, count in server.statistics().abuses.items():
            counters[name] = counters.get(name, 0) + count
    return {"lines": lines.lines, "counters": counters}


def _print(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main(loop: str, *settings: str) -> None:
    """Run."""
    values = dict(setting.split("=") for setting in settings)
    limits = Limits(**{name: float(value) for name, value in values.items()})  # type: ignore[arg-type] # seconds only
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(limits))


if __name__ == "__main__":
    main(*sys.argv[1:])
