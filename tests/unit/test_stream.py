"""A stream of messages, the same on both sides."""

from tests.unit.memory import both_ends
from tests.unit.sides import Side, both_ways


@both_ways
async def test_messages_come_in_the_order_they_were_sent(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        await sender.send(b"1")
        sender.send_nowait(b"2")
        await sender.send_many([b"3", b""])
        await sender.send_from(iter([b"5"]))
        assert [await receiver.receive() for _ in range(5)] == [b"1", b"2", b"3", b"", b"5"]
