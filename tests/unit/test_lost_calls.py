"""Calls whose connection is gone: ended at once, and slice by slice what follows from that."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from penstock import (
    Admission,
    BothStreamCall,
    Cancelled,
    End,
    Limits,
    Server,
    ServerStream,
    Status,
    StatusCode,
    Unavailable,
    _lost_calls,
)
from penstock._lost_calls import SLICE_CALLS
from penstock.testing import settle
from tests.unit.memory import MemoryChannel

MANY = 2000
LIMITS = Limits(max_concurrent_streams=MANY)
ADMISSION = Admission(
    max_calls=4 * MANY,
    max_calls_per_peer=4 * MANY,
    max_calls_per_connection=4 * MANY,
    max_streams=3 * MANY,
    max_streams_per_peer=3 * MANY,
    max_streams_per_connection=3 * MANY,
)
LOST = Status(StatusCode.UNAVAILABLE, "lost")


class Call:
    """What is asked of a call."""

    def __init__(self, settled: list[int], ends: Counter[End], *, fails: bool = False) -> None:
        self.ended = False
        self._settled, self._counts, self._fails = settled, ends, fails

    def _end_with_connection(self, *_end: object) -> bool:
        before, self.ended = self.ended, True
        return not before

    def _ends(self) -> Counter[End]:
        return self._counts

    def _settle(self) -> None:
        self._settled.append(id(self))
        if self._fails:
            msg = "a mistake"
            raise ValueError(msg)


def lose(calls: list[Any], end: End = End.CONNECTION_LOST) -> None:
    _lost_calls.end(asyncio.get_running_loop(), calls, LOST, end, retryable=False)


@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_a_slice_of_calls_is_settled_at_once_and_the_rest_in_the_next_turn(more: int) -> None:
    settled: list[int] = []
    ends: Counter[End] = Counter()
    calls = [Call(settled, ends) for _ in range(SLICE_CALLS + more)]
    lose(calls)
    assert all(call.ended for call in calls)
    assert ends == {End.CONNECTION_LOST: len(calls)}
    assert settled == [id(call) for call in calls[:SLICE_CALLS]]
    await asyncio.sleep(0)
    assert settled == [id(call) for call in calls]
    assert not _lost_calls._pending


async def test_a_few_calls_do_not_wait_behind_the_many_of_another_connection() -> None:
    settled: list[int] = []
    many, few = ([Call(settled, Counter()) for _ in range(slices * SLICE_CALLS)] for slices in (9, 1))
    lose(many)
    lose(few)
    assert settled == [id(call) for call in (*many[:SLICE_CALLS], *few)]
    await settle()
    assert len(settled) == 10 * SLICE_CALLS


async def test_connections_take_turns() -> None:
    settled: list[int] = []
    one, other = ([Call(settled, Counter()) for _ in range(slices * SLICE_CALLS)] for slices in (4, 2))
    lose(one)
    lose(other)
    turns = [(one, 0), (other, 0), (one, 1), (other, 1), (one, 2), (one, 3)]
    for number in range(2, 7):
        expected = [call for calls, index in turns[:number] for call in calls[SLICE_CALLS * index :][:SLICE_CALLS]]
        assert settled == [id(call) for call in expected]
        await asyncio.sleep(0)
    assert not _lost_calls._pending


async def test_calls_that_had_ended_are_left_alone() -> None:
    settled: list[int] = []
    ends: Counter[End] = Counter()
    calls = [Call(settled, ends) for _ in range(3)]
    calls[1].ended = True
    lose(calls)
    assert settled == [id(calls[0]), id(calls[2])]
    assert ends == {End.CONNECTION_LOST: 2}
    lose(calls)
    assert len(settled) == 2


@pytest.mark.parametrize("count", [3, 3 * SLICE_CALLS])
async def test_a_mistake_with_one_is_told_and_the_others_are_settled(count: int) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    settled: list[int] = []
    calls = [Call(settled, Counter(), fails=number == 1) for number in range(count)]
    lose(calls)
    await settle()
    assert len(settled) == count
    assert [str(context["exception"]) for context in told] == ["a mistake"]


async def test_the_loops_own_end_leaves_nothing_for_later() -> None:
    settled: list[int] = []
    lose([Call(settled, Counter()) for _ in range(3 * SLICE_CALLS)], End.EXITED)
    assert len(settled) == 3 * SLICE_CALLS
    assert not _lost_calls._pending


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_end_of_the_loop_settles_what_is_left(new_loop: Any) -> None:
    settled: list[int] = []

    async def main() -> None:
        lose([Call(settled, Counter()) for _ in range(50 * SLICE_CALLS)])

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
        assert len(settled) < 50 * SLICE_CALLS
    assert len(settled) == 50 * SLICE_CALLS
    assert not _lost_calls._pending


async def settle_all(is_done: Callable[[], bool]) -> None:
    """Let the loop run until a crowd has come to rest, which takes more turns than `settle` waits for on uvloop."""
    for _ in range(1000):
        if is_done():
            return
        await settle()
    pytest.fail("it did not come to rest")


def test_a_loop_that_was_closed_without_a_word_is_forgotten() -> None:
    async def main(count: int) -> None:
        lose([Call([], Counter()) for _ in range(count)])

    forgotten, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    forgotten.run_until_complete(main(50 * SLICE_CALLS))
    forgotten.close()
    assert list(_lost_calls._pending) == [forgotten]
    other.run_until_complete(main(50 * SLICE_CALLS))
    assert list(_lost_calls._pending) == [other]
    other.run_until_complete(other.shutdown_asyncgens())
    other.close()
    assert not _lost_calls._pending


# With real calls.


class Crowd:
    """Many calls on one connection, each with a message that nobody took, and a neighbour on another one."""

    def __init__(self) -> None:
        self.server = Server([], limits=LIMITS, admission=ADMISSION, fallback=self.serve)
        self.channel, self.neighbour = MemoryChannel(self.server), MemoryChannel(self.server)
        self.calls: list[BothStreamCall[bytes, bytes]] = []
        self.streams: list[ServerStream[bytes, bytes]] = []
        self.handlers_left = 0
        self.callers: list[asyncio.Task[None]] = []
        self.may_go = asyncio.Event()

    @property
    def callers_left(self) -> int:
        return sum(caller.done() for caller in self.callers)

    async def serve(self, stream: ServerStream[bytes, bytes]) -> None:
        """Wait, or answer the neighbour."""
        if stream.method == "/neighbour":
            await stream.send(b"answer")
            return
        self.streams.append(stream)
        try:
            await self.may_go.wait()
        finally:
            self.handlers_left += 1

    async def call(self) -> None:
        async with self.channel.stream("/crowd") as stream:
            self.calls.append(stream)
            await stream.send(b"before")
            with pytest.raises(Unavailable):
                await stream.receive()

    async def ask(self) -> bytes:
        async with self.neighbour.stream("/neighbour") as stream:
            return await stream.receive()


@asynccontextmanager
async def crowd(count: int = MANY) -> AsyncIterator[Crowd]:
    many = Crowd()
    async with many.channel, many.neighbour:
        assert await many.ask() == b"answer"
        many.callers = [asyncio.create_task(many.call()) for _ in range(count)]
        await settle_all(lambda: len(many.streams) == count and all(stream._held_bytes for stream in many.streams))
        yield many
        await asyncio.wait(many.callers)
        for caller in many.callers:
            caller.result()
    await many.server.stop(0)


@pytest.mark.loops
async def test_a_server_serves_others_before_the_last_call_of_a_lost_connection_is_settled() -> None:
    async with crowd() as many:
        many.channel.wires[1].lose()
        assert {stream.end for stream in many.streams} == {End.CONNECTION_LOST}
        statistics = many.server.statistics()
        assert (statistics.calls_open, statistics.stragglers_open) == (0, MANY)
        assert statistics.ends[End.CONNECTION_LOST] == MANY
        assert await many.ask() == b"answer"
        assert 0 < many.handlers_left < MANY
        await settle_all(lambda: many.handlers_left == MANY)
        await settle()
        assert many.server.statistics().ends[End.CONNECTION_LOST] == MANY
        assert many.server.statistics().is_idle
        assert not many.server._core.gone
        assert many.server._core.gatekeeper.calls.taken == 0


@pytest.mark.loops
async def test_a_client_hears_others_before_the_last_caller_of_a_lost_connection_is_woken() -> None:
    async with crowd() as many:
        many.channel.wires[0].lose()
        assert many.channel.statistics().calls_open == 0
        assert many.channel.statistics().ends[End.CONNECTION_LOST] == MANY
        assert list(many.channel.streams()) == []
        assert await many.ask() == b"answer"
        assert 0 < many.callers_left < MANY


async def test_a_call_whose_turn_has_not_come_gives_what_had_come_and_then_its_end() -> None:
    async with crowd(3 * SLICE_CALLS) as many:
        many.channel.wires[1].lose()
        stream = next(stream for stream in many.streams if stream._life.name == "running")
        assert await stream.receive() == b"before"
        with pytest.raises(Cancelled):
            await stream.receive()
        with pytest.raises(Cancelled):
            stream.send_nowait(b"after")
        stream.cancel()
        assert stream.end is End.CONNECTION_LOST
        assert stream._life.name == "running"


async def test_handlers_that_return_before_their_turn_are_released_once() -> None:
    async with crowd(4 * SLICE_CALLS) as many:
        many.may_go.set()
        many.channel.wires[1].lose()
        await settle()
        assert many.handlers_left == 4 * SLICE_CALLS
        assert {stream._life.name for stream in many.streams} == {"released"}
        assert many.server.statistics().ends[End.CONNECTION_LOST] == 4 * SLICE_CALLS
        assert many.server.statistics().is_idle


async def test_a_look_at_a_call_whose_turn_has_not_come_shows_it_as_ended() -> None:
    async with crowd(3 * SLICE_CALLS) as many:
        many.channel.wires[1].lose()
        assert {each.state for each in many.server.streams(method="/crowd")} <= {"bereft", "cancelling"}


async def test_a_block_that_is_left_before_its_turn_is_left_as_any_other() -> None:
    async with crowd() as many:
        many.channel.wires[0].lose()
        last: Any = _lost_calls._pending[asyncio.get_running_loop()].calls[-1][-1]
        caller = many.callers.pop(many.calls.index(last))
        caller.cancel()
        await asyncio.wait([caller])
        assert (last.end, last._life.name) == (End.CONNECTION_LOST, "left")
        assert any(call._life.name == "open" for call in many.calls)
        assert many.channel.statistics().ends[End.CONNECTION_LOST] == MANY


async def test_closing_a_channel_settles_what_is_left() -> None:
    async with crowd() as many:
        many.channel.wires[0].lose()
        assert any(stream._life.name == "open" for stream in many.calls)
        await many.channel.close()
        assert not any(stream._life.name == "open" for stream in many.calls)
