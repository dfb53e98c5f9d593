"""What does each way to receive do: alone, in tasks, beside others, and at the end?"""

import asyncio

import pytest

import penstock
from tests.e2e.support import Echo, connected, notes, turns, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


async def _send_and_hold(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
    """Send `number` notes, then neither send nor end."""
    await stream.send_many(notes(request.number))
    await asyncio.Event().wait()


async def test_receive_gives_each_message_and_then_end_of_stream_again_and_again() -> None:
    async with connected() as pair, pair.client.server_stream(Note(number=2)) as stream:
        assert (await stream.receive()).number == 0
        assert (await stream.receive()).number == 1
        for _ in range(3):
            with pytest.raises(penstock.EndOfStream):
                await stream.receive()
        assert [reply async for reply in stream] == []


async def test_the_messages_before_a_failure_come_before_it() -> None:
    async def fail(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_many(notes(request.number))
        raise penstock.RpcError(penstock.StatusCode.DATA_LOSS, "disk")

    async with connected(Echo(server_stream=fail)) as pair, pair.client.server_stream(Note(number=50)) as stream:
        await until(lambda: stream.status is not None)
        received = []
        with pytest.raises(penstock.RpcError, match="disk"):
            async for reply in stream:
                received.append(reply)
        assert received == notes(50)
        with pytest.raises(penstock.RpcError, match="disk"):
            await stream.receive()


async def test_each_failure_is_a_new_exception_with_a_traceback_of_its_own() -> None:
    async def fail(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        raise penstock.RpcError(penstock.StatusCode.DATA_LOSS)

    async with connected(Echo(server_stream=fail)) as pair, pair.client.server_stream(Note()) as stream:
        errors = []
        for _ in range(2):
            with pytest.raises(penstock.RpcError) as caught:
                await stream.receive()
            errors.append(caught.value)
        assert errors[0] is not errors[1]


async def test_receive_many_takes_what_is_there_and_no_more_than_asked() -> None:
    async with (
        connected(Echo(server_stream=_send_and_hold)) as pair,
        pair.client.server_stream(Note(number=250)) as stream,
    ):
        received: list[Note] = []
        while len(received) < 250:
            some = await within_bound(stream.receive_many(100))
            assert 1 <= len(some) <= 100
            received += some
        assert received == notes(250)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.receive_many(), 0.01)


async def test_receive_many_ends_like_receive() -> None:
    async with connected() as pair, pair.client.server_stream(Note(number=3)) as stream:
        await until(lambda: stream.status is not None)
        assert len(await stream.receive_many(2)) == 2
        assert len(await stream.receive_many()) == 1
        with pytest.raises(penstock.EndOfStream):
            await stream.receive_many()
        with pytest.raises(penstock.UsageError, match="at least 1"):
            await stream.receive_many(0)


async def test_a_second_receiver_is_told_that_the_stream_is_busy() -> None:
    async with (
        connected(Echo(server_stream=_send_and_hold)) as pair,
        pair.client.server_stream(Note(number=0)) as stream,
    ):
        first = asyncio.create_task(stream.receive())
        await turns(3)
        with pytest.raises(penstock.BusyError, match="another task is receiving"):
            await stream.receive()
        with pytest.raises(penstock.BusyError):
            async for _reply in stream:
                pass
        with pytest.raises(penstock.BusyError):
            await stream.receive_many()
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.receive(), 0.01)


async def test_a_receive_is_a_coroutine_to_asyncio() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:
        task = asyncio.create_task(stream.receive(), name="receiving")
        assert "receiving" in repr(task)
        await stream.send(Note(text="one"))
        assert (await within_bound(task)).text == "one"
        await stream.send(Note(text="two"))
        assert (await asyncio.wait_for(anext(stream), 10)).text == "two"
        await stream.send(Note(text="three"))
        first, second = await within_bound(asyncio.gather(stream.receive(), asyncio.to_thread(str, "other")))
        assert (first.text, second) == ("three", "other")
        await stream.send(Note(text="four"))
        assert (await asyncio.shield(stream.receive())).text == "four"
        await asyncio.create_task(stream.send(Note(text="five")))
        await asyncio.gather(stream.send(Note(text="six")), stream.send(Note(text="seven")))
        await asyncio.wait_for(stream.send(Note(text="eight")), 10)
        await stream.end_sending()
        assert [reply.text async for reply in stream] == ["five", "six", "seven", "eight"]


async def test_a_receive_that_is_never_awaited_takes_nothing() -> None:
    async with connected() as pair, pair.client.server_stream(Note(number=2)) as stream:
        await until(lambda: stream.status is not None)
        stream.receive()  # type: ignore[unused-coroutine]  # the mistake that is tested
        anext(stream)  # type: ignore[unused-coroutine]
        asyncio.create_task(stream.receive()).cancel()
        assert [reply.number async for reply in stream] == [0, 1]


async def test_iterating_may_stop_and_go_on() -> None:
    async with connected() as pair, pair.client.server_stream(Note(number=5)) as stream:
        async for reply in stream:
            if reply.number == 1:
                break
        assert (await stream.receive()).number == 2
        assert [reply.number async for reply in stream] == [3, 4]


async def test_sender_and_receiver_may_be_different_tasks() -> None:
    async with connected() as pair, pair.client.both_stream() as stream:

        async def send() -> None:
            await stream.send_many(notes(2000))
            await stream.end_sending()

        sending = asyncio.create_task(send())
        assert [reply async for reply in stream] == notes(2000)
        await sending


async def test_a_handler_sees_end_of_stream_after_the_half_close_and_may_go_on_sending() -> None:
    async def answer_after_the_end(stream: penstock.ServerStream[Note, Note]) -> None:
        count = 0
        while True:
            try:
                await stream.receive()
            except penstock.EndOfStream:
                break
            count += 1
        await stream.send_many(notes(count))

    async with connected(Echo(both_stream=answer_after_the_end)) as pair, pair.client.both_stream() as stream:
        await stream.send_many(notes(100))
        await stream.end_sending()
        assert [reply async for reply in stream] == notes(100)
