"""A stream of messages, the same on both sides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from penstock import (
    BothStreamCall,
    BusyError,
    Cancelled,
    ClosedError,
    EndOfStream,
    Limits,
    Origin,
    ResourceExhausted,
    RpcError,
    ServerStream,
    StatusCode,
    Stream,
    UsageError,
    WouldBlock,
)
from tests.unit.memory import Ends, both_ends, settle

SMALL = Limits(send_buffer_bytes=100)
FULL = bytes(100)
"""Leaves no room in a buffer of `SMALL`."""

Side = Callable[[Ends], tuple[Stream[bytes, bytes], Stream[bytes, bytes]]]


def from_client(ends: Ends) -> tuple[Stream[bytes, bytes], Stream[bytes, bytes]]:
    """The client sends, the server receives."""
    return ends.client, ends.server


def from_server(ends: Ends) -> tuple[Stream[bytes, bytes], Stream[bytes, bytes]]:
    """The server sends, the client receives."""
    return ends.server, ends.client


both_ways = pytest.mark.parametrize("side", [from_client, from_server])


def hold(ends: Ends) -> None:
    """Have neither side write."""
    for wire in ends.channel.wires:
        wire.hold()


async def let_go(ends: Ends) -> None:
    for wire in ends.channel.wires:
        wire.release()
    await settle()


def small_ends() -> AbstractAsyncContextManager[Ends]:
    return both_ends(limits=SMALL, server_limits=SMALL)


@both_ways
async def test_messages_come_in_the_order_they_were_sent(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        await sender.send(b"1")
        sender.send_nowait(b"2")
        await sender.send_many([b"3", b""])
        await sender.send_from(iter([b"5"]))
        assert [await receiver.receive() for _ in range(5)] == [b"1", b"2", b"3", b"", b"5"]


@both_ways
async def test_a_receive_that_waits_gets_what_comes(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        receiving = asyncio.create_task(awaited(receiver.receive()))
        await settle()
        assert not receiving.done()
        await sender.send(b"late")
        assert await receiving == b"late"


async def awaited(waiting: Awaitable[bytes]) -> bytes:
    return await waiting


@both_ways
async def test_cancelling_a_receive_loses_nothing(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        receiving = asyncio.create_task(awaited(receiver.receive()))
        await settle()
        sender.send_nowait(b"1")
        receiving.cancel()
        await settle()
        assert receiving.cancelled()
        assert await receiver.receive() == b"1"


async def test_a_receive_that_was_never_awaited_takes_nothing() -> None:
    async with both_ends() as ends:
        await ends.server.send(b"1")
        await settle()
        ends.client.receive().close()
        assert await ends.client.receive() == b"1"


async def test_a_second_receive_at_the_same_time_is_a_mistake() -> None:
    async with both_ends() as ends:
        receiving = asyncio.create_task(awaited(ends.client.receive()))
        await settle()
        with pytest.raises(BusyError, match="another task is receiving on this stream"):
            await ends.client.receive()
        await ends.server.send(b"for the first")
        assert await receiving == b"for the first"


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (2, 2), (3, 3), (4, 3), (100, 3)])
async def test_receive_many_takes_what_is_there_up_to_a_number(most: int, expected: int) -> None:
    async with both_ends() as ends:
        await ends.server.send_many([b"0", b"1", b"2"])
        await settle()
        assert await ends.client.receive_many(most) == [b"0", b"1", b"2"][:expected]


async def test_receive_many_waits_for_one_message_only() -> None:
    async with both_ends() as ends:
        receiving = asyncio.create_task(ends.client.receive_many())
        await settle()
        assert not receiving.done()
        await ends.server.send(b"1")
        assert await receiving == [b"1"]


async def test_receiving_less_than_one_message_is_a_mistake() -> None:
    async with both_ends() as ends:
        with pytest.raises(UsageError, match="receive_many takes at least 1"):
            await ends.client.receive_many(0)


async def test_the_end_of_the_clients_messages_is_the_end_for_the_server_and_no_status() -> None:
    async with both_ends() as ends:
        await ends.client.send(b"last")
        await ends.client.end_sending()
        assert [message async for message in ends.server] == [b"last"]
        for _ in range(2):
            with pytest.raises(EndOfStream):
                await ends.server.receive()
        assert ends.server.status is None
        await ends.server.send(b"still here")
        assert await ends.client.receive() == b"still here"


async def test_after_the_end_what_came_before_it_is_there() -> None:
    async with both_ends() as ends:
        await ends.server.send_many([b"1", b"2"])
        ends.server._finish_ok()
        await settle()
        assert ends.client.status is not None
        assert ends.client.status.code is StatusCode.OK
        assert [message async for message in ends.client] == [b"1", b"2"]
        with pytest.raises(EndOfStream):
            await ends.client.receive()


async def test_an_error_is_raised_after_what_came_before_it_and_each_time_anew() -> None:
    async with both_ends() as ends:
        await ends.server.send(b"1")
        ends.server._finish_with(RpcError(StatusCode.NOT_FOUND, "gone").status)
        assert await ends.client.receive() == b"1"
        errors = []
        for _ in range(2):
            with pytest.raises(RpcError, match="NOT_FOUND: gone") as caught:
                await ends.client.receive()
            errors.append(caught.value)
        assert errors[0] is not errors[1]
        assert errors[0].origin is Origin.REMOTE


# Sending.


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
        ends.server._finish_with(RpcError(StatusCode.NOT_FOUND).status)
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


# The end.


CANCELLED_BY: dict[Side, str] = {from_client: "cancelled by this side", from_server: "cancelled by the handler"}
"""A server's text reaches the client, so it names who."""


@both_ways
async def test_cancelling_ends_the_call_on_both_sides(side: Side) -> None:
    async with both_ends() as ends:
        canceller, other = side(ends)
        canceller.cancel()
        assert canceller.status is not None
        assert (canceller.status.code, canceller.status.message) == (StatusCode.CANCELLED, CANCELLED_BY[side])
        await settle()
        with pytest.raises(Cancelled) as caught:
            await other.receive()
        assert caught.value.origin is Origin.REMOTE


@both_ways
async def test_cancelling_after_the_end_changes_nothing(side: Side) -> None:
    async with both_ends() as ends:
        ends.server._finish_ok()
        await settle()
        for stream in side(ends):
            stream.cancel()
            assert stream.status is not None
            assert stream.status.code is StatusCode.OK


@both_ways
async def test_a_receive_that_waits_is_woken_by_a_cancellation_of_its_own_side(side: Side) -> None:
    async with both_ends() as ends:
        _sender, receiver = side(ends)
        receiving = asyncio.create_task(awaited(receiver.receive()))
        await settle()
        receiver.cancel()
        with pytest.raises(Cancelled, match=CANCELLED_BY[from_server if side is from_client else from_client]):
            await receiving


async def test_a_lost_connection_is_unavailable_to_a_client_and_a_cancellation_to_a_handler() -> None:
    async with both_ends() as ends:
        ends.channel.wires[0].lose(ConnectionResetError("reset"))
        with pytest.raises(RpcError, match="UNAVAILABLE: connection lost") as caught:
            await ends.client.receive()
        assert caught.value.origin is Origin.TRANSPORT
        await settle()
        with pytest.raises(Cancelled):
            await ends.server.receive()


async def test_an_endless_receiver_lets_other_tasks_run() -> None:
    async with both_ends() as ends:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def receive_all() -> None:
            for _ in range(20_000):
                await ends.client.receive()

        counting = asyncio.create_task(count())
        await asyncio.gather(ends.server.send_many(b"x" for _ in range(20_000)), receive_all())
        counting.cancel()
        assert turns > 5
