"""Does what is full or heavy hold up what is beside it?"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

import penstock
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


class Feed:
    """A handler that sends one message without end."""

    def __init__(self, size: int) -> None:
        self.note: Any = Note(payload=bytes(size))

    async def __call__(self, _request: Note, stream: penstock.ServerStream[Any, Any]) -> None:
        while True:
            await stream.send(self.note)


async def test_a_client_that_reads_its_socket_no_more_holds_up_no_other_connection() -> None:
    feed = Feed(1000)
    async with connected(Echo(server_stream=feed)) as pair, penstock.Channel(pair.address) as deaf:
        await deaf.ready()
        assert deaf._connector is not None
        (connection,) = deaf._connector.connections
        async with AsyncExitStack() as stack:
            for _ in range(100):
                call = deaf.call_server_stream(pair.client_method("server_stream"), Note())
                await stack.enter_async_context(call)
            assert connection._transport is not None
            connection._transport.pause_reading()
            for number in range(200):
                assert (await within_bound(pair.client.unary(Note(number=number)))).number == number
            most = penstock.Limits().send_buffer_bytes + feed.note.ByteSize() + 5
            queued = [call._queued_bytes for served in pair.server._core.connections for call in served.calls]
            assert len(queued) == 100
            assert max(queued) <= most
            connection._transport.resume_reading()


async def test_an_answer_does_not_wait_behind_the_bulk_of_another_stream() -> None:
    received = 0
    async with connected(Echo(server_stream=Feed(1024 * 1024))) as pair:
        async with pair.client.server_stream(Note()) as stream:

            async def read() -> None:
                nonlocal received
                async for _reply in stream:
                    received += 1

            reader = asyncio.create_task(read())
            await until(lambda: received > 2)
            for _ in range(20):
                before = received
                await within_bound(pair.client.unary(Note()))
                # What the kernel's buffers hold is ahead of the answer: some MiB, whatever comes behind.
                assert received - before <= 20
            reader.cancel()
            await asyncio.wait([reader])


async def test_a_heavy_upload_holds_up_no_request() -> None:
    taken = 0

    async def take(stream: penstock.ServerStream[Note, Any]) -> Note:
        nonlocal taken
        async for _note in stream:
            taken += 1
        return Note()

    async with connected(Echo(client_stream=take)) as pair, pair.client.client_stream() as stream:
        bulk = (Note(payload=bytes(1024 * 1024)) for _ in range(10**9))
        sending = asyncio.create_task(stream.send_many(bulk))
        await until(lambda: taken > 2)
        for _ in range(20):
            before = taken
            await within_bound(pair.client.unary(Note()))
            assert taken - before <= 20
        sending.cancel()
        await asyncio.wait([sending])
        stream.cancel()
