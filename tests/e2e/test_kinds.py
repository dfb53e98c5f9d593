"""Do the four kinds of call work, over every kind of socket and on both loops?"""

from collections.abc import AsyncIterator
from typing import Never

import pytest

import penstock
from tests.e2e.support import Echo, connected, notes
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


async def test_one_to_one(address: str) -> None:
    async with connected(address=address) as pair:
        reply = await pair.client.unary(Note(text="hello", payload=b"\0\xff", number=2**63))
        assert reply == Note(text="hello", payload=b"\0\xff", number=2**63)


async def test_one_to_many(address: str) -> None:
    async with connected(address=address) as pair, pair.client.server_stream(Note(text="x", number=300)) as stream:
        replies = [reply async for reply in stream]
        assert replies == [Note(text="x", number=number) for number in range(300)]
        assert stream.status == penstock.Status(penstock.StatusCode.OK)


async def test_many_to_one(address: str) -> None:
    async with connected(address=address) as pair, pair.client.client_stream() as stream:
        for note in notes(300):
            await stream.send(note)
        assert await stream.finish() == Note(text="note 299", number=300)
        assert stream.status == penstock.Status(penstock.StatusCode.OK)


async def test_many_to_many_taking_turns(address: str) -> None:
    async with connected(address=address) as pair, pair.client.both_stream() as stream:
        for note in notes(100):
            await stream.send(note)
            assert await stream.receive() == note
        await stream.end_sending()
        assert [reply async for reply in stream] == []
        assert stream.status == penstock.Status(penstock.StatusCode.OK)


async def test_many_to_many_all_at_once(address: str) -> None:
    async with connected(address=address) as pair, pair.client.both_stream() as stream:
        await stream.send_many(notes(1000))
        await stream.end_sending()
        assert [reply async for reply in stream] == notes(1000)


async def test_generators_as_handlers() -> None:
    async def repeat(request: Note, stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        del stream
        for number in range(request.number):
            yield Note(number=number)

    async def double(stream: penstock.ServerStream[Note, Note]) -> AsyncIterator[Note]:
        async for note in stream:
            yield Note(number=note.number * 2)

    async with connected(Echo(server_stream=repeat, both_stream=double)) as pair:
        async with pair.client.server_stream(Note(number=3)) as replies:
            assert [reply.number async for reply in replies] == [0, 1, 2]
        async with pair.client.both_stream() as stream:
            await stream.send_many(notes(3))
            await stream.end_sending()
            assert [reply.number async for reply in stream] == [0, 2, 4]


async def test_empty_messages_are_messages() -> None:
    async with connected() as pair:
        assert await pair.client.unary(Note()) == Note()
        async with pair.client.both_stream() as stream:
            await stream.send_many([Note()] * 3)
            await stream.end_sending()
            assert [reply async for reply in stream] == [Note()] * 3


async def test_streams_without_messages() -> None:
    async with connected() as pair:
        async with pair.client.server_stream(Note(number=0)) as replies:
            assert [reply async for reply in replies] == []
        async with pair.client.client_stream() as upload:
            assert await upload.finish() == Note(number=0)
        async with pair.client.both_stream() as stream:
            await stream.finish()
            assert stream.status == penstock.Status(penstock.StatusCode.OK)


async def test_a_large_message_passes_a_small_window_both_ways() -> None:
    small = penstock.Limits(stream_window_bytes=64 * 1024)
    payload = bytes(range(256)) * (4 * 1024 * 4 - 1)
    async with connected(server_limits=small, client_limits=small) as pair:
        assert (await pair.client.unary(Note(payload=payload))).payload == payload
        async with pair.client.both_stream() as stream:
            await stream.send(Note(payload=payload))
            assert (await stream.receive()).payload == payload
            await stream.finish()


async def test_many_calls_at_once_share_one_connection() -> None:
    async with connected() as pair:
        async with pair.client.both_stream() as one, pair.client.both_stream() as other:
            for note in notes(10):
                await one.send(note)
                await other.send(Note(text=f"other {note.number}"))
            assert [await one.receive() for _ in range(10)] == notes(10)
            assert [(await other.receive()).text for _ in range(10)] == [f"other {number}" for number in range(10)]
        assert len(pair.server._core.connections) == 1


async def test_both_sides_know_each_other() -> None:
    seen = []

    async def look(request: Note, call: penstock.ServerCall) -> Note:
        seen.append((call.peer, call.method, call.authority))
        return request

    async with connected(Echo(unary=look)) as pair:
        call = pair.client.unary(Note())
        assert call.peer is None
        await call
        assert call.peer == pair.address
        (peer, path, authority) = seen[0]
        assert peer.startswith("127.0.0.1:")
        assert path == "/penstock.test.echo.Echo/Unary"
        assert authority == pair.address
