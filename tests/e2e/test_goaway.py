"""What happens to calls, old and new, when a server wants its clients to go?"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Never

import pytest

import penstock
from penstock import _server_connection
from tests.e2e.support import Echo, Gate, connected, turns, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.wire.engine import REQUEST
from tests.wire.sockets import client_of

pytestmark = pytest.mark.loops

ONE = penstock.Limits(max_concurrent_streams=1)


@pytest.mark.wire("W25")
async def test_an_accepted_call_finishes_on_the_old_server_while_new_calls_go_to_the_next(address: str) -> None:
    async with connected(address=address) as pair:
        old, new = pair.server, penstock.Server([Echo()])
        async with pair.client.both_stream() as stream:
            await stream.send(Note(number=1))
            await stream.receive()
            stopping = asyncio.ensure_future(old.stop(grace=10))
            await turns(1)
            async with new.listening(pair.address):
                await until(lambda: pair.channel.state is penstock.ChannelState.IDLE)
                assert (await within_bound(pair.client.unary(Note(number=2)))).number == 2
                assert (len(old._core.connections), len(new._core.connections)) == (1, 1)
                await stream.send(Note(number=3))
                assert (await within_bound(stream.receive())).number == 3
                await stream.finish()
                report = await within_bound(stopping)
                assert (report.finished, report.cancelled, report.stuck) == (1, (), ())
                assert (len(old._core.connections), len(new._core.connections)) == (0, 1)
                assert (await within_bound(pair.client.unary(Note(number=4)))).number == 4


async def test_handlers_hear_that_the_server_drains_and_may_end_in_order() -> None:
    async def until_draining(request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        await stream.send(request)
        await stream.draining.wait()
        await stream.send(Note(text="bye"))

    async with connected(Echo(server_stream=until_draining)) as pair:
        async with pair.client.server_stream(Note(text="hello")) as stream:
            assert (await stream.receive()).text == "hello"
            stopping = asyncio.ensure_future(pair.server.stop(grace=10))
            assert [reply.text async for reply in stream] == ["bye"]
        report = await within_bound(stopping)
        assert (report.finished, report.cancelled) == (1, ())


async def test_a_call_that_was_under_way_when_the_server_said_goaway_is_served() -> None:
    gate = asyncio.Event()
    came = asyncio.Event()

    async def unary(request: Note, call: penstock.ServerCall) -> Note:
        assert call.draining.is_set()
        came.set()
        await gate.wait()
        return request

    async with connected(Echo(unary=unary)) as pair:
        await pair.channel.ready()
        call = asyncio.ensure_future(pair.client.unary(Note(number=1)))
        await turns(1)  # the request is written, and not read yet
        assert not came.is_set()
        loop = asyncio.get_running_loop()
        began = loop.time()
        stopping = asyncio.ensure_future(pair.server.stop(grace=10))
        await within_bound(came.wait())
        await until(lambda: stopping.done() or loop.time() > began + 1.2)  # a second is what idle connections get
        gate.set()
        assert (await within_bound(call)).number == 1
        await within_bound(stopping)


async def test_stopping_does_not_wait_for_idle_clients() -> None:
    async with connected() as pair:
        await pair.client.unary(Note())
        loop = asyncio.get_running_loop()
        began = loop.time()
        report = await within_bound(pair.server.stop(grace=600))
        assert loop.time() - began < 0.9  # the client answers the GOAWAY, so nobody waits the second out
        assert (report.finished, report.cancelled) == (0, ())
        await until(lambda: pair.channel.state is penstock.ChannelState.IDLE)
        with pytest.raises(penstock.Unavailable, match="cannot connect"):
            await pair.client.unary(Note())


async def test_calls_that_wait_for_a_place_go_to_the_next_server(tmp_path: Path) -> None:
    path = f"unix:{tmp_path / 'socket'}"
    async with connected(address=path, server_limits=ONE) as pair:
        new = penstock.Server([Echo()])
        async with pair.client.both_stream() as stream:
            await stream.send(Note())
            await stream.receive()
            waiting = asyncio.ensure_future(pair.client.unary(Note(number=5), wait_for_ready=True))
            await until(lambda: pair.channel._connector.newest._waiting)  # type: ignore[union-attr]
            stopping = asyncio.ensure_future(pair.server.stop(grace=10))
            await turns(1)
            async with new.listening(path):
                assert (await within_bound(waiting)).number == 5
                await stream.finish()
                assert (await within_bound(stopping)).finished == 1


async def test_each_of_many_restarts_loses_no_call_that_waits_for_ready() -> None:
    limits = penstock.Limits(reconnect_initial_seconds=0.001, reconnect_max_seconds=0.002)
    served: list[int] = []

    async def unary(request: Note, call: penstock.ServerCall) -> Note:
        del call
        served.append(request.number)
        return request

    service = Echo(unary=unary)
    async with connected(service, client_limits=limits) as pair:

        async def call_all() -> list[int]:
            return [(await pair.client.unary(Note(number=number), wait_for_ready=True)).number for number in range(400)]

        calling = asyncio.ensure_future(call_all())
        server = pair.server
        async with AsyncExitStack() as servers:
            for restart in range(1, 11):
                await until(lambda least=restart * 20: len(served) > least)  # type: ignore[misc]
                await within_bound(server.stop(grace=5))
                server = penstock.Server([service])
                await servers.enter_async_context(server.listening(pair.address))
            assert await within_bound(calling) == list(range(400))
        assert served == list(range(400))


async def test_a_client_stream_hears_that_its_server_drains() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        assert not stream.draining.is_set()
        stopping = asyncio.ensure_future(pair.server.stop(grace=10))
        await within_bound(stream.draining.wait())
        await stream.finish()
        assert (await within_bound(stopping)).finished == 1


async def test_a_channel_that_closes_tells_the_server_which_forgets_the_connection() -> None:
    async with connected() as pair:
        async with penstock.Channel(pair.address) as other:
            await EchoClient(other).unary(Note())
            assert len(pair.server._core.connections) == 1
        await until(lambda: not pair.server._core.connections)


async def test_a_client_that_was_sent_away_and_is_cut_off_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_server_connection, "LINGER_SECONDS", 3600.0)
    server = penstock.Server([Echo(both_stream=Gate())])
    async with client_of(server) as client:
        request = {**dict(REQUEST), ":path": "/penstock.test.echo.Echo/BothStream"}
        client.say(client.frames.headers(1, request.items()))
        await until(lambda: list(server.streams()))
        (connection,) = server._core.connections
        connection.send_away("max_age")
        await client.hear("GoAway")
        client.say(*[client.frames.ping(bytes(8))] * 4)
        await client.hear_the_end()
        await within_bound(connection.ended)  # though the client has not closed its end
        assert connection.reason == "the peer sent PINGs too often"
    caplog.clear()
