"""A server program that comes to its end in the middle of a stream. Argument: how it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine

import penstock
from tests.e2e.support import Echo
from tests.protos.echo_pb2 import Note

opened = asyncio.Event()


async def handler(stream: "penstock.ServerStream[Note, Note]") -> AsyncIterator[Note]:
    """Answer once, then wait for more; a message with a text ends the process from in here."""
    try:
        async for note in stream:
            if note.text:
                sys.exit(3)
            yield note
            opened.set()
    finally:
        await asyncio.sleep(0.01)  # real time: as long as a cleanup takes, in which nothing else should disturb it
        sys.stdout.write("cleaned up\n")


def server() -> penstock.Server:
    return penstock.Server([Echo(both_stream=handler)])


def say(address: str) -> None:
    sys.stdout.write(f"listening on {address}\n")


async def leaving() -> None:
    """Leave the block."""
    async with server().listening("127.0.0.1:0") as address:
        say(address)
        await opened.wait()


async def exiting() -> None:
    """`sys.exit` in the block."""
    async with server().listening("127.0.0.1:0") as address:
        say(address)
        await opened.wait()
        sys.exit(3)


async def waiting() -> None:
    """Wait in the block: a handler or a signal ends it."""
    async with server().listening("127.0.0.1:0") as address:
        say(address)
        await asyncio.Event().wait()


kept: list[object] = []


async def returning_in_the_open() -> None:
    """Return, and never leave the block."""
    block = server().listening("127.0.0.1:0")
    kept.append(block)
    say(await block.__aenter__())
    await opened.wait()


async def returning_beside_a_slow_task() -> None:
    """The same, while another task takes its time to end: until SIGTERM. The loop goes on serving."""
    kept.append(asyncio.ensure_future(_ending_slowly()))
    await returning_in_the_open()


async def _ending_slowly() -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    try:
        await asyncio.Event().wait()
    finally:
        sys.stdout.write("ending\n")
        await told.wait()


async def vanishing() -> None:
    """`os._exit`: no code of ours runs."""
    async with server().listening("127.0.0.1:0") as address:
        say(address)
        await opened.wait()
        os._exit(3)


WAYS: dict[str, Callable[[], Coroutine[None, None, None]]] = {
    each.__name__: each
    for each in (leaving, exiting, waiting, returning_in_the_open, returning_beside_a_slow_task, vanishing)
}

if __name__ == "__main__":
    asyncio.run(WAYS[sys.argv[1]]())
