"""Do senders of others heed windows that shrink below what they have sent, and go on once it was read?"""

import asyncio
from contextlib import AsyncExitStack

import pytest

import penstock
from tests.e2e.support import until, within_bound
from tests.interop.pairs import BUILDS, SERVERS
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

KIB, MIB = 1024, 1024 * 1024
STREAMS = 99
REPLIES = 60
LIMITS = penstock.Limits()


@pytest.mark.parametrize("name", ["ours", "grpcio", pytest.param("go", marks=BUILDS)])
async def test_a_sender_stops_at_the_smaller_window_and_sends_the_rest_when_it_is_read(name: str) -> None:
    request = Note(number=REPLIES, size=15 * KIB)
    async with (
        SERVERS[name](None) as server,
        penstock.Channel(server.address, limits=LIMITS) as channel,
        AsyncExitStack() as stack,
    ):
        client = EchoClient(channel)
        streams = [
            await stack.enter_async_context(client.server_stream(request, metadata={"call-id": f"unread {number}"}))
            for number in range(STREAMS)
        ]
        connector = channel._connector
        assert connector is not None
        await until(lambda: connector.connections)
        (connection,) = connector.connections
        await until(lambda: connection.engine.stream_window_bytes < LIMITS.stream_window_bytes)
        async with client.both_stream(metadata={"call-id": "beside"}) as beside:
            for number in range(1, 51):
                await beside.send(Note(number=number, payload=bytes(200 * KIB)))
                assert (await within_bound(beside.receive())).number == number
        assert connection.engine.held_bytes < 48 * MIB, "half of what full windows take"
        # Had one sent beyond its window, the engine would have ended that call.
        counts = await asyncio.gather(*(_count(stream) for stream in streams))
        assert counts == [REPLIES] * STREAMS
        assert connection.engine.held_bytes == 0


async def _count(stream: penstock.ServerStreamCall[Note]) -> int:
    return len([reply async for reply in stream])
