"""Clients vanish one after another: after how many does a server no longer answer an honest one?"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import product

from examples.leak import servers, usage
from examples.leak.clients import come_and_vanish
from examples.leak.feed import KEEPALIVE_SECONDS, WORKERS
from examples.leak.honest import Outcome, ask, check_health
from examples.leak.servers import SERVERS, Server
from examples.leak.situations import SITUATIONS, Leaving, Situation

CLIENTS = 2 * WORKERS
"""Clients that vanish, if the server answers so long."""

PATIENCE_SECONDS = 5.0
"""How long an honest client waits for its line: longer than keepalive takes to find a silent client."""

SIDE_BY_SIDE = 10
"""Measurements that run at once. They mostly wait."""

SETTLING_SECONDS = 3.5 * KEEPALIVE_SECONDS
"""What is looked at is what is left after this: keepalive has found by then what it can find."""


@dataclass(frozen=True)
class Result:
    """What one server did in one situation."""

    situation: str
    gone: bool
    """The clients that vanish are no longer there; what is left of them at the end serves nobody."""
    server: str
    vanished: int
    """Clients that had vanished when it stopped answering; CLIENTS: it never did."""
    outcome: Outcome
    """What the honest client got after the last of them."""
    health: Outcome
    """What a health check got then: one request, one reply."""
    longest_wait_ms: float
    """How long an honest client waited at most, from connecting to its line, or until it gave up."""
    open_calls: int
    """Handlers that still run at the end."""
    threads: int
    memory_mib: float


async def compare() -> list[Result]:
    """Let every server meet every situation, a few at a time."""
    at_a_time = asyncio.Semaphore(SIDE_BY_SIDE)

    async def in_turn(situation: Situation, server: Server) -> Result:
        async with at_a_time:
            return await measure(situation, server)

    return await asyncio.gather(*(in_turn(situation, server) for situation, server in product(SITUATIONS, SERVERS)))


async def measure(situation: Situation, server: Server) -> Result:
    """Start a server, let clients vanish until it stops answering or all have vanished, and see what is left."""
    async with AsyncExitStack() as left, servers.running(server) as serving:
        answers = [await ask(serving.address, PATIENCE_SECONDS)]
        while answers[-1].outcome == "answered" and len(answers) <= CLIENTS:
            await come_and_vanish(situation, serving.address, left)
            answers.append(await ask(serving.address, PATIENCE_SECONDS))
        health = await check_health(serving.address, PATIENCE_SECONDS)
        seen = await usage.look_at(serving.process_id, SETTLING_SECONDS)
        return Result(
            situation=situation.name,
            gone=situation.leaving is not Leaving.STAYING,
            server=server.name,
            vanished=len(answers) - 1,
            outcome=answers[-1].outcome,
            health=health.outcome,
            longest_wait_ms=round(max(answer.seconds for answer in answers) * 1000, 1),
            open_calls=serving.open_calls,
            threads=seen.threads,
            memory_mib=seen.memory_mib,
        )
