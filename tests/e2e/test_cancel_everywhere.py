"""Whatever is cancelled at whichever of its awaits: it stops, the other side hears of it, and nothing is left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

import penstock
from penstock.testing import Attempt, cancel_everywhere, connected, nothing_left_behind
from tests.e2e.support import TINY, Echo, fill_up, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = [pytest.mark.loops, pytest.mark.timeout(120)]


@dataclass
class Rig:
    """A server on a socket or in memory, and what its handler saw."""

    server: penstock.Server
    channel: penstock.Channel
    received: list[int] = field(default_factory=list)
    running: int = 0

    @property
    def client(self) -> EchoClient:
        return EchoClient(self.channel)

    async def until_nothing_runs(self) -> None:
        await until(
            lambda: not self.running and not list(self.server.streams()) and not list(self.channel.streams()),
            lambda: f"{self.running} handlers run; open: {[*self.server.streams(), *self.channel.streams()]}",
        )

    async def still_works(self, attempt: Attempt) -> None:
        """Nothing is left of the call, and the next one goes through."""
        await self.until_nothing_runs()
        assert await self.client.unary(Note(number=7)) == Note(number=7)


@asynccontextmanager
async def rigged(in_memory: bool) -> AsyncIterator[Rig]:
    async def echo(stream: penstock.ServerStream[Note, Note]) -> None:
        rig.running += 1
        try:
            async for note in stream:
                rig.received.append(note.number)
                await stream.send(note)
        finally:
            rig.running -= 1

    server = penstock.Server([Echo(both_stream=echo)], limits=TINY)
    async with nothing_left_behind(all_tasks=True):
        if in_memory:
            async with connected(server=server, limits=TINY) as memory_channel:
                rig = Rig(server, memory_channel)
                yield rig
        else:
            async with (
                server.listening("127.0.0.1:0") as address,
                penstock.Channel(address, limits=TINY) as channel,
            ):
                rig = Rig(server, channel)
                yield rig


@pytest.fixture(params=[True, False], ids=["memory", "socket"])
def in_memory(request: pytest.FixtureRequest) -> bool:
    where: bool = request.param
    return where


async def test_a_unary_call(in_memory: bool) -> None:
    async with rigged(in_memory) as rig:
        assert await cancel_everywhere(lambda: unary(rig), check=rig.still_works) >= 1


async def unary(rig: Rig) -> None:
    assert await rig.client.unary(Note(number=1)) == Note(number=1)


async def test_a_unary_call_that_has_to_connect_first(in_memory: bool) -> None:
    async def connect_and_call(rig: Rig) -> None:
        await unary(rig)

    count = await cancel_everywhere(connect_and_call, around=lambda: rigged(in_memory), check=None)
    assert count >= 2


async def test_a_block_of_a_stream(in_memory: bool) -> None:
    async def talk() -> None:
        async with rig.client.both_stream() as stream:
            for number in range(3):
                await stream.send(Note(number=number))
                assert (await stream.receive()).number == number
            await stream.end_sending()
            with pytest.raises(penstock.EndOfStream):
                await stream.receive()

    async with rigged(in_memory) as rig:
        assert await cancel_everywhere(talk, check=rig.still_works) >= 4


async def test_sending_hands_over_the_whole_message_or_none(in_memory: bool) -> None:
    """Each send begins without room. What was cancelled was not sent; what was sent comes once, and in order."""
    async with rigged(in_memory) as rig:
        async with rig.client.both_stream() as stream:
            numbers, sent, may_read = iter(range(1000, 2000)), list[int](), asyncio.Event()

            async def read() -> list[int]:
                received = []
                await may_read.wait()
                async for note in stream:
                    received.append(note.number)
                    await may_read.wait()
                return received

            @asynccontextmanager
            async def full() -> AsyncIterator[None]:
                may_read.clear()
                await fill_up(stream)
                asyncio.get_running_loop().call_soon(may_read.set)
                yield

            async def send(_: None) -> None:
                number = next(numbers)
                await stream.send(Note(number=number, payload=bytes(512)))
                sent.append(number)

            reading = asyncio.ensure_future(read())
            assert await cancel_everywhere(send, around=full) >= 1
            await stream.end_sending()
            received = await within_bound(reading)
            assert [number for number in received if number >= 1000] == sent
        await rig.until_nothing_runs()


async def test_receiving_loses_nothing(in_memory: bool) -> None:
    async with rigged(in_memory) as rig:
        async with rig.client.both_stream() as stream:
            received: list[int] = []
            sent = 0

            @asynccontextmanager
            async def one_sent_later() -> AsyncIterator[None]:
                nonlocal sent
                loop = asyncio.get_running_loop()
                loop.call_soon(stream.send_nowait, Note(number=sent))
                sent += 1
                yield
                while len(received) < sent:
                    received.append((await within_bound(stream.receive())).number)

            async def receive(_: None) -> None:
                received.append((await stream.receive()).number)

            assert await cancel_everywhere(receive, around=one_sent_later) >= 1
            assert received == list(range(sent))
        await rig.until_nothing_runs()


async def test_closing_a_channel(in_memory: bool) -> None:
    async def close(rig: Rig) -> None:
        await rig.channel.close()

    @asynccontextmanager
    async def with_a_call() -> AsyncIterator[Rig]:
        async with rigged(in_memory) as rig:
            async with rig.client.both_stream() as stream:
                await stream.send(Note(number=1))
                await within_bound(stream.receive())
                yield rig
                # As `close` promises: the calls have ended, and it can be called again.
                assert stream.status is not None
                assert stream.status.code is penstock.StatusCode.CANCELLED
                await rig.channel.close()
            await until(lambda: not rig.running)

    assert await cancel_everywhere(close, around=with_a_call) >= 1


@pytest.mark.parametrize("grace", [0, 0.01])
async def test_stopping_a_server(in_memory: bool, grace: float) -> None:
    async def stop(rig: Rig) -> None:
        await rig.server.stop(grace)

    @asynccontextmanager
    async def with_a_call() -> AsyncIterator[Rig]:
        async with rigged(in_memory) as rig:
            async with rig.client.both_stream() as stream:
                await stream.send(Note(number=1))
                await within_bound(stream.receive())
                yield rig
                await rig.server.stop(0)
                await until(lambda: not rig.running)
                assert rig.server._core.connections == set()

    assert await cancel_everywhere(stop, around=with_a_call) >= 1
