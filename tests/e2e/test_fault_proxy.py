"""What the two sides of a call see when the network between them has faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import penstock
from penstock.testing import BLACK_HOLE, CLEAR, Conditions, FaultProxy
from tests.e2e.support import Echo, Gate, fill_up, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

QUICK = penstock.Limits(reconnect_initial_seconds=0.01)


class Rig:
    def __init__(self, server: penstock.Server, proxy: FaultProxy, channel: penstock.Channel) -> None:
        self.server = server
        self.proxy = proxy
        self.channel = channel
        self.client = EchoClient(channel)


@asynccontextmanager
async def behind_proxy(service: penstock.Service | None = None, **options: object) -> AsyncIterator[Rig]:
    server = penstock.Server([service or Echo()])
    async with (
        server.listening("127.0.0.1:0") as address,
        FaultProxy(address, seed=1, **options) as proxy,  # type: ignore[arg-type] # its own
        penstock.Channel(proxy.address, limits=QUICK) as channel,
    ):
        yield Rig(server, proxy, channel)


async def test_calls_pass() -> None:
    async with behind_proxy() as rig:
        payload = bytes(1024 * 1024)
        assert (await rig.client.unary(Note(payload=payload))).payload == payload
        assert rig.proxy.bytes_to_server > len(payload)
        assert rig.proxy.bytes_to_client > len(payload)
        assert rig.proxy.connections_accepted == 1


async def test_a_reset_fails_open_calls_and_the_next_call_connects_again() -> None:
    async with behind_proxy() as rig, rig.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        rig.proxy.reset_all()
        with pytest.raises(penstock.Unavailable):
            await within_bound(stream.receive())
        await until(lambda: not rig.server._core.connections)
        assert await rig.client.unary(Note(number=1)) == Note(number=1)
        assert rig.proxy.connections_accepted == 2


@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_in_a_frame_fails_the_call(reset: bool) -> None:
    async with behind_proxy() as rig, rig.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        rig.proxy.connections[0].to_client.cut_in_next_frame(reset=reset)
        await stream.send(Note(text="a" * 1000))
        with pytest.raises(penstock.Unavailable):
            await within_bound(stream.receive())
        await until(lambda: not rig.server._core.connections)


async def test_a_black_hole_keeps_the_end_of_a_client_from_the_server() -> None:
    gate = Gate()
    async with behind_proxy(Echo(both_stream=gate)) as rig:
        async with rig.client.both_stream():
            await within_bound(gate.entered.wait())
            rig.proxy.set_both(BLACK_HOLE)
        await rig.channel.close()
        assert gate.outcome is None
        (connection,) = rig.proxy.connections
        await until(lambda: connection.to_server.queued_bytes)
        rig.proxy.set_both(CLEAR)
        await until(lambda: gate.outcome is not None)
        assert isinstance(gate.outcome, asyncio.CancelledError)


async def test_a_deadline_holds_in_a_black_hole() -> None:
    async with behind_proxy() as rig:
        await rig.client.unary(Note())
        rig.proxy.set_both(BLACK_HOLE)
        with pytest.raises(penstock.DeadlineExceeded):
            await rig.client.unary(Note(), timeout=0.05)
        rig.proxy.set_both(CLEAR)
        assert await rig.client.unary(Note(number=1)) == Note(number=1)
        assert rig.proxy.connections_accepted == 1


async def test_a_server_that_vanished_silently_is_not_noticed_without_more() -> None:
    async with behind_proxy() as rig, rig.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        rig.proxy.connections[0].drop("server")
        await until(lambda: not rig.server._core.connections)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await stream.receive()


async def test_refused_connections_are_tried_again() -> None:
    async with behind_proxy() as rig:
        rig.proxy.refusing = True
        with pytest.raises(penstock.Unavailable, match="cannot connect"):
            await rig.client.unary(Note())
        waiting = asyncio.ensure_future(rig.client.unary(Note(number=1), wait_for_ready=True))
        rig.proxy.refusing = False
        assert await within_bound(waiting) == Note(number=1)


async def test_a_slow_reader_makes_a_sender_wait() -> None:
    gate = Gate()
    slow = Conditions(bytes_per_second=1000)
    async with behind_proxy(Echo(both_stream=gate), kernel_buffer_bytes=4096) as rig:
        async with rig.client.both_stream() as stream:
            await within_bound(gate.entered.wait())
            rig.proxy.to_server = slow
            count = await fill_up(stream, 64 * 1024)
            assert count < 200
            with pytest.raises(penstock.WouldBlock):
                stream.send_nowait(Note(payload=bytes(64 * 1024)))


@pytest.mark.parametrize("seed", [1, 2])
async def test_with_latency_and_jitter_messages_stay_in_order(seed: int) -> None:
    del seed
    weather = Conditions(latency_seconds=0.001, jitter_seconds=0.005)
    async with behind_proxy(to_server=weather, to_client=weather) as rig:
        async with rig.client.both_stream() as stream:
            for number in range(10):
                await stream.send(Note(number=number))
                assert (await within_bound(stream.receive())).number == number
            await stream.finish()
