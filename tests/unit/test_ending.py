"""How a call ends, on either side."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from penstock import (
    Cancelled,
    End,
    EndOfStream,
    Limits,
    Origin,
    RpcError,
    Status,
    StatusCode,
)
from penstock._ending import end_of
from tests.unit.memory import Ends, both_ends, settle
from tests.unit.sides import Side, awaited, both_ways, from_client, from_server

INTERNAL_ERROR = 2
"""HTTP/2 error code. Source: RFC 9113 section 7."""


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
        ends.server._finish_with(RpcError(StatusCode.NOT_FOUND, "gone").status, End.RAISED)
        assert await ends.client.receive() == b"1"
        errors = []
        for _ in range(2):
            with pytest.raises(RpcError, match="NOT_FOUND: gone") as caught:
                await ends.client.receive()
            errors.append(caught.value)
        assert errors[0] is not errors[1]
        assert errors[0].origin is Origin.REMOTE


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


async def test_a_call_has_no_end_before_it_ended() -> None:
    async with both_ends() as ends:
        assert (ends.client.end, ends.server.end) == (None, None)


async def returns(ends: Ends) -> None:
    ends.server._finish_ok()


async def raises(ends: Ends) -> None:
    ends.server._finish_with(Status(StatusCode.NOT_FOUND, "gone"), End.RAISED)


async def client_cancels(ends: Ends) -> None:
    ends.client.cancel()


async def server_cancels(ends: Ends) -> None:
    ends.server.cancel()


async def client_resets(ends: Ends) -> None:
    ends.client._reset(INTERNAL_ERROR)
    ends.client._conclude(Status(StatusCode.CANCELLED), Origin.LOCAL, End.LEFT)


async def channel_closes(ends: Ends) -> None:
    await ends.channel.close()


async def connection_is_lost(ends: Ends) -> None:
    ends.channel.wires[0].lose(ConnectionResetError("reset"))


async def client_gives_the_connection_up(ends: Ends) -> None:
    connection = ends.channel.connector.newest
    assert connection is not None
    connection.abort("no answer to a PING", End.PEER_SILENT)


async def server_gives_the_connection_up(ends: Ends) -> None:
    [connection] = ends.channel.server._core.connections
    connection.abort("no answer to a PING", End.PEER_SILENT)


async def message_is_too_large(ends: Ends) -> None:
    ends.client.send_nowait(bytes(101))


ENDS = [
    (returns, End.RETURNED, End.RETURNED),
    (raises, End.RAISED, End.RAISED),
    (client_cancels, End.LEFT, End.PEER_CANCELLED),
    (server_cancels, End.RAISED, End.LEFT),
    (client_resets, End.LEFT, End.PEER_RESET),
    (channel_closes, End.CLOSED, End.PEER_CANCELLED),
    (connection_is_lost, End.CONNECTION_LOST, End.CONNECTION_LOST),
    (client_gives_the_connection_up, End.PEER_SILENT, End.CONNECTION_LOST),
    (server_gives_the_connection_up, End.CONNECTION_LOST, End.PEER_SILENT),
    (message_is_too_large, End.RAISED, End.LIMIT),
]


@pytest.mark.parametrize(("way", "of_client", "of_server"), ENDS, ids=lambda value: getattr(value, "__name__", ""))
async def test_each_side_knows_its_end_and_counts_it_once(
    way: Callable[[Ends], Awaitable[None]], of_client: End, of_server: End
) -> None:
    async with both_ends(server_limits=Limits(max_receive_message_bytes=100)) as ends:
        await way(ends)
        await settle()
        assert (ends.client.end, ends.server.end) == (of_client, of_server)
        counts = ends.channel._ends, ends.channel.server._core.ends
        assert [{end: count for end, count in of_side.items() if count} for of_side in counts] == [
            {of_client: 1},
            {of_server: 1},
        ]


async def test_a_server_knows_the_status_it_sent() -> None:
    async with both_ends() as ends:
        ends.server._finish_with(Status(StatusCode.NOT_FOUND, "gone"), End.RAISED)
        await settle()
        assert ends.server.status == ends.client.status == Status(StatusCode.NOT_FOUND, "gone")


async def test_an_end_that_is_overruled_is_counted_as_what_it_became() -> None:
    async with both_ends() as ends:
        ends.server._finish_ok()
        await settle()
        ends.client._overrule(Status(StatusCode.INTERNAL, "undecodable"), End.BROKEN)
        assert ends.client.end is End.BROKEN
        counts = ends.channel._ends
        assert (counts[End.RETURNED], counts[End.BROKEN]) == (0, 1)


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (None, End.LEFT),
        (ValueError(), End.LEFT),
        (GeneratorExit(), End.LEFT),
        (asyncio.CancelledError(), End.TASK_CANCELLED),
        (SystemExit(), End.EXITED),
        (KeyboardInterrupt(), End.EXITED),
    ],
)
def test_what_leaves_a_block_says_why_its_call_ends(error: BaseException | None, end: End) -> None:
    assert end_of(error) is end
