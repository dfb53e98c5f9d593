"""Do a thousand uploads that nobody reads leave the others of a connection alone, and end well once they are read?"""

import asyncio
from contextlib import AsyncExitStack
from typing import Never

import pytest

import penstock
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = [pytest.mark.loops, pytest.mark.timeout(120)]

KIB, MIB = 1024, 1024 * 1024
STREAMS = 1000
MESSAGE = Note(payload=bytes(60 * KIB))
LIMITS = penstock.Limits(max_concurrent_streams=STREAMS + 10)


async def test_unread_uploads_leave_a_stream_going_and_end_well_once_they_are_read() -> None:
    read = asyncio.Event()

    async def upload(stream: penstock.ServerStream[Note, Never]) -> Note:
        await read.wait()
        return Note(number=len([note async for note in stream]))

    async with (
        connected(Echo(client_stream=upload), server_limits=LIMITS, client_limits=LIMITS) as pair,
        AsyncExitStack() as stack,
    ):
        streams = [await stack.enter_async_context(pair.client.client_stream()) for _ in range(STREAMS)]

        async def send(stream: penstock.ClientStreamCall[Note, Note]) -> Note:
            for _ in range(2):
                await stream.send(MESSAGE)
            return await stream.finish()

        sending = [asyncio.create_task(send(stream)) for stream in streams]
        (connection,) = pair.server._core.connections
        await until(lambda: connection.engine.stream_window_bytes < LIMITS.stream_window_bytes)

        async with pair.client.both_stream() as beside:
            for number in range(100):
                await beside.send(Note(number=number, payload=bytes(100 * KIB)))
                assert (await within_bound(beside.receive())).number == number
        assert (await within_bound(pair.client.unary(Note(number=7)))).number == 7
        assert connection.engine.held_bytes < 64 * MIB
        assert connection.engine.stream_window_bytes == 16 * KIB

        read.set()
        replies = await asyncio.gather(*sending)
        assert [reply.number for reply in replies] == [2] * STREAMS
        assert connection.engine.held_bytes == 0
        assert pair.server._core.ends[penstock.End.LIMIT] == 0
        await asyncio.sleep(1)  # real time: windows change once a second at most
        await pair.client.unary(Note())
        await until(lambda: connection.engine.stream_window_bytes == LIMITS.stream_window_bytes)
