"""Does a task that never has to wait leave room for everybody else?"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

import penstock
from tests.e2e.support import Echo, Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

SMALL = Note(payload=bytes(32))


class Greedy:
    """Handlers that send or receive without end and await nothing else."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = asyncio.Event()

    async def send(self, request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            while True:
                await stream.send(request)
                self.count += 1
        finally:
            self.ended.set()

    async def send_many(self, request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        def endless() -> Iterator[Note]:
            while True:
                self.count += 1
                yield request

        try:
            await stream.send_many(endless())
        finally:
            self.ended.set()

    async def generate(self, request: Note, stream: penstock.ServerStream[Note, Note]) -> AsyncIterator[Note]:
        del stream
        try:
            while True:
                self.count += 1
                yield request
        finally:
            self.ended.set()

    async def receive(self, stream: penstock.ServerStream[Note, Note]) -> Note:
        try:
            while True:
                await stream.receive()
                self.count += 1
        finally:
            self.ended.set()


def _went_on(greedy: Greedy, before: int) -> bool:
    return greedy.count > before


async def _drain(pair: Pair, timeout_seconds: float | None = None) -> None:
    async with pair.client.server_stream(SMALL, timeout=timeout_seconds) as stream:
        async for _reply in stream:
            pass


async def _flood(pair: Pair, timeout_seconds: float | None = None) -> None:
    async with pair.client.client_stream(timeout=timeout_seconds) as stream:
        while True:
            await stream.send(SMALL)


async def _neighbours_are_answered(pair: Pair, greedy: Greedy) -> None:
    """Make calls while others are busy, on their connection and on another one."""
    async with penstock.Channel(pair.address) as channel:
        other = type(pair.client)(channel)
        for number in range(20):
            before = greedy.count
            assert (await pair.client.unary(Note(number=number), timeout=10)).number == number
            assert (await other.unary(Note(number=number), timeout=10)).number == number
            await until(partial(_went_on, greedy, before))


@pytest.mark.parametrize("how", ["send", "send_many", "generate"])
async def test_a_handler_that_sends_without_end_starves_no_neighbour(how: str) -> None:
    greedy = Greedy()
    async with connected(Echo(server_stream=getattr(greedy, how))) as pair:
        reading = asyncio.create_task(_drain(pair))
        await until(lambda: greedy.count)
        await _neighbours_are_answered(pair, greedy)
        assert not reading.done()
        reading.cancel()
        await asyncio.wait([reading])
        await within_bound(greedy.ended.wait())


async def test_a_handler_that_receives_without_end_starves_no_neighbour() -> None:
    greedy = Greedy()
    async with connected(Echo(client_stream=greedy.receive)) as pair:
        sending = asyncio.create_task(_flood(pair))
        await until(lambda: greedy.count)
        await _neighbours_are_answered(pair, greedy)
        assert not sending.done()
        sending.cancel()
        await asyncio.wait([sending])
        await within_bound(greedy.ended.wait())


@pytest.mark.parametrize("how", ["send", "generate", "receive"])
async def test_its_own_deadline_is_on_time(how: str) -> None:
    greedy = Greedy()
    loop = asyncio.get_running_loop()
    service = Echo(client_stream=greedy.receive) if how == "receive" else Echo(server_stream=getattr(greedy, how))
    async with connected(service) as pair:
        await pair.channel.ready(timeout=5)
        began = loop.time()
        with pytest.raises(penstock.DeadlineExceeded):
            await (_flood(pair, 0.2) if how == "receive" else _drain(pair, 0.2))
        await within_bound(greedy.ended.wait())
        assert loop.time() - began < 2, "a deadline of 0.2 s; the rest is for slow machines"
        assert greedy.count > 100


async def test_several_greedy_streams_all_move() -> None:
    counts = [0] * 8

    async def send(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        while True:
            await stream.send(request)

    async with connected(Echo(server_stream=send)) as pair:

        async def read(number: int) -> None:
            async with pair.client.server_stream(SMALL) as stream:
                async for _reply in stream:
                    counts[number] += 1
                    if sum(counts) >= 300_000:
                        return

        await within_bound(asyncio.gather(*(read(number) for number in range(8))))
    assert min(counts) > sum(counts) / 8 / 3, counts
