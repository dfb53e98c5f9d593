"""A server sends clients away that are old, or unused: gently, and their calls go on."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

import penstock
from penstock import End, Limits, testing
from penstock.keepalive import ServerKeepalive
from penstock.testing import ManualClock
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


class Draining:
    """A handler of both ways that says when it is asked to finish, and finishes when its client does."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def __call__(self, stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send(Note(text="begun"))
        await stream.draining.wait()
        self.heard.set()
        async for note in stream:
            await stream.send(note)


def newest(pair: Any) -> Any:
    return pair.channel._connector.newest


@pytest.mark.wire("W34")
async def test_an_old_connection_is_sent_away_and_its_streams_finish() -> None:
    handler = Draining()
    limits = Limits(max_connection_age_seconds=0.2)
    async with connected(Echo(both_stream=handler), server_limits=limits) as pair:
        async with pair.client.both_stream() as stream:
            await within_bound(stream.receive())
            old = newest(pair)
            await within_bound(handler.heard.wait())
            await within_bound(stream.draining.wait())
            assert "max_age" in old.reason
            await stream.send(Note(number=1))
            assert (await within_bound(stream.receive())).number == 1
            # A new call goes over another connection, while the old one finishes.
            assert (await pair.client.unary(Note(number=2), timeout=10)).number == 2
            assert newest(pair) is not old
            await stream.end_sending()
            with pytest.raises(penstock.EndOfStream):
                await within_bound(stream.receive())
        await within_bound(asyncio.shield(old.ended))
        assert pair.server._core.ends[End.DRAINED] == 0


async def test_a_server_may_stop_while_a_connection_comes_to_its_age() -> None:
    handler = Draining()
    async with (
        connected(Echo(both_stream=handler), server_limits=Limits(max_connection_age_seconds=0.1)) as pair,
        pair.client.both_stream() as stream,
    ):
        await within_bound(stream.receive())
        await within_bound(handler.heard.wait())
        stopping = asyncio.ensure_future(pair.server.stop(20))
        await stream.send(Note(number=1))
        assert (await within_bound(stream.receive())).number == 1
        await stream.end_sending()
        with pytest.raises(penstock.EndOfStream):
            await within_bound(stream.receive())
        assert await within_bound(stopping) == penstock.StopReport(finished=1, cancelled=(), stuck=())


@pytest.mark.wire("W34")
async def test_what_is_open_after_the_grace_ends_with_unavailable() -> None:
    limits = Limits(max_connection_age_seconds=0.1, max_connection_age_grace_seconds=0.1)
    async with connected(Echo(both_stream=Draining()), server_limits=limits) as pair:
        async with pair.client.both_stream() as stream:
            await within_bound(stream.receive())
            with pytest.raises(penstock.Unavailable, match="come to its age"):
                await within_bound(stream.receive())
        await until(lambda: pair.server._core.ends[End.DRAINED] == 1)


@pytest.mark.wire("W34")
async def test_an_unused_connection_is_sent_away_and_one_in_use_is_not() -> None:
    limits = Limits(max_connection_idle_seconds=0.1)
    async with connected(Echo(), server_limits=limits) as pair:
        async with pair.client.both_stream() as stream:
            used = newest(pair)
            for number in range(3):
                await asyncio.sleep(0.15)  # real time: longer than the connection may stand unused
                await stream.send(Note(number=number))
                assert (await within_bound(stream.receive())).number == number
            assert newest(pair) is used
            assert not used.draining.is_set()
        await within_bound(asyncio.shield(used.ended))
        assert "max_idle" in used.reason
        assert (await pair.client.unary(Note(number=5), timeout=10)).number == 5


async def waiting(stream: penstock.ServerStream[bytes, bytes]) -> None:
    """A handler without an end."""
    del stream
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("seconds", "limits"),
    [
        (11, Limits(max_connection_age_seconds=10, max_connection_age_grace_seconds=1e-3)),
        (
            2,
            Limits(
                max_connection_idle_seconds=1,
                max_connection_age_seconds=10,
                max_connection_age_grace_seconds=1,
            ),
        ),
    ],
    ids=["max_age and its grace", "max_idle"],
)
async def test_a_call_that_comes_when_its_connection_was_sent_away_is_bounded_as_others_are(
    seconds: float, limits: Limits
) -> None:
    clock = ManualClock()
    never = ServerKeepalive(time_seconds=math.inf)
    server = penstock.Server([], fallback=waiting, limits=limits, keepalive=never)
    async with testing.connected(server=server, clock=clock) as channel:
        await channel.ready()
        (link,) = channel.links
        link.client.go_silent()
        await clock.advance(seconds)
        async with channel.stream("/a.B/C") as stream:  # before its client hears of the GOAWAY
            await stream.send(b"")
            await clock.advance(0.01)
            link.client.come_back()
            await clock.advance(30)
            assert stream.status is not None
            assert stream.status.code is penstock.StatusCode.UNAVAILABLE
        assert not server._core.connections
