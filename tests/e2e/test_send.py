"""What does each way to send do: with room, without room, and after an end?"""

import asyncio

import pytest

import penstock
from tests.e2e.support import TINY, Echo, Gate, connected, fill_up, notes, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

KIB = bytes(1024)


async def test_send_waits_when_window_and_buffer_are_full_and_goes_on_when_the_peer_reads() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            count = await fill_up(stream)
            waiting = asyncio.create_task(stream.send(Note(text="last", payload=KIB)))
            done, _ = await asyncio.wait([waiting], timeout=0.05)
            assert not done
            gate.opened.set()
            await within_bound(waiting)
            await stream.end_sending()
            await within_bound(stream.finish())
        assert [note.number for note in gate.received[:-1]] == list(range(count))
        assert gate.received[-1].text == "last"


async def test_what_waits_is_bounded_by_window_buffer_and_one_message() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            await fill_up(stream, size=500)
            (call,) = next(iter(pair.server._core.connections)).calls
            assert stream._queued_bytes <= TINY.send_buffer_bytes + 520
            assert call._held_bytes <= TINY.stream_window_bytes
            stream.cancel()


async def test_send_nowait_that_finds_no_room_queues_nothing() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            count = await fill_up(stream)
            with pytest.raises(penstock.WouldBlock, match=r"\d+ bytes are queued"):
                stream.send_nowait(Note(text="too much"))
            gate.opened.set()
            await within_bound(stream.finish())
        assert [note.number for note in gate.received] == list(range(count))


async def test_send_many_waits_for_room_in_the_middle() -> None:
    gate = Gate()
    messages = [Note(number=number, payload=KIB) for number in range(50)]
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            sending = asyncio.create_task(stream.send_many(messages))
            done, _ = await asyncio.wait([sending], timeout=0.05)
            assert not done
            gate.opened.set()
            await within_bound(sending)
            await within_bound(stream.finish())
        assert gate.received == messages


async def test_messages_of_several_tasks_stay_whole_and_in_the_order_of_their_task() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:

            async def send(name: str) -> None:
                for number in range(50):
                    await stream.send(Note(text=name, number=number, payload=name.encode() * 700))

            async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
                for name in "abc":
                    tasks.create_task(send(name))
                gate.opened.set()
            await within_bound(stream.finish())
        for name in "abc":
            own = [note for note in gate.received if note.text == name]
            assert [note.number for note in own] == list(range(50))
            assert all(note.payload == name.encode() * 700 for note in own)


async def test_nothing_can_be_sent_after_end_sending() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        await stream.send(Note(text="before"))
        await stream.end_sending()
        await stream.end_sending()
        for send in (stream.send, lambda note: stream.send_many([note]), lambda note: stream.send_from([note])):
            with pytest.raises(penstock.ClosedError, match="after end_sending"):
                await send(Note())
        with pytest.raises(penstock.ClosedError, match="after end_sending"):
            stream.send_nowait(Note())
        assert [reply.text async for reply in stream] == ["before"]


@pytest.mark.wire("W22")
async def test_send_after_the_server_failed_raises_its_status() -> None:
    async def refuse(stream: penstock.ServerStream[Note, Note]) -> None:
        raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "no such room")

    async with connected(Echo(both_stream=refuse)) as pair, pair.client.both_stream() as stream:
        await until(lambda: stream.status is not None)
        for _ in range(2):
            with pytest.raises(penstock.RpcError, match="no such room") as caught:
                await stream.send(Note())
            assert caught.value.code == penstock.StatusCode.NOT_FOUND
            assert caught.value.origin is penstock.Origin.REMOTE
        with pytest.raises(penstock.RpcError, match="no such room"):
            stream.send_nowait(Note())


async def test_send_after_the_server_ended_well_raises_end_of_stream() -> None:
    async def leave(stream: penstock.ServerStream[Note, Note]) -> None:
        del stream

    async with connected(Echo(both_stream=leave)) as pair, pair.client.both_stream() as stream:
        await until(lambda: stream.status is not None)
        with pytest.raises(penstock.EndOfStream):
            await stream.send(Note())
        with pytest.raises(penstock.EndOfStream):
            stream.send_nowait(Note())


@pytest.mark.wire("W22")
@pytest.mark.parametrize("code", [penstock.StatusCode.OK, penstock.StatusCode.ABORTED])
async def test_send_that_waits_learns_that_the_server_ended(code: penstock.StatusCode) -> None:
    leave = asyncio.Event()

    async def stall(stream: penstock.ServerStream[Note, Note]) -> None:
        del stream
        await leave.wait()
        if code:
            raise penstock.RpcError(code, "enough")

    async with connected(Echo(both_stream=stall), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            await fill_up(stream)
            waiting = [asyncio.create_task(stream.send(Note(payload=KIB))) for _ in range(3)]
            await asyncio.wait(waiting, timeout=0.02)
            leave.set()
            outcomes = await within_bound(asyncio.gather(*waiting, return_exceptions=True))
            expected = penstock.RpcError if code else penstock.EndOfStream
            assert [type(outcome) for outcome in outcomes] == [expected] * 3


async def test_a_handler_that_waits_to_send_learns_that_its_client_left() -> None:
    outcome: list[BaseException] = []

    async def flood(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            while True:
                await stream.send(Note(payload=KIB))
        except BaseException as error:
            outcome.append(error)
            raise

    async with connected(Echo(server_stream=flood), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
        await until(lambda: outcome)
        assert isinstance(outcome[0], penstock.Cancelled)


async def test_a_message_of_the_wrong_type_is_refused_and_the_stream_goes_on() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        for wrong in ("text", b"bytes", None, 5, Note):
            with pytest.raises(penstock.UsageError, match="this call sends Note, not"):
                await stream.send(wrong)  # type: ignore[arg-type]
            with pytest.raises(penstock.UsageError, match="this call sends Note, not"):
                stream.send_nowait(wrong)  # type: ignore[arg-type]
        await stream.send_many(notes(2))
        await stream.end_sending()
        assert [reply async for reply in stream] == notes(2)


async def test_what_a_handler_sends_after_it_returned_is_refused() -> None:
    kept: list[penstock.ServerStream[Note, Note]] = []

    async def leave(stream: penstock.ServerStream[Note, Note]) -> None:
        kept.append(stream)
        await stream.send(Note(text="last"))

    async with connected(Echo(both_stream=leave)) as pair, pair.client.both_stream() as stream:
        assert [reply.text async for reply in stream] == ["last"]
        with pytest.raises(penstock.EndOfStream):
            await kept[0].send(Note())
