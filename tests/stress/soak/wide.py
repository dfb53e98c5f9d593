"""Ways that end more than a call: a channel, an event loop; and calls that no handler gets."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import penstock
from penstock import End, RpcError
from tests.protos.echo_pb2 import Note
from tests.stress.soak import programs
from tests.stress.soak.handlers import methods
from tests.stress.soak.lines import CLIENT
from tests.stress.soak.plan import Chance, Plan
from tests.stress.soak.ways import WAYS

CONNECTED = 0.8
"""So many channels are connected before a call is made: the others are often closed before a handler hears of it."""

FULL = methods("Coroutines")["full"]


async def close_channel(address: str, plan: Plan, chance: Chance) -> Any:
    """Close the channel under the call."""
    channel = penstock.Channel(address, limits=CLIENT)
    call = programs.make(channel, plan, chance)
    if chance.random.random() < CONNECTED:
        await channel.ready()
    using = asyncio.ensure_future(programs.use(call, plan))
    await asyncio.sleep(chance.pause_seconds())  # real time: it comes as far as it comes
    await channel.close()
    with suppress(RpcError):
        await using
    return call


async def end_loop(address: str, plan: Plan, chance: Chance) -> Any:
    """Let a loop of its own end while the call is open."""
    return await asyncio.to_thread(asyncio.run, _left_open(address, plan, chance))


async def _left_open(address: str, plan: Plan, chance: Chance) -> Any:
    call = programs.make(penstock.Channel(address, limits=CLIENT), plan, chance)
    await call.__aenter__()
    if not plan.kind.one_request:
        await call.send(Note())
    return call


async def be_refused(channel: penstock.Channel, plan: Plan) -> list[tuple[Any, Plan]]:
    """Make two calls where there is a place for one; give them with what each may come to."""
    admitted = replace(plan, way=WAYS["admitted"])
    first, second = [
        channel.call_both_stream(FULL, metadata=admitted.metadata(), wait_for_ready=True) for _ in range(2)
    ]
    try:
        async with first:
            await first.send(Note())
            await first.receive()
            with suppress(RpcError, penstock.EndOfStream):
                async with second:
                    await second.end_sending()  # if it is let in, its handler returns
                    await second.receive()
    except RpcError:
        return [(first, plan)]  # another one's handler had not ended
    # What ended the first one by itself may have let the second one in.
    return [(first, admitted), (second, plan if first.end is End.LEFT else admitted)]


def call_nothing(channel: penstock.Channel, plan: Plan, settings: dict[str, Any]) -> Any:
    """Make a call of a method that nobody serves."""
    nothing: penstock.Method[Note, Note] = penstock.Method(
        "/penstock.soak.Nobody/Nothing", penstock.Kind.UNARY, Note, Note
    )
    return channel.call_unary(nothing, Note(), **settings)
