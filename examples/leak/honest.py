"""Clients that ask for little, and wait for it."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import penstock
from examples.leak.feed import Topic
from examples.tutorial.server_stream_pb2 import ServerStreamReq
from examples.tutorial.server_stream_penstock import ServerStreamServerClient
from penstock.services.grpc_health.v1.health_pb2 import HealthCheckRequest
from penstock.services.grpc_health.v1.health_penstock import HealthClient

Outcome = Literal["answered", "refused", "silence"]


@dataclass(frozen=True)
class Answer:
    """What a client was told, and after how long."""

    outcome: Outcome
    seconds: float


async def ask(address: str, timeout_seconds: float) -> Answer:
    """Come as a new client, and wait for one line of a stream no longer than this."""

    async def take_line(channel: penstock.Channel) -> None:
        client = ServerStreamServerClient(channel)
        async with client.server_stream(ServerStreamReq(data=Topic.HELLO), timeout=timeout_seconds) as stream:
            await stream.receive()

    return await _answer(address, take_line)


async def check_health(address: str, timeout_seconds: float) -> Answer:
    """Come as a load balancer does, and ask the standard health service: one request, one reply."""

    async def check(channel: penstock.Channel) -> None:
        await HealthClient(channel).check(HealthCheckRequest(), timeout=timeout_seconds)

    return await _answer(address, check)


async def _answer(address: str, call: Callable[[penstock.Channel], Awaitable[None]]) -> Answer:
    begin = time.perf_counter()
    outcome: Outcome = "answered"
    try:
        async with penstock.Channel(address) as channel:
            await call(channel)
    except penstock.ResourceExhausted:
        outcome = "refused"
    except penstock.DeadlineExceeded:
        outcome = "silence"
    return Answer(outcome, time.perf_counter() - begin)
