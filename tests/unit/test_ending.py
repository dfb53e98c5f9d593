"""How a call ends, on either side."""

import asyncio

import pytest

from penstock import (
    Cancelled,
    EndOfStream,
    Origin,
    RpcError,
    StatusCode,
)
from tests.unit.memory import both_ends, settle
from tests.unit.sides import Side, awaited, both_ways, from_client, from_server


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
