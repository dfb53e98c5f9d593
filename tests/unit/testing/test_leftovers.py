"""Is a baseline what there was, and is a task described by the line where it waits?"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from penstock import Channel, Server
from penstock.testing import connected, leftovers, origins, settle
from penstock.testing.leftovers import Baseline
from tests.e2e.support import Echo
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

HERE = re.escape(__file__)


async def test_what_there_is_now_is_not_found() -> None:
    async with connected(Echo()) as channel:
        async with EchoClient(channel).both_stream():
            await settle()
            assert leftovers.find(Baseline(everything=False)) == []
            assert leftovers.find(Baseline(everything=False), all_tasks=True) == []
            found = leftovers.find(Baseline(everything=True))
    kinds = sorted(line.split()[0] for line in found)
    assert kinds == ["call", "call", "client's", "server's", "task"]


def test_whoever_nobody_saw_being_made_was_there_before() -> None:
    unseen = Channel("localhost:1")
    origins.start()
    try:
        early = Channel("localhost:1")
        before, nothing = Baseline(everything=False), Baseline(everything=True)
        late = Server([])
        assert [before.had(thing) for thing in (None, unseen, early, late)] == [True, True, True, False]
        assert [nothing.had(thing) for thing in (None, unseen, early, late)] == [False] * 4
    finally:
        origins.stop()


async def test_open_connections_are_those_that_were_not_there_before() -> None:
    async with connected(Echo()) as one:
        await EchoClient(one).unary(Note())
        origins.start()
        before = Baseline(everything=False)
        assert not leftovers.are_open(before)
        one.links[0].client.lose()
        await EchoClient(one).unary(Note())
        assert not leftovers.are_open(before)  # another one, but of a channel that was there
        async with connected(Echo()) as other:
            await EchoClient(other).unary(Note())
            assert leftovers.are_open(before)
        await settle()
        assert not leftovers.are_open(before)
        origins.stop()


def test_outside_of_a_loop_there_are_no_tasks() -> None:
    assert leftovers.tasks() == []


async def test_a_task_is_described_by_the_innermost_line_of_the_program() -> None:
    async def numbers() -> AsyncIterator[int]:
        await asyncio.sleep(0)
        yield 1
        await asyncio.Event().wait()
        yield 2

    async def inner() -> None:
        async for _ in numbers():
            pass

    async def outer() -> None:
        await inner()

    tasks: list[asyncio.Task[Any]] = [asyncio.get_running_loop().create_task(outer(), name="it")]
    await settle()
    (line,) = leftovers.find(Baseline(everything=True), all_tasks=True)
    assert re.match(rf"task 'it' of .*outer, waits at {HERE}:\d+$", line)
    tasks[0].cancel()
    await asyncio.wait(tasks)
