"""A client program that comes to its end in the middle of a stream. Arguments: the address, and how it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine

import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient


async def open_stream(address: str) -> "penstock.BothStreamCall[Note, Note]":
    """Open one, outside of any block, on a channel that nobody closes."""
    stream = EchoClient(penstock.Channel(address)).both_stream()
    await stream.__aenter__()
    await stream.send(Note())
    await stream.receive()
    sys.stdout.write("open\n")
    return stream


def nothing() -> None:
    """Do it."""


async def hold(address: str, then: Callable[[], object] = nothing) -> None:
    """Hold one in its block, as programs should; do something when it is open."""
    async with penstock.Channel(address) as channel, EchoClient(channel).both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        sys.stdout.write("open\n")
        then()
        async for _ in stream:
            pass


async def returning(address: str) -> None:
    """`main` returns; another task holds the stream."""
    opened = asyncio.Event()
    task = asyncio.ensure_future(hold(address, opened.set))
    await opened.wait()
    assert not task.done()


async def returning_in_the_open(address: str) -> None:
    """`main` returns, and nothing was closed."""
    await open_stream(address)


async def exiting(address: str) -> None:
    """`sys.exit` in the block."""
    await hold(address, lambda: sys.exit(3))


async def exiting_in_a_callback(address: str) -> None:
    """`sys.exit` in a callback of the loop, beside the task that holds the stream."""
    await hold(address, lambda: asyncio.get_running_loop().call_soon(sys.exit, 3))


async def failing(address: str) -> None:
    """An exception that nobody catches."""
    await hold(address, [].pop)


async def vanishing(address: str) -> None:
    """`os._exit`: no code of ours runs."""
    await open_stream(address)
    os._exit(3)


def closing_the_loop(address: str) -> None:
    """A loop by hand, closed without another step."""
    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(open_stream(address))
    loop.close()
    sys.stdout.write(f"closed: {stream.end}\n")


def leaving_the_loop(address: str) -> None:
    """A loop by hand, not even closed."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(open_stream(address))


def living_on(address: str) -> None:
    """The loop has ended, the process goes on until it is told to end."""
    kept = asyncio.run(open_stream(address))
    sys.stdout.write(f"ended: {kept.end}\n")
    signal.pause()


BY_HAND: dict[str, Callable[[str], object]] = {
    each.__name__: each for each in (closing_the_loop, leaving_the_loop, living_on)
}
IN_A_LOOP: dict[str, Callable[[str], Coroutine[None, None, None]]] = {
    each.__name__: each
    for each in (hold, returning, returning_in_the_open, exiting, exiting_in_a_callback, failing, vanishing)
}

if __name__ == "__main__":
    to, how = sys.argv[1:]
    if how in BY_HAND:
        BY_HAND[how](to)
    else:
        asyncio.run(IN_A_LOOP[how](to))
