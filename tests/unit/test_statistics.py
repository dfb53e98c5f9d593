"""Numbers for dashboards: what is open, what was counted, and that both fit."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import threading
from collections import Counter
from typing import Any

import pytest

from penstock import (
    Admission,
    Channel,
    End,
    Limits,
    ResourceExhausted,
    RpcError,
    Server,
    ServerStream,
    Waiting,
    testing,
)
from penstock._server_connection import ServerConnection
from penstock.testing import ManualClock
from tests.protos.echo_penstock import EchoClient
from tests.unit.echo import NOTE, Blocking, Echo, echoing
from tests.unit.echo import Waiting as WaitingService
from tests.unit.memory import attach, both_ends, connected, equipment, one_cleans_up, settle
from tests.wire.frames import PREFACE, Peer

PATH = "/test.Service/Method"


async def test_a_server_and_a_channel_that_did_nothing_have_nothing_to_tell() -> None:
    for idle in (Server([Echo()]).statistics(), Channel("localhost:1").statistics()):
        assert idle.is_idle
        assert set(idle.ends) == set(idle.connection_ends) == set(End)
        assert not any(number for number in idle.to_dict().values() if isinstance(number, int))
        assert idle.calls_ended == 0


async def test_a_call_is_open_and_then_has_an_end_on_both_sides() -> None:
    async with both_ends() as ends:
        channel, server = ends.channel, ends.channel.server
        for now in (channel.statistics(), server.statistics()):
            assert (now.calls_begun, now.calls_open, now.calls_ended) == (1, 1, 0)
            assert (now.connections_made, now.connections_open) == (1, 1)
            assert now.bytes_received > 0
            assert not now.is_idle
        assert channel.statistics().bytes_sent == server.statistics().bytes_received
    await settle()
    for now in (channel.statistics(), server.statistics()):
        assert (now.calls_begun, now.calls_open, now.calls_ended) == (1, 0, 1)
        assert now.is_idle
    assert channel.statistics().ends[End.LEFT] == 1


async def test_what_a_connection_counted_stays_when_it_is_gone() -> None:
    async with connected(Echo()) as channel:
        await channel.ready()
        before = channel.server.statistics()
    after = channel.server.statistics()
    assert (before.connections_open, after.connections_open) == (1, 0)
    assert after.connections_made == 1
    assert after.bytes_received >= before.bytes_received > 0
    assert after.bytes_sent >= before.bytes_sent > 0
    assert sum(after.connection_ends.values()) == 1
    of_channel = channel.statistics()
    assert (of_channel.connections_open, sum(of_channel.connection_ends.values())) == (0, 1)


async def test_a_connection_that_ends_in_order_is_closed_and_one_that_breaks_is_lost() -> None:
    async with connected(Echo()) as channel:
        await channel.ready()
        channel.wires[0].lose(ConnectionResetError("reset"))
        await settle()
        await channel.ready()
    ends = channel.server.statistics().connection_ends
    assert {end: count for end, count in ends.items() if count} == {End.CLOSED: 2}
    assert channel.statistics().connection_ends[End.CONNECTION_LOST] == 1


@pytest.mark.parametrize(
    ("said", "end"),
    [(b"GET / HTTP/1.1\r\n\r\n", End.BROKEN), (b"PRI * HTTP", End.LIMIT)],
    ids=["foreign", "too late"],
)
async def test_a_client_that_never_became_one_is_counted_for_what_it_did(said: bytes, end: End) -> None:
    server = Server([Echo()], limits=Limits(handshake_timeout_seconds=0.01))
    connection = ServerConnection(server._core, equipment(server))
    attach(connection).arrive(said)
    await connection.ended
    ends = server.statistics().connection_ends
    assert {end: count for end, count in ends.items() if count} == {end: 1}
    await server.stop(0)


async def test_a_connection_that_a_stop_cut_is_drained() -> None:
    server = Server([Echo()])
    connection = ServerConnection(server._core, equipment(server))
    client = Peer()
    attach(connection).arrive(PREFACE + client.settings())
    await settle()
    await server.stop(0)  # its client answers no GOAWAY
    ends = server.statistics().connection_ends
    assert {end: count for end, count in ends.items() if count} == {End.DRAINED: 1}


async def test_a_handler_that_goes_on_after_the_end_is_counted() -> None:
    async with one_cleans_up() as (channel, go_on):
        now = channel.server.statistics()
        assert (now.calls_open, now.stragglers_open, now.calls_ended) == (0, 1, 1)
        assert not now.is_idle
        go_on.set()
        await settle()
        assert channel.server.statistics().is_idle


async def test_a_handler_that_nobody_waits_for_any_more_is_counted_as_long_as_it_runs() -> None:
    go_on = asyncio.Event()

    async def stubborn(stream: ServerStream[bytes, bytes]) -> None:
        del stream
        try:
            await asyncio.Event().wait()
        finally:
            await go_on.wait()

    clock = ManualClock()
    async with clock, connected(fallback=stubborn) as channel:
        async with channel.stream(PATH):
            await settle()
        await clock.advance(10.0)
        (live,) = channel.server.streams()
        assert (live.state, live.waits_for) == ("detached", Waiting.DETACHED)
        now = channel.server.statistics()
        assert (now.calls_open, now.stragglers_open, now.detached_open, now.detached) == (0, 1, 1, 1)
        assert not now.is_idle
        go_on.set()
        await settle()
        now = channel.server.statistics()
        assert (now.stragglers_open, now.detached_open, now.detached) == (0, 0, 1)
        assert now.is_idle


async def test_threads_and_what_waits_for_one_are_counted() -> None:
    service = Blocking()
    async with echoing(service, server_limits=Limits(max_sync_threads=1)) as (client, channel):
        calls = [asyncio.ensure_future(client.unary(NOTE)) for _ in range(3)]
        await settle()
        now = channel.server.statistics()
        assert (now.threads_open, now.thread_waits_open) == (1, 2)
        service.go_on.set()
        await asyncio.gather(*calls)
        now = channel.server.statistics()
        assert (now.threads_open, now.thread_waits_open) == (1, 0)


async def test_a_call_that_is_not_sent_yet_is_open() -> None:
    async with connected(Echo()) as channel:
        channel.failures.append(OSError("not now"))
        call = asyncio.ensure_future(channel.stream(PATH, wait_for_ready=True).__aenter__())
        await settle()
        now = channel.statistics()
        assert (now.calls_begun, now.calls_open, now.unsent_open) == (1, 1, 1)
        assert not now.is_idle
        call.cancel()
        await settle()
        after = channel.statistics()
        assert after.is_idle
        assert after.ends[End.TASK_CANCELLED] == 1


async def test_a_call_that_was_given_up_before_it_began_is_counted_once() -> None:
    async with connected(Echo()) as channel:
        call = channel.stream(PATH)
        call.cancel()
        assert channel.statistics().calls_begun == channel.statistics().calls_ended == 1
        with pytest.raises(RpcError):
            await call.__aenter__()
        assert channel.statistics().calls_begun == channel.statistics().calls_ended == 1


async def test_refused_calls_have_begun_and_ended_and_say_at_which_limit() -> None:
    server = Server([WaitingService()], admission=Admission(max_calls=1, unary_share=0))
    async with testing.connected(server=server) as channel:
        client = EchoClient(channel)
        first = asyncio.ensure_future(client.unary(NOTE))
        await settle()
        with pytest.raises(ResourceExhausted):
            await client.unary(NOTE)
        now = server.statistics()
        assert now.refusals == {"max_calls": 1}
        assert (now.calls_begun, now.calls_open, now.ends[End.REFUSED]) == (2, 1, 1)
        first.cancel()


async def test_each_connection_can_be_looked_at() -> None:
    async with both_ends() as ends:
        (of_client,) = ends.channel.connection_statistics()
        (of_server,) = ends.channel.server.connection_statistics(peer="memory:")
        assert (of_client.peer, of_server.peer) == (ends.client.peer, ends.server.peer)
        for connection in (of_client, of_server):
            assert connection.calls_open == 1
            assert connection.bytes_received > 0
            assert connection.bytes_sent > 0
            assert 0 <= connection.idle_seconds <= connection.age_seconds
        assert not [*ends.channel.server.connection_statistics(peer="elsewhere:")]
    assert not [*ends.channel.connection_statistics()]


async def test_everything_can_be_said_in_json_and_nothing_can_be_changed() -> None:
    async with both_ends() as ends:
        server = ends.channel.server
        pictures = [
            server.statistics(),
            ends.channel.statistics(),
            *server.connection_statistics(),
        ]
    for picture in pictures:
        said = json.loads(json.dumps(picture.to_dict()))
        assert set(said) == {field.name for field in dataclasses.fields(picture)}
        change: Any = picture
        with pytest.raises(AttributeError):
            change.bytes_received = 0
    counted = server.statistics().to_dict()["ends"]
    assert isinstance(counted, dict)
    assert counted.keys() == {end.value for end in End}
    counts: Any = server.statistics().ends
    with pytest.raises(TypeError):
        counts[End.LEFT] = 0


async def test_another_thread_may_look_while_calls_come_and_go() -> None:
    over, looks, failures = threading.Event(), Counter[str](), list[Exception]()

    def look() -> None:
        while not over.is_set():
            try:
                for _ in range(50):
                    server.statistics()
                    channel.statistics()
                looks["streams"] += len([*server.streams(), *channel.streams()])
                looks["connections"] += len([*server.connection_statistics(), *channel.connection_statistics()])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                failures.append(error)
                return

    async def read(stream: ServerStream[bytes, bytes]) -> None:
        async for _ in stream:
            pass

    async def come_and_go() -> None:
        while not failures and looks["streams"] < 10_000:
            async with channel.stream("/test.Service/Method") as call:
                await call.send(b"x")
                await asyncio.sleep(0)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    async with connected(fallback=read) as channel:
        server, thread = channel.server, threading.Thread(target=look)
        thread.start()
        try:
            await asyncio.gather(*(come_and_go() for _ in range(100)))
        finally:
            over.set()
            thread.join()
            sys.setswitchinterval(before)
    assert not failures
    assert looks["connections"]


def test_a_channel_without_a_connection_has_none_to_look_at() -> None:
    assert [*Channel("localhost:1").connection_statistics()] == []
