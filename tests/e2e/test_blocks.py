"""Does a streaming call live in its block, end with it, and say so when it is used otherwise?"""

import asyncio
import warnings

import pytest

import penstock
from tests.e2e.support import Echo, Gate, Pair, connected, notes, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


class Watched:
    """A handler that sends for ever, and keeps how it ended."""

    def __init__(self) -> None:
        self.outcomes: list[BaseException] = []

    async def __call__(self, request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            while True:
                await stream.send(request)
                await asyncio.sleep(0)
        except BaseException as error:
            self.outcomes.append(error)
            raise


async def _break(pair: Pair) -> None:
    async with pair.client.server_stream(Note()) as stream:
        async for _reply in stream:
            break


async def _raise(pair: Pair) -> None:
    with pytest.raises(ZeroDivisionError):
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
            raise ZeroDivisionError


async def _return(pair: Pair) -> Note:
    async with pair.client.server_stream(Note()) as stream:
        async for reply in stream:
            return reply
    pytest.fail("it returns before")


async def _cancel_the_call(pair: Pair) -> None:
    async with pair.client.server_stream(Note()) as stream:
        await stream.receive()
        stream.cancel()
        with pytest.raises(penstock.Cancelled):
            await stream.receive()


async def _cancel_the_task(pair: Pair) -> None:
    async def read_on() -> None:
        async with pair.client.server_stream(Note()) as stream:
            async for _reply in stream:
                reading.set()

    reading = asyncio.Event()
    task = asyncio.create_task(read_on())
    await reading.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize("leave", [_break, _raise, _return, _cancel_the_call, _cancel_the_task])
async def test_every_way_out_of_the_block_ends_the_handler(leave: object) -> None:
    handler = Watched()
    async with connected(Echo(server_stream=handler)) as pair:
        await within_bound(leave(pair))  # type: ignore[operator]
        await until(lambda: handler.outcomes)
        assert isinstance(handler.outcomes[0], penstock.Cancelled | asyncio.CancelledError)
        await pair.until_no_call_is_open()


async def test_a_call_used_outside_its_block_says_what_to_write() -> None:
    async with connected() as pair:
        for call in (pair.client.both_stream(), pair.client.client_stream()):
            kind = call.method.rpartition("/")[2]
            text = rf"write `async with client.{kind}\(...\) as stream:`"
            for use in (call.receive, lambda call=call: call.send(Note()), call.end_sending, call.finish):
                with pytest.raises(penstock.UsageError, match=text):
                    await use()
            with pytest.raises(penstock.UsageError, match=text):
                await call.send_many(notes(2))
            with pytest.raises(penstock.UsageError, match=text):
                await call.send_from(notes(2))
            with pytest.raises(penstock.UsageError, match=text):
                await call.receive_many()
            with pytest.raises(penstock.UsageError, match=text):
                await call.initial_metadata()
            with pytest.raises(penstock.UsageError, match=text):
                call.send_nowait(Note())
            with pytest.raises(penstock.UsageError, match=text):
                async for _reply in call:
                    pass


async def test_a_mistake_before_the_block_does_not_spoil_it() -> None:
    async with connected() as pair:
        call = pair.client.both_stream()
        for use in (call.receive, call.finish):
            with pytest.raises(penstock.UsageError):
                await use()
        with pytest.raises(penstock.UsageError):
            await call.send_from(notes(1))
        async with call as stream:
            await stream.send(Note(text="good"))
            await stream.end_sending()
            assert [reply.text async for reply in stream] == ["good"]


async def test_a_server_stream_cannot_be_read_without_a_block() -> None:
    async with connected() as pair:
        with pytest.raises(penstock.UsageError, match=r"write `async with client.ServerStream\(...\) as stream:`"):
            async for _reply in pair.client.server_stream(Note(number=1)):
                pass


async def test_a_call_is_used_once() -> None:
    async with connected() as pair:
        unary = pair.client.unary(Note(text="x"))
        assert (await unary).text == "x"
        with pytest.raises(penstock.UsageError, match="used once"):
            await unary
        assert unary.status == penstock.Status(penstock.StatusCode.OK)
        call = pair.client.both_stream()
        async with call as stream:
            await stream.finish()
        with pytest.raises(penstock.UsageError, match="used once"):
            async with call:
                pytest.fail("the block was entered")


async def test_a_second_use_does_not_disturb_the_first() -> None:
    async with connected() as pair:
        call = pair.client.both_stream()
        async with call as stream:
            with pytest.raises(penstock.UsageError, match="used once"):
                async with call:
                    pytest.fail("the block was entered")
            await stream.send(Note(text="well"))
            assert (await within_bound(stream.receive())).text == "well"
            await stream.finish()


async def test_a_second_await_does_not_disturb_the_first() -> None:
    go_on = asyncio.Event()

    async def wait(request: Note, call: penstock.ServerCall) -> Note:
        del call
        await go_on.wait()
        return request

    async with connected(Echo(unary=wait)) as pair:
        unary = pair.client.unary(Note(text="x"))

        async def ask() -> Note:
            return await unary

        first = asyncio.create_task(ask())
        await until(lambda: pair.open_calls()["server"])
        with pytest.raises(penstock.UsageError, match="used once"):
            await unary
        go_on.set()
        assert (await within_bound(first)).text == "x"


async def test_an_upload_left_without_finish_warns_where_the_block_is_and_is_cancelled() -> None:
    gate = Gate()

    async def upload(stream: penstock.ServerStream[Note, Note]) -> Note:
        gate.opened.set()
        await gate(stream)
        return Note()

    async with connected(Echo(client_stream=upload)) as pair:
        with pytest.warns(penstock.UnfinishedCall, match=r"ClientStream.*without finish\(\) or cancel\(\)") as caught:
            async with pair.client.client_stream() as stream:
                await stream.send(Note())
        assert caught[0].filename == __file__
        await until(lambda: gate.outcome)
        assert isinstance(gate.outcome, penstock.Cancelled)


async def test_an_upload_is_cancelled_even_where_warnings_are_errors() -> None:
    async with connected() as pair:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(penstock.UnfinishedCall):
                async with pair.client.client_stream() as stream:
                    await stream.send(Note())
        assert stream.status is not None
        assert stream.status.code == penstock.StatusCode.CANCELLED
        await pair.until_no_call_is_open()


async def test_only_an_unfinished_upload_warns() -> None:
    async with connected() as pair:
        async with pair.client.client_stream() as finished:
            await finished.finish()
        async with pair.client.client_stream() as cancelled:
            cancelled.cancel()
        with pytest.raises(ZeroDivisionError):
            async with pair.client.client_stream():
                raise ZeroDivisionError
        async with pair.client.both_stream():
            pass
        async with pair.client.server_stream(Note(number=10)):
            pass


async def test_an_upload_the_server_ended_early_does_not_warn() -> None:
    async def enough(stream: penstock.ServerStream[Note, Note]) -> Note:
        await stream.receive()
        return Note(text="enough")

    async with connected(Echo(client_stream=enough)) as pair, pair.client.client_stream() as stream:
        await stream.send(Note())
        await until(lambda: stream.status is not None)
        assert (await stream.finish()).text == "enough"


async def test_finish_may_be_cancelled_and_called_again() -> None:
    go_on, replied = asyncio.Event(), asyncio.Event()

    async def slow(stream: penstock.ServerStream[Note, Note]) -> None:
        async for _note in stream:
            pass
        await stream.send(Note(text="the reply"))
        replied.set()
        await go_on.wait()

    async with connected(Echo(client_stream=slow, both_stream=slow)) as pair:
        # The reply is there, the status is not: the raw method of the handler above answers like an upload.
        upload = penstock.Method("/penstock.test.echo.Echo/BothStream", penstock.Kind.CLIENT_STREAM, Note, Note)
        async with pair.channel.call_client_stream(upload) as stream:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(stream.finish(), 0.02)
            assert replied.is_set()
            go_on.set()
            assert (await within_bound(stream.finish())).text == "the reply"


async def test_finish_may_be_called_again_after_the_end_and_gives_the_same() -> None:
    async with connected() as pair, pair.client.client_stream() as stream:
        await stream.send(Note(text="x"))
        first = await stream.finish()
        assert await within_bound(stream.finish()) == first
        assert stream.status == penstock.Status(penstock.StatusCode.OK)


async def test_two_tasks_that_finish_at_once_are_not_left_waiting() -> None:
    async with connected() as pair, pair.client.client_stream() as stream:
        await stream.send(Note(text="x"))
        outcomes = await within_bound(asyncio.gather(stream.finish(), stream.finish(), return_exceptions=True))
        assert Note(text="x", number=1) in outcomes
        for outcome in outcomes:
            assert isinstance(outcome, Note | penstock.BusyError)


async def test_after_its_block_a_call_tells_how_it_ended() -> None:
    async with connected() as pair:
        async with pair.client.server_stream(Note(number=10**6)) as left:
            await left.receive()
        with pytest.raises(penstock.Cancelled):
            await left.receive()
        async with pair.client.both_stream() as done:
            await done.finish()
        with pytest.raises(penstock.EndOfStream):
            await done.receive()
        for call in (left, done):
            with pytest.raises((penstock.Cancelled, penstock.ClosedError, penstock.EndOfStream)):
                await call.send(Note())  # type: ignore[arg-type]
