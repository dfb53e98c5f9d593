"""kill -9 of either side: how soon does the other one know, whatever it is doing?

`python -m tests.stress.gone killing` prints it. What the kernel needs to take a process apart is in the figures, so a
plain socket to the same process stands beside: what we add is the difference.
"""

import asyncio
import os
import signal
import socket
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Never

import penstock
from penstock import End
from tests.e2e.support import until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient
from tests.stress.gone.victims import SYNC

PROJECT = Path(__file__).parents[3]
PAYLOAD = bytes(10_000)


@dataclass
class Death:
    """One process that was killed."""

    killed: str
    doing: str
    """What the survivor did meanwhile."""
    end: End | None
    """Why the survivor's stream had ended when a call was answered that began when the process was dead."""
    seconds: float
    """From the kill until the stream of the survivor had its end."""
    plain_seconds: float
    """Until a plain socket was at its end."""
    round_trip_seconds: float
    """Of a unary call just before."""


class Survivor(EchoBase):
    """What is done in handlers when clients die."""

    def __init__(self) -> None:
        self.calls: list[penstock.ServerStream[Any, Note]] = []
        self.cleaned_up = 0

    async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        del call
        return request

    async def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> None:
        note = await stream.receive()
        await stream.send(note)
        self.calls.append(stream)
        try:
            await HANDLING[note.text](stream)
        finally:
            self.cleaned_up += 1

    def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        del request
        self.calls.append(stream)
        try:
            while True:
                yield Note(payload=PAYLOAD)
        finally:
            self.cleaned_up += 1


async def _receive(stream: penstock.ServerStream[Note, Note]) -> None:
    await stream.receive()


async def _flood(stream: penstock.ServerStream[Note, Note]) -> None:
    while True:
        await stream.send(Note(payload=PAYLOAD))


async def _something_else(stream: penstock.ServerStream[Note, Note]) -> None:
    del stream
    await asyncio.Event().wait()


HANDLING: dict[str, Callable[[penstock.ServerStream[Note, Note]], Awaitable[None]]] = {
    "receives": _receive,
    "sends": _flood,
    "something else": _something_else,
}


class Nursery:
    """The program that makes victims."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def victim(self, text: str = "") -> list[str]:
        """Make one. Give what it says."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())
        return await self._line("ready")

    async def until_dead(self) -> None:
        """Wait until nothing is left of it: its sockets were closed before."""
        await self._line("dead")

    async def _line(self, begin: str) -> list[str]:
        assert self._process.stdout is not None
        line: bytes = await within_bound(self._process.stdout.readline())
        word, *rest = line.decode().split()
        assert word == begin
        return rest


@asynccontextmanager
async def nursery(*arguments: str) -> AsyncIterator[Nursery]:
    """Run the program; it ends with its stdin."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.stress.gone.victims", *arguments),
        cwd=PROJECT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Nursery(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def kill_servers(times: int) -> list[Death]:
    """Kill servers under a client that does each of its things in turn."""
    deaths = []
    async with nursery("server") as victims:
        for number in range(times):
            doing = tuple(CALLING)[number % len(CALLING)]
            process, address, plain_port = await victims.victim()
            with socket.create_connection(("127.0.0.1", int(plain_port))) as plain:
                async with penstock.Channel(address) as channel:
                    async with EchoClient(channel).both_stream() as stream:
                        await stream.send(Note(text=doing))
                        await stream.receive()
                        task = asyncio.create_task(CALLING[doing](stream))
                        deaths.append(await _kill("server", doing, int(process), stream, plain, victims))
                        task.cancel()
                        await asyncio.wait([task])
    return deaths


async def kill_clients(times: int) -> list[Death]:
    """Kill clients of a server whose handlers do each of their things in turn."""
    deaths = []
    service = Survivor()
    server = penstock.Server([service])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with (
            server.listening("127.0.0.1:0") as address,
            nursery("client", address, str(listening.getsockname()[1])) as victims,
        ):
            for number in range(times):
                doing = (*HANDLING, SYNC)[number % (len(HANDLING) + 1)]
                (process,) = await victims.victim(doing)
                plain, _ = listening.accept()
                with plain:
                    call = service.calls[-1]
                    deaths.append(await _kill("client", doing, int(process), call, plain, victims))
                await until(lambda number=number: service.cleaned_up == number + 1)  # type: ignore[misc]  # mypy knows no type of a bound default
            await until(lambda: not server._core.connections)
    return deaths


async def _kill(killed: str, doing: str, process: int, call: Any, plain: socket.socket, victims: Nursery) -> Death:
    async with _bystander() as bystander:
        began = perf_counter()
        await bystander.unary(Note())
        round_trip_seconds = perf_counter() - began
        looking = asyncio.create_task(_until_over(call, plain))
        await asyncio.sleep(0)
        os.kill(process, signal.SIGKILL)
        await victims.until_dead()
        await bystander.unary(Note())
        end = call.end
        seconds, plain_seconds = await looking
    return Death(killed, doing, end, seconds, plain_seconds, round_trip_seconds)


async def _until_over(call: Any, plain: socket.socket) -> tuple[float, float]:
    """Look at both in each turn of the loop, from now on."""
    began = perf_counter()
    seconds = plain_seconds = 0.0
    while not (seconds and plain_seconds):
        await asyncio.sleep(0)
        now = perf_counter() - began
        if not seconds and call.end is not None:
            seconds = now
        if not plain_seconds and _is_over(plain):
            plain_seconds = now
    return seconds, plain_seconds


def _is_over(plain: socket.socket) -> bool:
    try:
        return not plain.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@asynccontextmanager
async def _bystander() -> AsyncIterator[EchoClient]:
    """A server that nobody kills, in this process: its calls take a round trip."""
    async with penstock.Server([Survivor()]).listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        client = EchoClient(channel)
        await client.unary(Note())
        yield client


async def _receiving(stream: penstock.BothStreamCall[Note, Note]) -> None:
    async for _ in stream:
        pass


async def _sending(stream: penstock.BothStreamCall[Note, Note]) -> None:
    while True:
        await stream.send(Note(payload=PAYLOAD))


async def _idling(stream: penstock.BothStreamCall[Note, Note]) -> None:
    del stream
    await asyncio.Event().wait()


CALLING: dict[str, Callable[[penstock.BothStreamCall[Note, Note]], Coroutine[Any, Any, None]]] = {
    "receives": _receiving,
    "floods": _receiving,
    "sends": _sending,
    "something else": _idling,
}
"""What a client does when its server dies. Where it says `floods`, that is what the server does."""


def table(deaths: Sequence[Death]) -> str:
    """Print medians and the worst."""
    head = f"{'killed':<8}{'the other one':<16}{'times':>6}{'knows after, median':>21}{'most':>9}"
    lines = [f"{head}{'plain socket':>14}{'most':>9}{'difference':>12}{'most':>9}{'round trip':>12}   milliseconds"]
    for killed, doing in dict.fromkeys((death.killed, death.doing) for death in deaths):
        some = [death for death in deaths if (death.killed, death.doing) == (killed, doing)]
        known, plain = [1000 * death.seconds for death in some], [1000 * death.plain_seconds for death in some]
        added = [mine - other for mine, other in zip(known, plain, strict=True)]
        round_trip = statistics.median(1000 * death.round_trip_seconds for death in some)
        lines.append(
            f"{killed:<8}{doing:<16}{len(some):>6}{statistics.median(known):>21.2f}{max(known):>9.2f}"
            f"{statistics.median(plain):>14.2f}{max(plain):>9.2f}{statistics.median(added):>12.2f}{max(added):>9.2f}"
            f"{round_trip:>12.2f}"
        )
    return "\n".join(lines)
