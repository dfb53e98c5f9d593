"""Connections that turn into black holes at random moments: when does either side know?

`python -m tests.stress.gone silence` prints it, for the pair of settings that promises 15 s, in real time.
"""

import asyncio
import random
import statistics
from dataclasses import dataclass, field

import penstock
from penstock import End, keepalive
from penstock._liveness import LAST_LOOK_SECONDS
from penstock._timers import COARSEST_SECONDS
from penstock.testing import BLACK_HOLE, FaultProxy
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient

PAIR = keepalive.LIVELY
PROMISED_SECONDS = max(side.time_seconds + side.timeout_seconds for side in (PAIR.client, PAIR.server))
GRAIN_SECONDS = 2 * COARSEST_SECONDS + LAST_LOOK_SECONDS + 0.001
"""Two timers in a row, of that grain each, and a last look."""

HOLES = ("both ways", "to the client", "to the server")
LATE_STEPS = 4
"""The hole, the question, the end, and telling of it: each may find the event loop busy."""


@dataclass
class Loss:
    """One connection that fell silent."""

    hole: str
    talks: bool
    """Messages passed until then, and more would have."""
    client_seconds: float = 0.0
    server_seconds: float = 0.0
    client_end: End | None = None
    server_end: End | None = None


@dataclass
class Losses:
    """All of them."""

    each: list[Loss] = field(default_factory=list)
    loop_late_seconds: float = 0.0
    """How late the event loop was at its worst, which is no fault of a timer."""

    @property
    def most_seconds(self) -> float:
        """What they may take: the promise, the grain, and what the loop was late."""
        return PROMISED_SECONDS + GRAIN_SECONDS + LATE_STEPS * self.loop_late_seconds

    def __str__(self) -> str:
        """Give a table."""
        lines = [
            f"{'hole':<15}{'stream':<8}{'count':>5}{'client knows, median':>22}{'most':>9}{'server':>11}{'most':>9}"
        ]
        for hole in HOLES:
            for talks in (False, True):
                some = [loss for loss in self.each if (loss.hole, loss.talks) == (hole, talks)]
                if some:
                    client, server = [loss.client_seconds for loss in some], [loss.server_seconds for loss in some]
                    lines.append(
                        f"{hole:<15}{'talks' if talks else 'idle':<8}{len(some):>5}{statistics.median(client):>20.3f} s"
                        f"{max(client):>7.3f} s{statistics.median(server):>9.3f} s{max(server):>7.3f} s"
                    )
        most = max(max(loss.client_seconds, loss.server_seconds) for loss in self.each)
        lines.append(
            f"most: {most:.3f} s; promised: {PROMISED_SECONDS:g} s, timers' grain {GRAIN_SECONDS:.3f} s; "
            f"the loop was late by {self.loop_late_seconds:.3f} s at most"
        )
        return "\n".join(lines)


class Listening(EchoBase):
    """Answers each note, and notes when its call ended."""

    def __init__(self) -> None:
        self.ended: dict[str, asyncio.Future[tuple[float, End | None]]] = {}

    async def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_initial_metadata({})
        try:
            async for note in stream:
                await stream.send(note)
        finally:
            now = asyncio.get_running_loop().time()
            self.ended[str(stream.metadata["number"])].set_result((now, stream.end))


async def lose(count: int, seed: int) -> Losses:
    """Let so many connections, all at once, fall silent within one period of the keepalive."""
    chance = random.Random(seed)
    losses = Losses([Loss(HOLES[number % len(HOLES)], number % 2 == 0) for number in range(count)])
    service = Listening()
    server = penstock.Server([service], keepalive=PAIR.server)
    loop = asyncio.get_running_loop()
    async with server.listening("127.0.0.1:0") as address:
        lateness = loop.create_task(_note_lateness(losses))
        async with asyncio.TaskGroup() as tasks:
            for number, loss in enumerate(losses.each):
                service.ended[str(number)] = loop.create_future()
                tasks.create_task(_lose_one(loss, address, service, str(number), random.Random(chance.random())))
        lateness.cancel()
        await asyncio.wait([lateness])
    return losses


async def _lose_one(loss: Loss, address: str, service: Listening, number: str, chance: random.Random) -> None:
    loop = asyncio.get_running_loop()
    async with (
        FaultProxy(address) as proxy,
        penstock.Channel(proxy.address, keepalive=PAIR.client) as channel,
        EchoClient(channel).both_stream(metadata={"number": number}) as stream,
    ):
        await stream.initial_metadata()
        talking = loop.create_task(_talk(stream, chance)) if loss.talks else None
        moment = chance.uniform(0, PAIR.client.time_seconds)
        receiving = loop.create_task(_read(stream))
        await asyncio.sleep(moment)  # real time: the settings are those that programs have
        if loss.hole != "to the server":
            proxy.to_client = BLACK_HOLE
        if loss.hole != "to the client":
            proxy.to_server = BLACK_HOLE
        fell_silent = loop.time()
        loss.client_seconds = await receiving - fell_silent
        loss.client_end = stream.end
        server_knew, loss.server_end = await service.ended[number]
        loss.server_seconds = server_knew - fell_silent
        if talking is not None:
            talking.cancel()
            await asyncio.wait([talking])


async def _read(stream: penstock.BothStreamCall[Note, Note]) -> float:
    try:
        async for _ in stream:
            pass
    except penstock.RpcError:
        return asyncio.get_running_loop().time()
    raise AssertionError("the stream ended as if nothing had happened")


async def _talk(stream: penstock.BothStreamCall[Note, Note], chance: random.Random) -> None:
    try:
        while True:
            await stream.send(Note(text="hello"))
            await asyncio.sleep(chance.uniform(0.1, 3))  # real time: as above
    except penstock.RpcError:
        pass


async def _note_lateness(losses: Losses) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.01
        await asyncio.sleep(0.01)  # real time: it measures the loop
        losses.loop_late_seconds = max(losses.loop_late_seconds, loop.time() - due)
