"""Clients that take nothing of what is queued for them, on a clock the test moves."""

from __future__ import annotations

import pytest

from penstock import End, Limits, RpcError, ServerStream, StatusCode
from penstock.testing import ManualClock
from tests.unit.memory import both_ends, connected, settle

PATH = "/test.Service/Method"
SHUT = Limits(stream_window_bytes=1024)


async def test_a_client_that_takes_nothing_is_left_in_time_and_a_quarter() -> None:
    async with ManualClock() as clock, both_ends(limits=SHUT) as ends:
        await ends.server.send(bytes(5000))
        await settle()
        await clock.advance(299)
        assert ends.server.end is None
        await clock.advance(80)
        assert ends.server.end is End.SEND_STALLED
        with pytest.raises(RpcError, match="nothing that is queued was taken for 300 s") as caught:
            await ends.client.receive()
        assert caught.value.code == StatusCode.RESOURCE_EXHAUSTED


async def test_one_byte_is_progress() -> None:
    async with ManualClock() as clock, both_ends(limits=SHUT) as ends:
        for _ in range(6):
            await ends.server.send(bytes(900))
        for _ in range(6):
            await settle()
            await clock.advance(250)
            await ends.client.receive()
        assert ends.server.end is None


async def test_a_status_behind_messages_that_are_not_taken_waits_no_longer() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send(bytes(5000))

    limits = Limits(send_stalled_timeout_seconds=4)
    async with ManualClock() as clock, connected(fallback=handler, limits=SHUT, server_limits=limits) as channel:
        async with channel.stream(PATH):
            await settle()
            assert channel.server._core.gatekeeper.calls.taken == 1
            await clock.advance(5.5)
            assert channel.server._core.ends[End.SEND_STALLED] == 1
            assert channel.server._core.gatekeeper.calls.taken == 0


async def test_a_stream_with_nothing_queued_waits_as_long_as_it_likes() -> None:
    async with ManualClock() as clock, both_ends() as ends:
        await ends.server.send(b"taken")
        await settle()
        await clock.advance(10_000)
        assert ends.server.end is None
