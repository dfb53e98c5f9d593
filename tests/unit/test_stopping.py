"""How a server stops: what becomes of the calls that are open, and what it reports."""

import asyncio

import pytest

from penstock import (
    Limits,
    OpenCall,
    RpcError,
    ServerStream,
    StatusCode,
    StopReport,
)
from penstock.testing import ManualClock
from tests.unit.memory import both_ends, connected, equipment, settle

PATH = "/test.Service/Method"
OPEN = OpenCall(PATH, "memory:1")


async def nothing(stream: ServerStream[bytes, bytes]) -> None:
    """A handler."""


async def test_stopping_without_calls_is_quick_and_harmless_when_repeated() -> None:
    async with connected(fallback=nothing) as channel:
        await channel.ready()
        one = channel.server
        for _ in range(2):
            assert await one.stop() == StopReport(finished=0, cancelled=(), stuck=())
        assert one._core.connections == set()


async def test_a_call_that_ends_within_the_grace_ends_well() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.draining.wait()
        await stream.send(b"the last")

    async with connected(fallback=handler) as channel, channel.stream(PATH) as call:
        await settle()
        report = await channel.server.stop(10)
        assert report == StopReport(finished=1, cancelled=(), stuck=())
        assert [message async for message in call] == [b"the last"]


async def test_a_call_that_does_not_end_within_the_grace_is_cancelled_and_reported() -> None:
    async with both_ends() as ends:
        report = await ends.channel.server.stop(0.001)
        assert report == StopReport(finished=0, cancelled=(OPEN,), stuck=())
        with pytest.raises(RpcError) as caught:
            await ends.client.receive()
        assert (caught.value.code, caught.value.message) == (StatusCode.UNAVAILABLE, "the server is shutting down")


async def test_without_grace_every_call_is_cancelled_at_once() -> None:
    async with both_ends() as ends:
        report = await ends.channel.server.stop(0)
        assert report.cancelled == (OPEN,)


async def test_a_handler_that_ignores_its_cancellation_is_reported_as_stuck(
    caplog: pytest.LogCaptureFixture,
) -> None:
    go_on = asyncio.Event()

    async def stubborn(_stream: ServerStream[bytes, bytes]) -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    limits = Limits(handler_cleanup_seconds=0.01)
    async with connected(fallback=stubborn, server_limits=limits) as channel, channel.stream(PATH):
        await settle()
        report = await channel.server.stop(0)
        assert report == StopReport(finished=0, cancelled=(OPEN,), stuck=(OPEN,))
        assert f"{PATH} from memory:1: the handler still runs" in caplog.text
        go_on.set()
        await settle()


async def test_a_client_that_never_answers_the_goaway_does_not_hold_up_the_stop() -> None:
    async with connected(fallback=nothing) as channel:
        await channel.ready()
        client, far = channel.wires
        client.hold()
        far.hold()
        assert await channel.server.stop(0) == StopReport(finished=0, cancelled=(), stuck=())
        assert channel.server._core.connections == set()


@pytest.mark.parametrize("whole", [True, False], ids=["server", "channel"])
async def test_who_closes_the_same_is_not_cancelled_with_another_who_does(whole: bool) -> None:
    clock = ManualClock()
    async with connected(fallback=nothing) as channel:
        await channel.ready()
        async with clock:
            for wire in channel.wires:
                wire.hold()  # neither side reads: after a second each is cut off
            first, second = (asyncio.ensure_future(channel.server.stop(0) if whole else channel.close()) for _ in "12")

            async def cancel_first() -> None:
                await asyncio.sleep(1.0)  # manual time
                first.cancel()

            cancelling = asyncio.ensure_future(cancel_first())
            await clock.advance(2.0)
        await asyncio.gather(second, cancelling)
        assert first.cancelled()


async def test_a_connection_that_was_not_told_to_drain_is_waited_for_all_the_same() -> None:
    async with both_ends() as ends:
        (connection,) = ends.channel.server._core.connections
        finished = connection.until_finished()
        assert not finished.done()
        ends.client.cancel()
        await settle()
        assert finished.done()


async def test_stopping_leaves_no_deadline_behind() -> None:
    async with both_ends(timeout=60, server_limits=Limits()) as ends:
        one = ends.channel.server
        assert len(equipment(one).timers) == 1
        await one.stop(0)
        assert len(equipment(one).timers) == 0
