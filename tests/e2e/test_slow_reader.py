"""Does one reader that has stopped cost its own stream only, and no more than its window?"""

import asyncio
from contextlib import AsyncExitStack

import pytest

import penstock
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

STREAMS = 1000
MESSAGES = 20
LIMITS = penstock.Limits(stream_window_bytes=16 * 1024, send_buffer_bytes=4 * 1024, max_concurrent_streams=STREAMS + 10)
MESSAGE_BYTES = 1000


async def _feed(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
    """Send `number` notes, or without end."""
    number = 0
    while not request.number or number < request.number:
        await stream.send(Note(number=number, payload=bytes(MESSAGE_BYTES)))
        number += 1


@pytest.mark.timeout(40)
async def test_one_stopped_reader_among_a_thousand_streams_of_one_connection() -> None:
    async with connected(Echo(server_stream=_feed), server_limits=LIMITS, client_limits=LIMITS) as pair:
        async with pair.client.server_stream(Note()) as stopped:
            assert (await within_bound(stopped.receive())).number == 0

            async def read() -> list[int]:
                async with pair.client.server_stream(Note(number=MESSAGES)) as stream:
                    return [reply.number async for reply in stream]

            received = await asyncio.gather(*(read() for _ in range(STREAMS - 1)))
            assert received == [list(range(MESSAGES))] * (STREAMS - 1)
            assert len(pair.server._core.connections) == 1
            assert stopped._held_bytes <= LIMITS.stream_window_bytes + MESSAGE_BYTES + 20
            # What it missed is there, in order, once it reads again.
            later = [(await within_bound(stopped.receive())).number for _ in range(200)]
            assert later == list(range(1, 201))


async def test_what_a_stopped_reader_holds_is_bounded_on_both_sides() -> None:
    calls: list[penstock.ServerStream[Note, Note]] = []

    async def feed(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        calls.append(stream)
        await _feed(request, stream)

    async with connected(Echo(server_stream=feed), server_limits=LIMITS, client_limits=LIMITS) as pair:
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(pair.client.server_stream(Note())) for _ in range(20)]
            await until(lambda: len(calls) == 20)
            # A sender is woken at half of its buffer: a full window and at least that much is the end of the way.
            await until(lambda: all(stream._held_bytes >= LIMITS.stream_window_bytes for stream in streams))
            await until(lambda: all(call._queued_bytes > LIMITS.send_buffer_bytes / 2 for call in calls))
            for call in calls:
                assert call._queued_bytes <= LIMITS.send_buffer_bytes + MESSAGE_BYTES + 20
            for stream in streams:
                assert stream._held_bytes <= LIMITS.stream_window_bytes + MESSAGE_BYTES + 20


async def test_a_stopped_handler_does_not_stop_the_others_of_its_connection() -> None:
    async def stop_or_count(stream: penstock.ServerStream[Note, Note]) -> Note:
        first = await stream.receive()
        if first.text == "stop":
            await asyncio.Event().wait()
        count = 1
        async for _note in stream:
            count += 1
        return Note(number=count)

    async with connected(Echo(client_stream=stop_or_count), server_limits=LIMITS, client_limits=LIMITS) as pair:
        async with pair.client.client_stream() as stopped:
            await stopped.send(Note(text="stop"))
            flooding = asyncio.create_task(stopped.send_many([Note(payload=bytes(MESSAGE_BYTES))] * 1000))
            async with pair.client.client_stream() as stream:
                await stream.send_many([Note(payload=bytes(MESSAGE_BYTES))] * 1000)
                assert (await within_bound(stream.finish())).number == 1000
            assert not flooding.done()
            flooding.cancel()
            await asyncio.wait([flooding])
            stopped.cancel()
