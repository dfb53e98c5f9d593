"""Both ends of a call, for tests that hold for either."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from penstock import (
    Limits,
    Stream,
)
from tests.unit.memory import Ends, both_ends, settle

SMALL = Limits(send_buffer_bytes=100)
FULL = bytes(100)
"""Leaves no room in a buffer of `SMALL`."""

Side = Callable[[Ends], tuple[Stream[bytes, bytes], Stream[bytes, bytes]]]


def from_client(ends: Ends) -> tuple[Stream[bytes, bytes], Stream[bytes, bytes]]:
    """The client sends, the server receives."""
    return ends.client, ends.server


def from_server(ends: Ends) -> tuple[Stream[bytes, bytes], Stream[bytes, bytes]]:
    """The server sends, the client receives."""
    return ends.server, ends.client


both_ways = pytest.mark.parametrize("side", [from_client, from_server])


def hold(ends: Ends) -> None:
    """Have neither side write."""
    for wire in ends.channel.wires:
        wire.hold()


async def let_go(ends: Ends) -> None:
    for wire in ends.channel.wires:
        wire.release()
    await settle()


def small_ends() -> AbstractAsyncContextManager[Ends]:
    return both_ends(limits=SMALL, server_limits=SMALL)


async def awaited(waiting: Awaitable[bytes]) -> bytes:
    return await waiting
