"""Clients that open a stream and vanish."""

import asyncio
import multiprocessing
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import penstock
from examples.leak.feed import Topic
from examples.leak.situations import Leaving, Situation
from examples.tutorial.server_stream_pb2 import ServerStreamReq
from examples.tutorial.server_stream_penstock import ServerStreamServerClient
from penstock.testing import BLACK_HOLE, FaultProxy

SMALL = penstock.Limits(stream_window_bytes=64 * 1024)
"""A client that stops reading holds this much; with less in the way a server notices sooner that it has to wait."""

FIRST_LINE_SECONDS = 5.0

LINGER_SECONDS = 0.05
"""A client stays this long after its first line, so that the handler is where it will be found: waiting, or sending."""

# A client that is killed is a process of its own. Forked from one that has imported everything, it costs little.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["examples.leak.clients"])


async def come_and_vanish(situation: Situation, address: str, left: AsyncExitStack) -> None:
    """Subscribe as a new client, take the first line, and leave the stream open in the way of this situation.

    Args:
        situation: What to subscribe to, and how to leave.
        address: The server's.
        left: Keeps what has to live on; closing it ends the client at last.
    """
    match situation.leaving:
        case Leaving.KILLED:
            await asyncio.to_thread(_subscribe_and_be_killed, address, situation.topic)
        case Leaving.UNPLUGGED:
            cable = await left.enter_async_context(FaultProxy(address))
            await left.enter_async_context(_subscribed(cable.address, situation.topic))
            cable.set_both(BLACK_HOLE)
        case Leaving.STAYING:
            await left.enter_async_context(_subscribed(address, situation.topic))


@asynccontextmanager
async def _subscribed(address: str, topic: Topic) -> AsyncIterator[None]:
    """Have taken the first line, and take no more."""
    async with (
        penstock.Channel(address, limits=SMALL) as channel,
        ServerStreamServerClient(channel).server_stream(ServerStreamReq(data=topic)) as stream,
    ):
        async with asyncio.timeout(FIRST_LINE_SECONDS):
            await stream.receive()
        await asyncio.sleep(LINGER_SECONDS)
        yield


def _subscribe_and_be_killed(address: str, topic: Topic) -> None:
    subscribed = processes.Event()
    client = processes.Process(target=_run_until_killed, args=(address, topic, subscribed))
    client.start()
    subscribed.wait(FIRST_LINE_SECONDS)
    client.kill()
    client.join()


def _run_until_killed(address: str, topic: Topic, subscribed: threading.Event) -> None:
    """Be a client process."""

    async def run() -> None:
        async with _subscribed(address, topic):
            subscribed.set()
            await asyncio.Event().wait()

    asyncio.run(run())
