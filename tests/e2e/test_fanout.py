"""Does one message reach many streams, and does it say which had no room?"""

import asyncio
from contextlib import AsyncExitStack

import pytest

import penstock
from tests.e2e.support import TINY, Echo, Gate, connected, fill_up, notes, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


class Room:
    """A handler that only registers its stream; the test sends on all of them."""

    def __init__(self) -> None:
        self.streams: list[penstock.ServerStream[Note, Note]] = []
        self.over = asyncio.Event()

    async def __call__(self, request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        self.streams.append(stream)
        await self.over.wait()


async def test_every_send_takes_an_encoded_message() -> None:
    encoded = penstock.encode(Note(text="once"))
    assert len(encoded) == len(Note(text="once").SerializeToString())
    assert bytes(encoded) == Note(text="once").SerializeToString()
    async with connected() as pair:
        assert (await pair.channel.call_unary(pair.client_method("unary"), encoded)).text == "once"
        async with pair.client.both_stream() as stream:
            await stream.send(encoded)
            stream.send_nowait(encoded)
            await stream.send_many([encoded, Note(text="plain"), encoded])
            await stream.end_sending()
            assert [reply.text async for reply in stream] == ["once", "once", "once", "plain", "once"]


async def test_a_large_encoded_message_is_whole() -> None:
    payload = bytes(range(256)) * 1000
    encoded = penstock.encode(Note(payload=payload))
    async with connected() as pair, pair.client.both_stream() as stream:
        sending = asyncio.create_task(stream.send_many([encoded] * 5))
        for _ in range(5):
            assert (await within_bound(stream.receive())).payload == payload
        await sending
        await stream.finish()


async def test_a_broadcast_reaches_each_stream() -> None:
    room = Room()
    async with connected(Echo(server_stream=room)) as pair, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(pair.client.server_stream(Note())) for _ in range(50)]
        await until(lambda: len(room.streams) == 50)
        for number in range(10):
            assert penstock.broadcast(room.streams, penstock.encode(Note(number=number))) == []
        room.over.set()
        for stream in streams:
            assert [reply.number async for reply in stream] == list(range(10))


async def test_a_broadcast_gives_the_streams_that_had_no_room_or_are_over_in_order() -> None:
    room = Room()
    limits = penstock.Limits(stream_window_bytes=2048, send_buffer_bytes=1024)
    async with connected(Echo(server_stream=room), server_limits=limits, client_limits=limits) as pair:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(pair.client.server_stream(Note())) for _ in range(4)]
            await until(lambda: len(room.streams) == 4)
            full, ended = room.streams[1], room.streams[2]
            await fill_up(full)
            clients[2].cancel()
            await until(lambda: ended.status is not None)
            assert penstock.broadcast(room.streams, penstock.encode(Note(text="all"))) == [full, ended]
            assert (await clients[0].receive()).text == "all"
            assert (await clients[3].receive()).text == "all"
            room.over.set()


async def test_a_broadcast_of_another_type_is_refused() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        with pytest.raises(penstock.UsageError, match="this call sends Note, not bytes"):
            penstock.broadcast([stream], penstock.encode(b"raw"))  # type: ignore[misc]
        with pytest.raises(TypeError):
            penstock.broadcast(["no stream"], penstock.encode(Note()))  # type: ignore[list-item]
        await stream.finish()


async def test_send_each_gives_each_stream_its_own_message() -> None:
    room = Room()
    async with connected(Echo(server_stream=room)) as pair, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(pair.client.server_stream(Note())) for _ in range(20)]
        await until(lambda: len(room.streams) == 20)
        for step in range(5):
            pairs = [(stream, Note(number=100 * step + index)) for index, stream in enumerate(room.streams)]
            assert penstock.send_each(pairs) == []
        room.over.set()
        received = [[reply.number async for reply in stream] for stream in streams]
        assert sorted(received) == [[100 * step + index for step in range(5)] for index in range(20)]


async def test_send_each_gives_the_streams_that_had_no_room_or_are_over() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as full, pair.client.both_stream() as ended:
            async with pair.client.both_stream() as good:
                await fill_up(full)
                ended.cancel()
                pairs = [(stream, note) for stream, note in zip((full, ended, good), notes(3), strict=True)]
                assert penstock.send_each(pairs) == [full, ended]
                gate.opened.set()
                await within_bound(good.finish())
        assert Note(text="note 2", number=2) in gate.received


async def test_encode_refuses_what_no_codec_knows() -> None:
    with pytest.raises(penstock.UsageError, match="str"):
        penstock.encode("text")
