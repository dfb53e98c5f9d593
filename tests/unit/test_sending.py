"""Sending, on either side."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from penstock import (
    BothStreamCall,
    Cancelled,
    ClosedError,
    End,
    EndOfStream,
    Limits,
    ResourceExhausted,
    RpcError,
    ServerStream,
    StatusCode,
    Stream,
    UsageError,
    WouldBlock,
)
from tests.unit.memory import both_ends, settle
from tests.unit.sides import FULL, Side, both_ways, from_client, from_server, hold, let_go, small_ends


@both_ways
async def test_send_waits_for_room_and_goes_on_when_there_is_some(side: Side) -> None:
    async with small_ends() as ends:
        sender, receiver = side(ends)
        hold(ends)
        await sender.send(FULL)
        sending = asyncio.create_task(awaited_send(sender, b"next"))
        await settle()
        assert not sending.done()
        await let_go(ends)
        assert [await receiver.receive(), await receiver.receive()] == [FULL, b"next"]
        await sending


async def awaited_send(stream: Stream[bytes, bytes], message: bytes) -> None:
    await stream.send(message)


@both_ways
async def test_cancelling_a_send_that_waits_queues_nothing(side: Side) -> None:
    async with small_ends() as ends:
        sender, receiver = side(ends)
        hold(ends)
        await sender.send(FULL)
        sending = asyncio.create_task(awaited_send(sender, b"never"))
        await settle()
        sending.cancel()
        await settle()
        assert sending.cancelled()
        await let_go(ends)
        await sender.send(b"next")
        assert [await receiver.receive(), await receiver.receive()] == [FULL, b"next"]


async def test_tasks_that_wait_for_room_keep_the_order_of_their_own_messages() -> None:
    async with small_ends() as ends:
        hold(ends)
        await ends.client.send(FULL)

        async def send_two(name: bytes) -> None:
            await ends.client.send(name + b"1")
            await ends.client.send(name + b"2")

        tasks = [asyncio.create_task(send_two(name)) for name in (b"a", b"b", b"c")]
        await settle()
        await let_go(ends)
        await ends.server.receive()
        came = [await ends.server.receive() for _ in range(6)]
        await asyncio.gather(*tasks)
        for name in (b"a", b"b", b"c"):
            assert [message for message in came if message.startswith(name)] == [name + b"1", name + b"2"]


@pytest.mark.parametrize(("size", "room"), [(94, True), (95, False), (96, False)])
async def test_send_nowait_says_that_there_is_no_room(size: int, room: bool) -> None:
    async with small_ends() as ends:
        hold(ends)
        ends.client.send_nowait(bytes(size))
        if room:
            ends.client.send_nowait(b"")
        else:
            with pytest.raises(WouldBlock, match=f"{size + 5} bytes are queued"):
                ends.client.send_nowait(b"")
        await let_go(ends)


async def test_a_message_above_the_limit_is_refused_and_the_call_goes_on() -> None:
    async with both_ends(limits=Limits(max_send_message_bytes=3)) as ends:
        for send in (ends.client.send, ends.client.send_nowait):
            with pytest.raises(ResourceExhausted, match="message of 4 bytes exceeds max_send_message_bytes=3"):
                send(b"1234")
        await ends.client.send(b"123")
        assert await ends.server.receive() == b"123"


async def test_another_type_is_refused_and_the_call_goes_on() -> None:
    async with both_ends() as ends:
        with pytest.raises(UsageError, match="this call sends bytes, not str"):
            await ends.client.send("text")  # type: ignore[arg-type]  # what mypy refuses
        await ends.client.send(b"bytes")
        assert await ends.server.receive() == b"bytes"


async def test_sending_after_end_sending_is_a_mistake() -> None:
    async with both_ends() as ends:
        await ends.client.end_sending()
        with pytest.raises(ClosedError, match="nothing can be sent after end_sending"):
            await ends.client.send(b"late")
        with pytest.raises(ClosedError):
            ends.client.send_nowait(b"late")


async def test_sending_after_the_peer_ended_raises_how_it_ended() -> None:
    async with both_ends() as ends:
        ends.server._finish_ok()
        await settle()
        with pytest.raises(EndOfStream, match="the peer has ended the call"):
            await ends.client.send(b"late")
    async with both_ends() as ends:
        ends.client.cancel()
        await settle()
        with pytest.raises(Cancelled):
            await ends.server.send(b"late")
        with pytest.raises(Cancelled):
            ends.server.send_nowait(b"late")


@pytest.mark.parametrize(("side", "receiving_wire"), [(from_client, 1), (from_server, 0)])
async def test_a_send_that_waits_is_woken_by_the_end(side: Side, receiving_wire: int) -> None:
    async with small_ends() as ends:
        sender, receiver = side(ends)
        hold(ends)
        await sender.send(FULL)
        sending = asyncio.create_task(awaited_send(sender, b"next"))
        await settle()
        receiver.cancel()
        ends.channel.wires[receiving_wire].release()
        with pytest.raises(Cancelled):
            await sending
        await let_go(ends)


# Sources.


def broken(error: Exception) -> Iterator[bytes]:
    yield b"1"
    raise error


async def broken_later(error: Exception) -> AsyncIterator[bytes]:
    yield b"1"
    raise error


@pytest.mark.parametrize("source", [broken, broken_later])
async def test_a_source_that_breaks_cancels_the_call(
    source: Callable[[Exception], Iterator[bytes] | AsyncIterator[bytes]],
) -> None:
    async with both_ends() as ends:
        with pytest.raises(OSError, match="disk"):
            await ends.client.send_from(source(OSError("disk")))
        assert ends.client.status is not None
        assert ends.client.status.code is StatusCode.CANCELLED
        await settle()
        assert ends.server.status is not None
        assert ends.server.status.code is StatusCode.CANCELLED


async def test_a_source_may_be_async() -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"

    async with both_ends() as ends:
        await ends.client.send_from(source())
        assert [await ends.server.receive(), await ends.server.receive()] == [b"1", b"2"]
        assert ends.client.status is None


async def test_cancelling_the_task_that_sends_from_a_source_leaves_the_call_open() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.Event().wait()

    async with both_ends() as ends:
        sending = asyncio.create_task(ends.client.send_from(endless()))
        await settle()
        sending.cancel()
        await settle()
        assert sending.cancelled()
        assert ends.client.status is None
        await ends.client.send(b"2")
        assert [await ends.server.receive(), await ends.server.receive()] == [b"1", b"2"]


async def test_the_end_of_the_call_ends_a_source_with_that_outcome() -> None:
    async with both_ends() as ends:
        ends.server._finish_with(RpcError(StatusCode.NOT_FOUND).status, End.RAISED)
        await settle()
        with pytest.raises(RpcError, match="NOT_FOUND"):
            await ends.client.send_from([b"1"])
        assert ends.client.status is not None
        assert ends.client.status.code is StatusCode.NOT_FOUND


# Merging.


async def send_merged(stream: ServerStream[bytes, bytes] | BothStreamCall[bytes, bytes], *messages: bytes) -> None:
    for message in messages:
        await stream.send(message, merge=bytes.__add__)


async def test_while_the_peer_keeps_up_nothing_is_merged() -> None:
    async with both_ends() as ends:
        came = []
        for message in (b"a", b"b", b"c"):
            await send_merged(ends.server, message)
            came.append(await ends.client.receive())
        assert came == [b"a", b"b", b"c"]


async def test_while_the_last_message_is_unsent_the_new_one_goes_into_it() -> None:
    async with both_ends() as ends:
        hold(ends)
        await send_merged(ends.server, b"a", b"b", b"c")
        await let_go(ends)
        await send_merged(ends.server, b"d")
        assert [await ends.client.receive(), await ends.client.receive()] == [b"abc", b"d"]


async def test_a_plain_message_between_merging_ones_stays_where_it_is() -> None:
    async with both_ends() as ends:
        hold(ends)
        await send_merged(ends.server, b"a", b"b")
        await ends.server.send(b"plain")
        await send_merged(ends.server, b"c", b"d")
        await let_go(ends)
        assert [await ends.client.receive() for _ in range(3)] == [b"ab", b"plain", b"cd"]


async def test_merging_needs_no_room() -> None:
    async with small_ends() as ends:
        hold(ends)
        await send_merged(ends.server, FULL, b"a", b"b")
        await let_go(ends)
        assert await ends.client.receive() == FULL + b"ab"
