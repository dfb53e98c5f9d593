"""How long a call may be without messages: by limits, by options, by the call itself; on a clock the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import pytest

import penstock
from penstock import CallOptions, End, Limits, StatusCode
from penstock.testing import ManualClock
from tests.unit.memory import Ends, both_ends, connected, settle

SECONDS = ["first_message_timeout_seconds", "receive_idle_timeout_seconds", "send_idle_timeout_seconds"]
GRAIN = 0.01


@asynccontextmanager
async def timed(**options: Any) -> AsyncIterator[tuple[ManualClock, Ends]]:
    async with ManualClock() as clock, both_ends(**options) as ends:
        await settle()
        yield clock, ends


def ended(ends: Ends) -> tuple[End | None, End | None]:
    return ends.client.end, ends.server.end


@pytest.mark.parametrize("side", ["limits", "server_limits"])
async def test_the_first_message_has_its_time(side: str) -> None:
    async with timed(**{side: Limits(first_message_timeout_seconds=5)}) as (clock, ends):
        await clock.advance(5 - GRAIN)
        assert ended(ends) == (None, None)
        await clock.advance(2 * GRAIN)
        mine, peer = (ends.client, ends.server) if side == "limits" else (ends.server, ends.client)
        assert mine.end is End.FIRST_MESSAGE
        assert mine.status is not None
        assert mine.status.code == StatusCode.DEADLINE_EXCEEDED
        assert mine.status.message == "the first message did not come within 5 s"
        assert peer.end in {End.PEER_CANCELLED, End.RAISED}


async def test_a_first_message_that_came_in_time_is_all_that_was_asked_for() -> None:
    async with timed(server_limits=Limits(first_message_timeout_seconds=5)) as (clock, ends):
        await clock.advance(4)
        await ends.client.send(b"here")
        await clock.advance(1000)
        assert ended(ends) == (None, None)


@pytest.mark.parametrize("side", ["limits", "server_limits"])
async def test_a_stream_on_which_nothing_comes_ends(side: str) -> None:
    async with timed(**{side: Limits(receive_idle_timeout_seconds=5)}) as (clock, ends):
        mine, peer = (ends.client, ends.server) if side == "limits" else (ends.server, ends.client)
        for _ in range(5):
            await clock.advance(4)
            await peer.send(b"message")
            await settle()
            assert await mine.receive() == b"message"
        assert ended(ends) == (None, None)
        await clock.advance(5 - GRAIN)
        assert ended(ends) == (None, None)
        await clock.advance(2 * GRAIN)
        assert mine.end is End.RECEIVE_IDLE
        with pytest.raises(penstock.DeadlineExceeded, match="no message came for 5 s"):
            await mine.receive()


async def test_messages_that_wait_to_be_received_are_no_idleness_of_the_peer() -> None:
    async with timed(server_limits=Limits(receive_idle_timeout_seconds=5)) as (clock, ends):
        await ends.client.send(b"one")
        await settle()
        await clock.advance(100)
        assert ended(ends) == (None, None)
        assert await ends.server.receive() == b"one"
        await clock.advance(9)
        assert ended(ends) == (None, None) or ends.server.end is End.RECEIVE_IDLE
        await clock.advance(5)
        assert ends.server.end is End.RECEIVE_IDLE


async def test_a_peer_that_half_closed_need_not_send() -> None:
    async with timed(server_limits=Limits(receive_idle_timeout_seconds=5, first_message_timeout_seconds=5)) as (
        clock,
        ends,
    ):
        await ends.client.end_sending()
        await settle()
        await clock.advance(100)
        assert ended(ends) == (None, None)


@pytest.mark.parametrize("side", ["limits", "server_limits"])
async def test_a_side_that_sends_nothing_ends_the_call(side: str) -> None:
    async with timed(**{side: Limits(send_idle_timeout_seconds=5)}) as (clock, ends):
        mine = ends.client if side == "limits" else ends.server
        for _ in range(5):
            await clock.advance(4)
            await mine.send(b"message")
            await settle()
        assert ended(ends) == (None, None)
        await clock.advance(5 + GRAIN)
        assert mine.end is End.SEND_IDLE
        assert mine.status is not None
        assert mine.status.message == "no message was sent for 5 s"


async def test_a_side_that_half_closed_need_not_send() -> None:
    async with timed(limits=Limits(send_idle_timeout_seconds=5)) as (clock, ends):
        await ends.client.end_sending()
        await clock.advance(100)
        assert ended(ends) == (None, None)


async def test_what_waits_to_be_taken_is_no_idleness_of_this_side() -> None:
    async with timed(limits=Limits(send_idle_timeout_seconds=5), server_limits=Limits(stream_window_bytes=1024)) as (
        clock,
        ends,
    ):
        await ends.client.send(bytes(5000))
        await settle()
        await clock.advance(100)
        assert ended(ends) == (None, None)


@pytest.mark.parametrize("name", SECONDS)
async def test_options_of_a_call_take_the_place_of_limits(name: str) -> None:
    options = CallOptions(**{name: 2.0})  # type: ignore[arg-type]  # one of three floats
    async with timed(limits=Limits(**{name: 50}), options=options) as (clock, ends):
        await clock.advance(2 + GRAIN)
        assert ends.client.status is not None
        assert ends.client.status.code == StatusCode.DEADLINE_EXCEEDED
    async with timed(limits=Limits(**{name: 50}), options=CallOptions(**{name: inf})) as (clock, ends):  # type: ignore[arg-type]  # as above
        await clock.advance(1000)
        assert ended(ends) == (None, None)


@pytest.mark.parametrize("name", SECONDS)
async def test_a_call_can_choose_for_itself_on_either_side(name: str) -> None:
    async with timed() as (clock, ends):
        for stream in (ends.client, ends.server):
            stream.set_message_timeouts(**{name: 5})
            stream.set_message_timeouts(**{name: inf})
        await clock.advance(100)
        assert ended(ends) == (None, None)
        ends.server.set_message_timeouts(**{name: 5})
        await clock.advance(100)
        assert ends.server.end is not None


async def test_an_interceptor_may_choose_before_the_call_is_on_the_wire() -> None:
    stuck = asyncio.Event()

    async def handler(stream: penstock.ServerStream[bytes, bytes]) -> None:
        await stuck.wait()

    async with ManualClock() as clock, connected(fallback=handler) as channel:
        call = channel.stream("/test.Service/Method")
        call.set_message_timeouts(first_message_timeout_seconds=5)
        async with call:
            await settle()
            await clock.advance(5 + GRAIN)
            assert call.end is End.FIRST_MESSAGE
        stuck.set()


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [0, -1, "5", True])
async def test_what_is_no_time_is_refused(name: str, value: Any) -> None:
    with pytest.raises(penstock.UsageError, match=name):
        CallOptions(**{name: value})
    with pytest.raises(penstock.UsageError, match=name):
        Limits(**{name: value})
    async with timed() as (_clock, ends):
        with pytest.raises(penstock.UsageError, match=name):
            ends.server.set_message_timeouts(**{name: value})


async def test_a_call_that_ended_is_timed_no_more() -> None:
    async with timed(limits=Limits(first_message_timeout_seconds=5)) as (clock, ends):
        ends.client.cancel()
        assert ends.client._message_watch is not None
        assert len(ends.client._channel._timers) == 0
        await clock.advance(100)
        assert ends.client.end is End.LEFT
