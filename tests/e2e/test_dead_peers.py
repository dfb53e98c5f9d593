"""A peer that is gone without a word is found, on either side, and everything that waited for it ends."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from typing import Any

import pytest

import penstock
from penstock import End, keepalive
from penstock.keepalive import ClientKeepalive, Pair, ServerKeepalive
from penstock.testing import BLACK_HOLE, CLEAR, STOPPED, FaultProxy
from tests.e2e.support import Echo, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

QUICK_CLIENT = ClientKeepalive(time_seconds=0.1, timeout_seconds=0.1)
QUICK_SERVER = ServerKeepalive(time_seconds=0.1, timeout_seconds=0.1, min_ping_interval_seconds=0.01)
NO_SERVER = ServerKeepalive(time_seconds=inf, min_ping_interval_seconds=0.01)
PAIRS = {name: pair for name in keepalive.__all__ if isinstance(pair := getattr(keepalive, name), Pair)}


@pytest.fixture(autouse=True)
def clients_may_ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "LEAST_SECONDS", 0.01)


class Waiting(Echo):
    """Its streams wait for what never comes."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: asyncio.Queue[penstock.ServerStream[Note, Note]] = asyncio.Queue()
        self.raised: list[BaseException] = []

    async def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_initial_metadata({})
        self.opened.put_nowait(stream)
        try:
            async for note in stream:
                await stream.send(note)
        except BaseException as error:
            self.raised.append(error)
            raise


@asynccontextmanager
async def proxied(
    client: ClientKeepalive, server: ServerKeepalive, **options: Any
) -> AsyncIterator[tuple[Waiting, penstock.Server, penstock.Channel, FaultProxy]]:
    service = Waiting()
    serving = penstock.Server([service], keepalive=server, limits=options.pop("limits", None))
    async with (
        serving.listening("127.0.0.1:0") as address,
        FaultProxy(address, **options) as proxy,
        penstock.Channel(proxy.address, keepalive=client) as channel,
    ):
        yield service, serving, channel, proxy


@pytest.mark.wire("W24", "W31")
async def test_a_client_finds_a_server_that_fell_silent() -> None:
    async with (
        proxied(QUICK_CLIENT, NO_SERVER) as (service, server, channel, proxy),
        EchoClient(channel).both_stream() as stream,
    ):
        await stream.initial_metadata()
        proxy.set_both(BLACK_HOLE)
        with pytest.raises(penstock.Unavailable, match=r"no answer to a PING within 0\.1 s"):
            await within_bound(stream.receive())
        assert stream.end is End.PEER_SILENT
        assert channel._connector is not None
        await until(lambda: not channel._connector or not channel._connector.connections)
        # The server knows nothing of it: neither end nor reset came through.
        handled = await service.opened.get()
        assert handled.status is None
        assert len(server._core.connections) == 1


@pytest.mark.wire("W24")
async def test_a_server_finds_a_client_that_fell_silent_and_ends_its_handlers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "penstock.server")
    async with (
        proxied(ClientKeepalive(), QUICK_SERVER) as (service, server, channel, proxy),
        EchoClient(channel).both_stream() as stream,
    ):
        handled = await within_bound(service.opened.get())
        await stream.initial_metadata()
        proxy.set_both(BLACK_HOLE)
        await until(lambda: service.raised)
        assert isinstance(service.raised[0], penstock.Cancelled)
        assert handled.end is End.PEER_SILENT
        await until(lambda: not server._core.connections)
        assert server._core.ends[End.PEER_SILENT] == 1
        await until(lambda: server._core.gatekeeper.calls.taken == 0)
        (line,) = [record.message for record in caplog.records if "silent" in record.message]
        assert line.endswith("the peer is silent: no answer to a PING within 0.1 s; closed")
        # The client, which asked for no keepalive, hopes on.
        assert stream.status is None


async def test_both_sides_find_it_and_a_new_call_works_when_the_line_is_back() -> None:
    async with proxied(QUICK_CLIENT, QUICK_SERVER) as (service, server, channel, proxy):
        client = EchoClient(channel)
        async with client.both_stream() as stream:
            await stream.initial_metadata()
            proxy.set_both(BLACK_HOLE)
            with pytest.raises(penstock.Unavailable):
                await within_bound(stream.receive())
            await until(lambda: service.raised)
        proxy.set_both(CLEAR)
        assert (await client.unary(Note(number=7), timeout=10, wait_for_ready=True)).number == 7
        await until(lambda: len(server._core.connections) == 1)


async def test_a_peer_that_answers_is_left_alone() -> None:
    async with (
        proxied(QUICK_CLIENT, QUICK_SERVER) as (service, server, channel, _proxy),
        EchoClient(channel).both_stream() as stream,
    ):
        await within_bound(service.opened.get())
        (connection,) = server._core.connections
        assert channel._connector is not None
        (ours,) = channel._connector.connections
        await until(lambda: connection.engine.pings_received >= 3 or ours.engine.pings_received >= 3)
        await stream.send(Note(number=1))
        assert (await within_bound(stream.receive())).number == 1
        assert server._core.connections == {connection}


@pytest.mark.wire("W31")
async def test_a_connection_without_calls_is_asked_when_a_call_begins() -> None:
    async with proxied(QUICK_CLIENT, NO_SERVER) as (_service, server, channel, proxy):
        client = EchoClient(channel)
        await client.unary(Note(), timeout=10)
        assert channel._connector is not None
        connection = channel._connector.newest
        assert connection is not None
        await until(lambda: connection._liveness.is_dormant)
        (served,) = server._core.connections
        assert served.engine.pings_received == 0
        proxy.set_both(BLACK_HOLE)
        with pytest.raises(penstock.Unavailable, match="no answer to a PING"):
            await client.unary(Note(), timeout=10)


@pytest.mark.wire("W33", "W32")
async def test_a_client_that_asks_too_often_is_sent_away_and_asks_half_as_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strict = ServerKeepalive(time_seconds=inf, min_ping_interval_seconds=60)
    eager = ClientKeepalive(time_seconds=0.02)
    with pytest.raises(penstock.UsageError):
        keepalive.check(eager, strict)
    caplog.set_level(logging.WARNING, "penstock.client")
    async with proxied(eager, strict) as (_service, _server, channel, _proxy):
        client = EchoClient(channel)
        async with client.both_stream() as stream:
            with pytest.raises(penstock.Unavailable):
                await within_bound(stream.receive())
        assert (await client.unary(Note(number=3), timeout=10)).number == 3
        assert channel._connector is not None
        assert channel._connector._keepalive.time_seconds == 0.04
    (line,) = [record for record in caplog.records if "keepalive goes on" in record.message]
    assert line.levelno == logging.WARNING


@pytest.mark.wire("W33")
async def test_pings_are_forgiven_while_the_server_sends() -> None:
    async with (
        proxied(
            ClientKeepalive(time_seconds=0.02), ServerKeepalive(time_seconds=inf, min_ping_interval_seconds=60)
        ) as (
            service,
            server,
            channel,
            _proxy,
        ),
        EchoClient(channel).both_stream() as stream,
    ):
        await within_bound(service.opened.get())
        (connection,) = server._core.connections
        for asked in range(1, 6):
            await until(lambda asked=asked: connection.engine.pings_received >= asked)  # type: ignore[misc]  # mypy knows no type of a bound default
            await stream.send(Note())
            await within_bound(stream.receive())
        assert server._core.connections == {connection}


def quickened(pair: Pair) -> Pair:
    """The same proportions in a fraction of the time."""
    client, server = pair.client, pair.server
    factor = 0.05 / min(client.time_seconds, server.time_seconds)
    return Pair(
        replace(client, time_seconds=client.time_seconds * factor),
        replace(
            server,
            time_seconds=server.time_seconds * factor,
            min_ping_interval_seconds=server.min_ping_interval_seconds * factor,
        ),
    )


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("with_call", [True, False])
async def test_no_pair_punishes_itself(name: str, with_call: bool) -> None:
    pair = quickened(PAIRS[name])
    keepalive.check(pair.client, pair.server)
    async with proxied(pair.client, pair.server) as (service, server, channel, _proxy):
        client = EchoClient(channel)
        await client.unary(Note(), timeout=10)
        (connection,) = server._core.connections
        assert channel._connector is not None
        (ours,) = channel._connector.connections

        def asked() -> int:
            return int(connection.engine.pings_received + ours.engine.pings_received)

        if with_call:
            async with client.both_stream():
                await within_bound(service.opened.get())
                await until(lambda: asked() >= 6)
        elif pair.client.without_calls or pair.server.time_seconds < 1:
            await until(lambda: asked() >= 6)
        else:
            await until(lambda: ours._liveness.is_dormant)
        assert server._core.connections == {connection}
        assert not ours.draining.is_set()


@pytest.mark.parametrize("side", ["server", "client"])
async def test_a_peer_that_reads_nothing_is_given_up(side: str) -> None:
    limits = penstock.Limits(write_timeout_seconds=0.3, stream_window_bytes=2**31 - 1)
    server = penstock.Server([Echo(server_stream=flood)], limits=limits, keepalive=NO_SERVER)
    async with (
        server.listening("127.0.0.1:0") as address,
        FaultProxy(address, kernel_buffer_bytes=16 * 1024) as proxy,
        penstock.Channel(proxy.address, limits=limits) as channel,
    ):
        client = EchoClient(channel)
        if side == "server":
            async with client.server_stream(Note()) as stream:
                await within_bound(stream.receive())
                proxy.set_both(STOPPED)
                await until(lambda: server._core.ends[End.PEER_SILENT] == 1)
            await until(lambda: not server._core.connections)
        else:
            async with client.client_stream() as stream_up:
                proxy.set_both(STOPPED)
                with pytest.raises(penstock.Unavailable, match="read nothing for"):
                    await within_bound(stream_up.send_from(Note(payload=bytes(100_000)) for _ in range(10_000)))
                assert stream_up.end is End.PEER_SILENT


async def flood(request: Note, stream: Any) -> None:
    while True:
        await stream.send(Note(payload=bytes(100_000)))


async def test_a_peer_that_reads_slowly_is_not_given_up() -> None:
    limits = penstock.Limits(write_timeout_seconds=0.3)
    server = penstock.Server([Echo()], limits=limits, keepalive=NO_SERVER)
    async with (
        server.listening("127.0.0.1:0") as address,
        FaultProxy(address, kernel_buffer_bytes=16 * 1024, to_client=replace(CLEAR, bytes_per_second=500_000)) as proxy,
        penstock.Channel(proxy.address) as channel,
    ):
        received = 0
        async with EchoClient(channel).server_stream(Note(number=10, payload=bytes(60_000))) as stream:
            async for _ in stream:
                received += 1
        assert received == 10


@pytest.mark.wire("W36")
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
async def test_the_kernel_gives_up_as_soon_as_keepalive_would() -> None:
    async with proxied(ClientKeepalive(), ServerKeepalive(timeout_seconds=7)) as (_service, server, channel, _proxy):
        await EchoClient(channel).unary(Note(), timeout=10)
        (connection,) = server._core.connections
        assert user_timeout(connection) == 7000
        assert channel._connector is not None
        (ours,) = channel._connector.connections
        assert user_timeout(ours) == 0


@pytest.mark.parametrize("timeout_seconds", [inf, 1e300])
async def test_a_peer_may_have_all_the_time_there_is_to_answer(timeout_seconds: float) -> None:
    endless = ServerKeepalive(timeout_seconds=timeout_seconds)
    async with proxied(replace(QUICK_CLIENT, timeout_seconds=timeout_seconds), endless) as (_, server, channel, _proxy):
        await EchoClient(channel).unary(Note(), timeout=10)
        assert len(server._core.connections) == 1


def user_timeout(connection: Any) -> int:
    sock: socket.socket = connection._transport.get_extra_info("socket")
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
