"""Does `merge=` give each message to a peer that keeps up, and the sum of them to one that does not?"""

import asyncio

import pytest

import penstock
from tests.e2e.support import TINY, Echo, Gate, connected, fill_up, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


def joined(older: Note, newer: Note) -> Note:
    return Note(text=older.text + newer.text, payload=older.payload)


async def test_nothing_is_merged_while_the_peer_keeps_up() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        for letter in "abcdef":
            await stream.send(Note(text=letter), merge=joined)
            assert (await within_bound(stream.receive())).text == letter
        await stream.finish()


async def test_messages_are_merged_while_the_peer_stalls_and_none_is_lost() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            before = await fill_up(stream)
            tokens = [f"{number} " for number in range(1000)]

            async def send_all() -> None:
                for token in tokens:
                    await stream.send(Note(text=token), merge=joined)

            sending = asyncio.create_task(send_all())
            await asyncio.wait([sending], timeout=0.02)
            gate.opened.set()
            await within_bound(sending)
            await within_bound(stream.finish())
        merged = gate.received[before:]
        assert "".join(note.text for note in merged) == "".join(tokens)
        assert len(merged) < len(tokens)


async def test_a_stalled_peer_costs_one_message_however_many_are_merged() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            count = 0
            while True:  # room for the first message that is to be merged into
                try:
                    stream.send_nowait(Note(payload=bytes(100)))
                except penstock.WouldBlock:
                    if stream._queued_bytes >= TINY.send_buffer_bytes and count == stream._queued_bytes:
                        break
                    count = stream._queued_bytes
                    await asyncio.sleep(0.01)  # real time: what is on its way through two sockets has no event
            first = asyncio.create_task(stream.send(Note(text="0 "), merge=joined))
            await asyncio.wait([first], timeout=0.02)
            gate.opened.set()
            await within_bound(first)
            await within_bound(stream.finish())
        assert gate.received[-1].text == "0 "


async def test_sends_in_one_step_are_merged_for_they_are_all_unsent() -> None:
    gate = Gate()
    gate.opened.set()
    async with connected(Echo(both_stream=gate)) as pair, pair.client.both_stream() as stream:
        for letter in "abc":
            await stream.send(Note(text=letter), merge=joined)
        await stream.finish()
        assert "".join(note.text for note in gate.received) == "abc"
        assert len(gate.received) < 3


async def test_a_plain_message_between_merging_ones_keeps_its_place() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate)) as pair, pair.client.both_stream() as stream:
        await stream.send(Note(text="a"), merge=joined)
        await stream.send(Note(text="b"), merge=joined)
        await stream.send(Note(text="plain"))
        await stream.send(Note(text="c"), merge=joined)
        await stream.send(Note(text="d"), merge=joined)
        gate.opened.set()
        await within_bound(stream.finish())
        texts = [note.text for note in gate.received]
        assert "".join(texts) == "abplaincd"
        assert "plain" in texts


async def test_merging_while_messages_wait_keeps_each_kind_in_order() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            before = await fill_up(stream)

            async def send_all() -> None:
                for number in range(100):
                    await stream.send(Note(text=f"({number})"), merge=joined)
                    if number % 10 == 9:
                        await stream.send(Note(text=f"[{number}]"))

            sending = asyncio.create_task(send_all())
            await asyncio.wait([sending], timeout=0.02)
            gate.opened.set()
            await within_bound(sending)
            await within_bound(stream.finish())
        expected = "".join(f"({number})" + (f"[{number}]" if number % 10 == 9 else "") for number in range(100))
        assert "".join(note.text for note in gate.received[before:]) == expected


async def test_a_cancelled_merging_send_hands_over_all_or_nothing() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            before = await fill_up(stream)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(stream.send(Note(text="lost"), merge=joined), 0.01)
            gate.opened.set()
            await within_bound(stream.send(Note(text="kept"), merge=joined))
            await within_bound(stream.finish())
        assert [note.text for note in gate.received[before:]] == ["kept"]


async def test_an_exception_of_the_merging_function_reaches_the_sender_and_loses_nothing() -> None:
    def refuse(older: Note, newer: Note) -> Note:
        raise LookupError(older.text + newer.text)

    gate = Gate()
    gate.opened.set()
    async with connected(Echo(both_stream=gate)) as pair, pair.client.both_stream() as stream:
        await stream.send(Note(text="a"), merge=joined)
        with pytest.raises(LookupError, match="ab"):
            await stream.send(Note(text="b"), merge=refuse)
        await stream.finish()
        assert [note.text for note in gate.received] == ["a"]


async def test_a_handler_merges_for_a_slow_client() -> None:
    tokens = [f"{number} " for number in range(2000)]

    async def generate(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        for token in tokens:
            await stream.send(Note(text=token, payload=request.payload), merge=joined)
            await asyncio.sleep(0)

    async with connected(Echo(server_stream=generate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note(payload=bytes(100))) as stream:
            received = []
            async for reply in stream:
                received.append(reply.text)
                for _ in range(5):  # slower than the handler
                    await asyncio.sleep(0)
        assert "".join(received) == "".join(tokens)
        assert len(received) < len(tokens)
