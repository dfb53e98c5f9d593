"""Do the numbers of both sides fit, however calls end?"""

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable
from typing import Never

import pytest

import penstock
from penstock import End
from tests.e2e.support import TINY, Echo, Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

CALLS = 2_000
AT_ONCE = 50


def check_sums(pair: Pair) -> None:
    """What began has ended, or is open."""
    for now in (pair.server.statistics(), pair.channel.statistics()):
        assert now.calls_begun == now.calls_ended + now.calls_open
        assert now.connections_made == now.connections_open + sum(now.connection_ends.values())


async def fail_or_answer(request: Note, call: penstock.ServerCall) -> Note:
    del call
    if request.number % 3 == 0:
        raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "no")
    if request.number % 3 == 1:
        await asyncio.sleep(0)
    return request


async def endless(request: Note, stream: "penstock.ServerStream[Never, Note]") -> None:
    while True:
        await stream.send(request)


async def answered(pair: Pair, chance: random.Random) -> None:
    await pair.client.unary(Note(number=chance.randrange(30)))


async def talked(pair: Pair, chance: random.Random) -> None:
    async with pair.client.both_stream() as stream:
        for _ in range(chance.randrange(4)):
            await stream.send(Note())
            await stream.receive()
        if chance.random() < 0.5:
            await stream.finish()


async def left(pair: Pair, chance: random.Random) -> None:
    async with pair.client.server_stream(Note()) as stream:
        for _ in range(chance.randrange(5)):
            await stream.receive()


async def late(pair: Pair, chance: random.Random) -> None:
    async with pair.client.server_stream(Note(), timeout=chance.random() * 0.01) as stream:
        async for _ in stream:
            pass


async def cancelled(pair: Pair, chance: random.Random) -> None:
    call = asyncio.ensure_future(left(pair, chance))
    for _ in range(chance.randrange(12)):
        await asyncio.sleep(0)
    call.cancel()
    await call


async def killed(pair: Pair, chance: random.Random) -> None:
    call = asyncio.ensure_future(endlessly(pair))
    for _ in range(chance.randrange(12)):
        await asyncio.sleep(0)
    streams = chance.choice([pair.server.streams, pair.channel.streams])
    for live in streams(method="/penstock.test.echo.Echo/ServerStream"):
        live.kill("chance")
        break
    call.cancel()
    await call


async def endlessly(pair: Pair) -> None:
    async with pair.client.server_stream(Note()) as stream:
        async for _ in stream:
            pass


async def unknown(pair: Pair, chance: random.Random) -> None:
    del chance
    async with pair.channel.stream("/no.Service/Method") as stream:
        await stream.receive()


async def unused(pair: Pair, chance: random.Random) -> None:
    del chance
    pair.client.both_stream().cancel()


async def cut(pair: Pair, chance: random.Random) -> None:
    if chance.random() < 0.1:
        for connection in list(pair.server._core.connections):
            connection.abort("cut")
    await answered(pair, chance)


WAYS: list[Callable[[Pair, random.Random], Awaitable[None]]] = [
    answered,
    talked,
    left,
    late,
    cancelled,
    killed,
    unknown,
    unused,
    cut,
]


@pytest.mark.timeout(60)
async def test_what_began_has_ended_or_is_open_on_both_sides() -> None:
    chance = random.Random(7)
    left_to_do = iter(range(CALLS))

    async def caller(pair: Pair) -> None:
        for _ in left_to_do:
            try:
                await chance.choice(WAYS)(pair, chance)
            except (penstock.RpcError, penstock.EndOfStream, asyncio.CancelledError):
                check_sums(pair)

    service = Echo(unary=fail_or_answer, server_stream=endless)
    places = penstock.Limits(max_concurrent_streams=AT_ONCE // 2)
    hasty = dataclasses.replace(TINY, reconnect_initial_seconds=0.001, reconnect_max_seconds=0.001)
    async with connected(service, server_limits=places, client_limits=hasty) as pair:
        await within_bound(asyncio.gather(*(caller(pair) for _ in range(AT_ONCE))))
        await until(lambda: pair.server.statistics().is_idle and pair.channel.statistics().is_idle)
        check_sums(pair)
        of_server, of_channel = pair.server.statistics(), pair.channel.statistics()
        # A task that is cancelled before its first step begins no call.
        assert CALLS * 0.9 < of_channel.calls_begun <= CALLS
        for end in (End.RETURNED, End.RAISED, End.KILLED):
            assert of_server.ends[end] > 0
            assert of_channel.ends[end] > 0
        for end in (End.LEFT, End.TASK_CANCELLED, End.DEADLINE, End.CONNECTION_LOST):
            assert of_channel.ends[end] > 0
        for end in (End.PEER_CANCELLED, End.REFUSED):
            assert of_server.ends[end] > 0
    check_sums(pair)
    assert pair.server.statistics().connections_open == 0
