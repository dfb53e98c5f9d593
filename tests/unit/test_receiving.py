"""Receiving, on either side."""

import asyncio

import pytest

from penstock import (
    BusyError,
    EndOfStream,
    UsageError,
)
from tests.unit.memory import both_ends, settle
from tests.unit.sides import Side, awaited, both_ways


@both_ways
async def test_a_receive_that_waits_gets_what_comes(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        receiving = asyncio.create_task(awaited(receiver.receive()))
        await settle()
        assert not receiving.done()
        await sender.send(b"late")
        assert await receiving == b"late"


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
