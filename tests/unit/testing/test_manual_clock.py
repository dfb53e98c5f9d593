"""Does time pass when it is told to, only then, and in the right order?"""

import asyncio
import contextvars
import threading
import time

import pytest

from penstock import (
    Channel,
    DeadlineExceeded,
    End,
    ServerCall,
    ServerStream,
    Unavailable,
    UsageError,
    _engine,
    _timers,
)
from penstock.keepalive import ClientKeepalive
from penstock.testing import connected, settle
from penstock.testing.manual_clock import ManualClock
from tests.e2e.support import Echo, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient

pytestmark = pytest.mark.loops

HOUR = 3600.0


async def test_time_stands_still_until_it_is_advanced() -> None:
    loop = asyncio.get_running_loop()
    async with ManualClock() as clock:
        began = loop.time()
        await settle()
        assert (loop.time(), clock.elapsed_seconds) == (began, 0)
        await clock.advance(HOUR)
        assert clock.elapsed_seconds == pytest.approx(HOUR)
        assert loop.time() == began + clock.elapsed_seconds
    assert abs(loop.time() - began) < HOUR


async def test_sleeps_end_in_their_order_each_at_its_own_time() -> None:
    loop = asyncio.get_running_loop()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await asyncio.sleep(nap)  # manual time
            woken.append((name, round(clock.elapsed_seconds, 6)))

    with ManualClock() as clock:
        tasks = [loop.create_task(sleeper("a", 3, 3)), loop.create_task(sleeper("b", 1, 4, 1))]
        await clock.advance(5.5)
        assert woken == [("b", 1), ("a", 3), ("b", 5)]
        await clock.advance(0.5)
        assert woken[3:] == [("a", 6), ("b", 6)]
        assert all(task.done() for task in tasks)


async def test_what_a_timer_leads_to_is_done_before_the_next_timer() -> None:
    seen: list[str] = []
    event = asyncio.Event()

    async def follower() -> None:
        await event.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        seen.append("follower")

    with ManualClock() as clock:
        task = asyncio.ensure_future(follower())
        loop = asyncio.get_running_loop()
        loop.call_later(1, event.set)
        loop.call_later(1.001, seen.append, "second timer")
        await clock.advance(2)
        assert seen == ["follower", "second timer"]
        await task


@pytest.mark.parametrize(("seconds", "expired"), [(0.299, False), (0.3, True), (0.301, True)])
async def test_a_timeout_expires_when_it_is_due(seconds: float, expired: bool) -> None:
    async def waits() -> bool:
        try:
            async with asyncio.timeout(0.3):
                await asyncio.Event().wait()
        except TimeoutError:
            return True
        raise AssertionError

    with ManualClock() as clock:
        task = asyncio.ensure_future(waits())
        await clock.advance(0.1)
        await clock.advance(seconds - 0.1)
        assert task.done() is expired
        task.cancel()
        await asyncio.wait([task])


async def test_a_timer_that_is_due_already_needs_no_time() -> None:
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    with ManualClock():
        loop.call_later(0, seen.append, 1)
        loop.call_later(-1, seen.append, 2)
        loop.call_at(loop.time(), seen.append, 3)
        await settle()
    assert seen == [1, 2, 3]


async def test_a_cancelled_timer_does_not_run() -> None:
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    with ManualClock() as clock:
        first, second = loop.call_later(1, seen.append, 1), loop.call_later(2, seen.append, 2)
        loop.call_later(2, seen.append, 3)
        first.cancel()
        assert clock.next_timer_seconds == pytest.approx(2)
        loop.call_later(2, second.cancel)
        loop.call_later(1.5, second.cancel)
        assert first.cancelled()
        await clock.advance(3)
        assert clock.next_timer_seconds is None
    assert seen == [3]


async def test_a_timer_runs_in_its_context() -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")
    seen: list[str] = []
    with ManualClock() as clock:
        loop = asyncio.get_running_loop()
        loop.call_later(1, lambda: seen.append(variable.get()), context=context)
        loop.call_later(1, lambda: seen.append(variable.get()))
        await clock.advance(1)
    assert seen == ["inside", "outside"]


async def test_a_timer_that_fails_is_told_to_the_loop(left_behind: list[str]) -> None:
    def fail() -> None:
        raise ValueError

    with ManualClock() as clock:
        asyncio.get_running_loop().call_later(1, fail)
        await clock.advance(1)
    assert len(left_behind) == 1
    assert "ValueError" in left_behind.pop()


async def test_timers_that_are_left_run_on_real_time() -> None:
    loop = asyncio.get_running_loop()
    done, late = asyncio.Event(), asyncio.Event()
    with ManualClock() as clock:
        await clock.advance(HOUR)
        loop.call_later(0.01, done.set)
        timer = loop.call_later(HOUR, late.set)
        loop.call_later(0.01, late.set).cancel()
    await within_bound(done.wait())
    assert not late.is_set()
    timer.cancel()


async def test_timers_that_were_set_before_keep_to_real_time() -> None:
    loop = asyncio.get_running_loop()
    early, late = asyncio.Event(), asyncio.Event()
    loop.call_later(0.01, early.set)
    timer = loop.call_later(HOUR / 2, late.set)
    with ManualClock() as clock:
        await clock.advance(HOUR)
        assert not late.is_set()
        await early.wait()
        assert clock.elapsed_seconds == pytest.approx(HOUR)
    timer.cancel()


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", None])
async def test_only_seconds_from_zero_can_pass(seconds: float) -> None:
    with ManualClock() as clock:
        with pytest.raises(UsageError, match="seconds from 0"):
            await clock.advance(seconds)


async def test_one_clock_at_a_time_advanced_by_one_task() -> None:
    with ManualClock() as clock:
        with pytest.raises(UsageError, match="another ManualClock"), ManualClock():
            pass
        advancing = asyncio.ensure_future(clock.advance(1))
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="another task"):
            await clock.advance(1)
        await advancing
    with pytest.raises(UsageError, match="not in use"):
        await clock.advance(1)
    with clock:
        assert clock.elapsed_seconds == 0


async def test_the_engine_has_the_same_time_and_the_real_one_afterwards() -> None:
    with ManualClock() as clock:
        began = _engine.now()
        await clock.advance(HOUR)
        assert _engine.now() - began == pytest.approx(HOUR)
        assert _timers.COARSEST_SECONDS < 1e-6
    assert _engine.now() == pytest.approx(time.monotonic(), abs=10)
    assert (_timers.COARSEST_SECONDS, _timers.LONG_SECONDS) == (1 / 32, 2.0)


@pytest.mark.parametrize(("seconds", "expired"), [(9.999, False), (10, True)])
async def test_a_deadline_comes_when_it_is_due_on_both_sides(seconds: float, expired: bool) -> None:
    ended: list[float] = []

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        try:
            await asyncio.sleep(HOUR)  # manual time
        except asyncio.CancelledError:
            ended.append(clock.elapsed_seconds)
            raise

    clock = ManualClock()
    async with connected(fallback=handler, clock=clock) as channel:
        async with channel.stream("/a.B/C", timeout=10) as stream:
            receiving = asyncio.ensure_future(stream.receive())
            await clock.advance(seconds)
            assert receiving.done() is expired
            if expired:
                with pytest.raises(DeadlineExceeded):
                    await receiving
                assert ended == [pytest.approx(10, abs=1e-5)]
            else:
                receiving.cancel()
                await asyncio.wait([receiving])


async def test_a_handler_sleeps_for_hours_in_no_time() -> None:
    async def ticks(request: Note, stream: ServerStream[Note, Note]) -> None:
        for number in range(request.number):
            await stream.send(Note(number=number))
            await asyncio.sleep(HOUR)  # manual time

    clock, numbers = ManualClock(), []

    async def read(client: EchoClient) -> None:
        async with client.server_stream(Note(number=24)) as replies:
            async for reply in replies:
                numbers.append((reply.number, round(clock.elapsed_seconds / HOUR)))

    async with connected(Echo(server_stream=ticks), clock=clock) as channel:
        reading = asyncio.ensure_future(read(EchoClient(channel)))
        await clock.advance(24 * HOUR)
        await reading
    assert numbers == [(number, number) for number in range(24)]


async def test_keepalive_finds_a_silent_server_when_its_time_has_passed() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await asyncio.Event().wait()

    clock, keepalive = ManualClock(), ClientKeepalive(time_seconds=60, timeout_seconds=20)
    async with connected(fallback=handler, clock=clock, keepalive=keepalive) as channel:
        async with channel.stream("/a.B/C") as stream:
            receiving = asyncio.ensure_future(stream.receive())
            await clock.advance(HOUR)
            assert not receiving.done()
            channel.links[0].go_silent()
            await clock.advance(60 + 20 + 0.1)
            with pytest.raises(Unavailable):
                await receiving
        assert stream.end is End.PEER_SILENT


async def test_a_handler_in_a_thread_has_the_same_time_left() -> None:
    entered, may_answer = threading.Event(), threading.Event()

    class Asking(EchoBase):
        def unary(self, request: Note, call: ServerCall) -> Note:
            entered.set()
            may_answer.wait()
            assert call.time_remaining is not None
            return Note(number=round(call.time_remaining))

    clock = ManualClock()
    async with connected(Asking(), clock=clock) as channel:
        call = asyncio.ensure_future(answer(channel))
        await asyncio.to_thread(entered.wait)
        await clock.advance(4)
        may_answer.set()
        assert (await call).number == 6


async def answer(channel: Channel) -> Note:
    return await EchoClient(channel).unary(Note(), timeout=10)


async def test_the_age_of_a_stream_follows_it() -> None:
    clock = ManualClock()
    async with connected(Echo(), clock=clock) as channel:
        async with EchoClient(channel).both_stream():
            await clock.advance(HOUR)
            (theirs,), (ours,) = channel.server.streams(), channel.streams()
            assert [theirs.age_seconds, ours.age_seconds] == pytest.approx([HOUR, HOUR])


async def test_pauses_between_attempts_to_connect_follow_it() -> None:
    clock = ManualClock()
    async with connected(Echo(), clock=clock) as channel:
        channel.failures.extend(ConnectionRefusedError("refused") for _ in range(20))
        call = asyncio.ensure_future(channel.ready())
        await clock.advance(60)
        assert not call.done()
        await clock.advance(HOUR)
        assert call.done()


async def test_sockets_work_while_time_stands_still() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    with ManualClock():
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()
    listener.close()
    await listener.wait_closed()


def test_it_is_entered_inside_a_loop() -> None:
    with pytest.raises(UsageError, match="inside a running event loop"), ManualClock():
        pass
