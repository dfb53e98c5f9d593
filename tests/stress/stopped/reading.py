"""A thousand streams on one connection between two processes, one of which stops reading, again and again.

The others send a note, wait for its echo, and go on. Rounds with and without the stopped one alternate, so that
whatever else the machine does meets both.
"""

import asyncio
import json
import statistics
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import penstock
from penstock import Limits
from tests.e2e.child import running_module
from tests.e2e.support import until
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.stress.stopped.serving import resident_bytes

OTHERS = 999
FLOOD_NOTE_BYTES = 1000
NOTE_BYTES = FLOOD_NOTE_BYTES + 8
"""At most: with prefix and field."""
LIMITS = Limits()
"""Those of both sides: the defaults."""


@dataclass
class Seen:
    """What was measured."""

    without_us: list[Sequence[float]] = field(default_factory=list)
    """Of each round, the time from each note to its echo."""
    with_us: list[Sequence[float]] = field(default_factory=list)
    """The same while one reader stands still."""
    echoes: list[int] = field(default_factory=list)
    """Of each of the others in all."""
    held_bytes: list[int] = field(default_factory=list)
    """What the client held of the stopped stream, in each round."""
    queued_bytes: list[int] = field(default_factory=list)
    """What the server had queued for it."""
    waits_for: list[str] = field(default_factory=list)
    """What the server's stream waited for."""
    later: list[int] = field(default_factory=list)
    """Notes that were read of it in the end, when it went on."""
    grown_bytes: tuple[int, int] = 0, 0
    """Resident memory of client and server while the first one stood still, beside before."""

    @property
    def ratio(self) -> float:
        """The median of the rounds' own: p99 with, beside p99 without."""
        pairs = zip(self.with_us, self.without_us, strict=True)
        return statistics.median(p99(some) / p99(other) for some, other in pairs)

    def __str__(self) -> str:
        lines = [f"{'round':>5}{'p50 without':>14}{'with':>10}{'p99 without':>14}{'with':>10}{'ratio':>7}"]
        for number, (some, other) in enumerate(zip(self.with_us, self.without_us, strict=True), start=1):
            medians = f"{statistics.median(other):>11.0f} us{statistics.median(some):>7.0f} us"
            lines.append(
                f"{number:>5}{medians}{p99(other):>11.0f} us{p99(some):>7.0f} us{p99(some) / p99(other):>7.2f}"
            )
        with_us, without_us = (statistics.median(map(p99, rounds)) for rounds in (self.with_us, self.without_us))
        lines.append(
            f"p99 of {len(self.echoes)} streams, median of the rounds: with a stopped reader {with_us:.0f} us, without "
            f"{without_us:.0f} us; of a pair of rounds {self.ratio:.2f} times; {sum(self.echoes):,} round trips\n"
            f"held of the stopped one: client {max(self.held_bytes):,} bytes "
            f"(window {LIMITS.stream_window_bytes:,} and a note), "
            f"server {max(self.queued_bytes):,} bytes (buffer {LIMITS.send_buffer_bytes:,} and a note)\n"
            f"resident memory grew while it stood: client {self.grown_bytes[0] / 1024:,.0f} KiB, "
            f"server {self.grown_bytes[1] / 1024:,.0f} KiB"
        )
        return "\n".join(lines)


def p99(values: Sequence[float]) -> float:
    """Give the 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


async def measure(rounds: int, notes: int) -> Seen:
    """Measure so many rounds of each kind, with so many notes on each stream."""
    seen = Seen(echoes=[0] * OTHERS)
    arguments = (str(LIMITS.stream_window_bytes), str(LIMITS.send_buffer_bytes))
    async with running_module("tests.stress.stopped.serving", *arguments) as child:
        address = (await child.line_with("listening on")).split()[-1]
        async with penstock.Channel(address, limits=LIMITS) as channel, AsyncExitStack() as stack:
            client = EchoClient(channel)
            others = [await stack.enter_async_context(client.both_stream()) for _ in range(OTHERS)]
            await _round(others, seen.echoes, notes)  # warm
            for number in range(rounds):
                for stopped in (False, True) if number % 2 else (True, False):
                    if stopped:
                        before = await _resident(client)
                        async with _stopped(channel, client, seen):
                            seen.with_us.append(await _round(others, seen.echoes, notes))
                            after = await _resident(client)
                        if number == 0:
                            seen.grown_bytes = after[0] - before[0], after[1] - before[1]
                    else:
                        seen.without_us.append(await _round(others, seen.echoes, notes))
            assert channel._connector is not None
            assert len(channel._connector.connections) == 1
    return seen


async def _round(
    streams: "list[penstock.BothStreamCall[Note, Note]]", echoes: list[int], notes: int
) -> Sequence[float]:
    """Send and receive on all of them at once; give the microseconds of each."""
    taken = array("d")

    async def use(number: int, stream: "penstock.BothStreamCall[Note, Note]") -> None:
        for _ in range(notes):
            began = perf_counter()
            await stream.send(Note(number=echoes[number]))
            reply = await stream.receive()
            taken.append(1e6 * (perf_counter() - began))
            assert reply.number == echoes[number]
            echoes[number] += 1

    async with asyncio.TaskGroup() as tasks:
        for number, stream in enumerate(streams):
            tasks.create_task(use(number, stream))
    return taken


@asynccontextmanager
async def _stopped(channel: penstock.Channel, client: EchoClient, seen: Seen) -> AsyncIterator[None]:
    """Hold a stream that is flooded and not read, from when everything about it is full."""
    async with client.server_stream(Note(size=FLOOD_NOTE_BYTES)) as stream:
        await stream.receive()

        def held() -> int:
            (live,) = channel.streams(method="/penstock.test.echo.Echo/ServerStream")
            return live.held_bytes

        while (look := await _look(client))["waits_for"] != ["window"]:
            pass
        # Nearly all of it: a window opens again in large steps, and one note was taken.
        await until(lambda: held() > LIMITS.stream_window_bytes * 0.9)
        seen.held_bytes.append(held())
        seen.queued_bytes.append(look["queued"])
        yield
        seen.held_bytes.append(held())
        look = await _look(client)
        seen.queued_bytes.append(look["queued"])
        seen.waits_for.extend(look["waits_for"])
        # It was stopped, not broken.
        count = 0
        while count * FLOOD_NOTE_BYTES < 2 * LIMITS.stream_window_bytes:
            await stream.receive()
            count += 1
        seen.later.append(count)


async def _resident(client: EchoClient) -> tuple[int, int]:
    return resident_bytes(), (await _look(client))["resident"]


async def _look(client: EchoClient) -> dict[str, Any]:
    look: dict[str, Any] = json.loads((await client.unary(Note())).text)
    return look
