"""Cases of many calls."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.interop.standard import soak as soaking
from tests.interop.standard.ours.channels import connect
from tests.interop.standard.ours.message_cases import large_unary
from tests.interop.standard.soak import Soak
from tests.interop.standard.target import Target


async def concurrent_large_unary(target: Target, soak: Soak) -> None:
    """All calls at once on one channel."""
    async with connect(target) as channel, asyncio.TaskGroup() as group:
        for _ in range(soak.iterations):
            group.create_task(large_unary(channel))


async def rpc_soak(target: Target, soak: Soak) -> None:
    """One call after another on one channel."""
    async with connect(target) as channel:
        await soaking.run(soak, lambda: large_unary(channel))


async def channel_soak(target: Target, soak: Soak) -> None:
    """A new channel for each call."""

    async def call() -> None:
        async with connect(target) as channel:
            await large_unary(channel)

    await soaking.run(soak, call)


CASES: dict[str, Callable[[Target, Soak], Awaitable[None]]] = {
    "concurrent_large_unary": concurrent_large_unary,
    "rpc_soak": rpc_soak,
    "channel_soak": channel_soak,
    "long_lived_channel": rpc_soak,  # with a pause between the calls
}
