"""The four kinds of call, as a client makes them."""

import asyncio
from typing import Never

import pytest

from penstock import (
    BothStreamCall,
    ClientStreamCall,
    ClosedError,
    EndOfStream,
    RpcError,
    ServerStream,
    StatusCode,
    UsageError,
)
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient
from tests.unit.echo import NOTE, Waiting, echoing
from tests.unit.memory import connected, settle

# One → one.


async def test_a_unary_call_gives_its_reply_and_keeps_what_came_with_it() -> None:
    async with echoing() as (client, _channel):
        call = client.unary(NOTE)
        assert (call.status, call.trailing_metadata, call.peer) == (None, None, None)
        assert await call == NOTE
        assert call.status is not None
        assert call.status.code is StatusCode.OK
        assert call.trailing_metadata == {"text": "a"}
        assert call.peer == "memory:1"


async def test_a_unary_call_that_is_not_awaited_never_begins() -> None:
    async with echoing() as (client, channel):
        client.unary(NOTE)
        await settle()
        assert channel.links == []


async def test_a_request_is_encoded_when_the_call_is_made() -> None:
    async with echoing() as (client, _channel):
        note = Note(text="before")
        call = client.unary(note)
        note.text = "after"
        assert (await call).text == "before"


async def test_a_request_of_another_type_is_refused_when_the_call_is_made() -> None:
    async with echoing() as (client, _channel):
        with pytest.raises(UsageError, match="this call sends Note, not str"):
            client.unary("text")  # type: ignore[arg-type]  # what mypy refuses


async def test_a_call_is_used_once() -> None:
    async with echoing() as (client, _channel):
        call = client.unary(NOTE)
        await call
        with pytest.raises(UsageError, match="a call is used once; make another one"):
            await call
        assert call.status is not None
        assert call.status.code is StatusCode.OK


async def test_cancelling_the_task_cancels_a_unary_call_on_both_sides() -> None:
    service = Waiting()
    async with echoing(service) as (client, _channel):
        call = client.unary(NOTE)
        task = asyncio.ensure_future(call)
        await settle()
        assert service.running == 1
        task.cancel()
        await settle()
        assert task.cancelled()
        assert call.status is not None
        assert call.status.code is StatusCode.CANCELLED
        assert service.running == 0


@pytest.mark.parametrize("replies", [0, 2])
async def test_a_server_that_sends_not_exactly_one_reply_is_an_error(replies: int) -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send_many([b""] * replies)

    async with connected(fallback=handler) as channel:
        call = EchoClient(channel).unary(NOTE)
        count = "more than one" if replies else "no"
        with pytest.raises(RpcError, match=f"UNIMPLEMENTED: the server sent {count} reply"):
            await call
        assert call.status is not None
        assert call.status.code is StatusCode.UNIMPLEMENTED


async def test_a_reply_before_an_error_is_an_error() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send(b"")
        raise RpcError(StatusCode.ABORTED, "after all")

    async with connected(fallback=handler) as channel:
        with pytest.raises(RpcError, match="ABORTED: after all"):
            await EchoClient(channel).unary(NOTE)


async def test_a_reply_that_cannot_be_read_ends_the_call_with_internal() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send(b"\xff")

    async with connected(fallback=handler) as channel:
        with pytest.raises(RpcError, match="INTERNAL: a message could not be decoded") as caught:
            await EchoClient(channel).unary(NOTE)
        assert caught.value.__cause__ is not None


# Streams.


async def test_a_server_stream_gives_its_replies_and_then_its_status() -> None:
    async with echoing() as (client, _channel), client.server_stream(NOTE) as stream:
        assert [note.number async for note in stream] == [0, 1]
        assert stream.status is not None
        assert stream.trailing_metadata == {"text": "a"}


async def test_a_server_stream_has_nothing_more_to_send() -> None:
    async with echoing() as (client, _channel), client.server_stream(NOTE) as stream:
        with pytest.raises(ClosedError):
            await stream.send(NOTE)  # type: ignore[arg-type]  # what mypy refuses


async def test_a_client_stream_gives_its_reply_when_it_is_finished_and_again() -> None:
    async with echoing() as (client, _channel), client.client_stream() as stream:
        await stream.send_many([Note(text="a"), Note(text="b")])
        assert await stream.finish() == Note(text="ab", number=2)
        assert await stream.finish() == Note(text="ab", number=2)


async def test_cancelling_finish_leaves_the_call_open_and_it_may_be_called_again() -> None:
    service = Waiting()
    async with echoing(service) as (client, _channel), client.client_stream() as stream:
        task = asyncio.create_task(stream.finish())
        await settle()
        task.cancel()
        await settle()
        assert (task.cancelled(), stream.status) == (True, None)
        service.go_on.set()
        assert await stream.finish() == NOTE


async def test_finish_drops_the_replies_of_a_stream_both_ways() -> None:
    async with echoing() as (client, _channel), client.both_stream() as stream:
        await stream.send_many([NOTE] * 3)
        await stream.finish()
        assert stream.status is not None
        assert stream.status.code is StatusCode.OK
        with pytest.raises(EndOfStream):
            await stream.receive()


async def test_finish_raises_how_the_call_ended() -> None:
    class Refusing(EchoBase):
        async def client_stream(self, stream: ServerStream[Note, Never]) -> Note:
            del stream
            raise RpcError(StatusCode.NOT_FOUND, "no such room")

        async def both_stream(self, stream: ServerStream[Note, Note]) -> None:
            del stream
            raise RpcError(StatusCode.NOT_FOUND, "no such room")

    async with echoing(Refusing()) as (client, _channel):
        openings: list[ClientStreamCall[Note, Note] | BothStreamCall[Note, Note]] = [
            client.client_stream(),
            client.both_stream(),
        ]
        for call in openings:
            async with call:
                with pytest.raises(RpcError, match="NOT_FOUND: no such room"):
                    await call.finish()


async def test_end_sending_may_be_repeated() -> None:
    async with echoing() as (client, _channel), client.both_stream() as stream:
        await stream.end_sending()
        await stream.end_sending()
        assert [note async for note in stream] == []
