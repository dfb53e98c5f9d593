"""100,000 calls that end at random moments, from either side: the connection lives, and nothing is left of them."""

import asyncio
from collections.abc import Callable

import pytest

import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.stress.storm import go, ours_client, ours_server
from tests.stress.storm.calls import NOTE_BYTES, TRANSFER_NOTES, Storm

CALLS = 100_000
AGAIN = 20_000
"""On the other event loop: the engine is the same, and so are the turns."""

pytestmark = pytest.mark.timeout(600)


def check(storm: Storm, calls: int = CALLS) -> None:
    """Both directions of the connection are whole, and it is the one that saw the storm."""
    assert storm.calls == calls
    assert storm.codes.total() == calls
    assert storm.connections == 1
    assert (storm.received, storm.sent) == (TRANSFER_NOTES * NOTE_BYTES, TRANSFER_NOTES * NOTE_BYTES)
    # It was one: calls ended in order, by the server, and by the client.
    assert set(storm.codes) == {penstock.StatusCode.OK, penstock.StatusCode.CANCELLED}
    assert storm.codes[penstock.StatusCode.CANCELLED] > calls / 4


def check_server(server: penstock.Server, service: ours_server.Storming) -> None:
    """Nothing is left on our server."""
    assert service.ended == service.begun
    for connection in server._core.connections:
        assert not connection.calls
        assert connection.engine.open_calls == 0


@pytest.mark.loops
async def test_our_client_and_our_server(tell: Callable[[str], None]) -> None:
    calls = CALLS if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop) else AGAIN
    async with ours_server.serving() as (address, server, service):
        seen = await ours_client.storm(address, calls, seed=1)
        check_server(server, service)
    check(seen, calls)
    tell(str(seen))


async def test_our_client_and_grpc_gos_server(tell: Callable[[str], None]) -> None:
    async with go.serving() as address:
        seen = await ours_client.storm(address, CALLS, seed=2)
        async with penstock.Channel(address) as channel:
            left = await EchoClient(channel).unary(Note(), timeout=10)
        assert left.number == 0, "handlers of grpc-go still run"
    check(seen)
    tell(str(seen))


async def test_grpc_gos_client_and_our_server(tell: Callable[[str], None]) -> None:
    async with ours_server.serving() as (address, server, service):
        seen = await go.storm(address, CALLS)
        check_server(server, service)
    check(seen)
    tell(str(seen))
