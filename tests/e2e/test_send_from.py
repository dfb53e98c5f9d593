"""Does an iterable feed a call, and does its failure never look like a clean end?"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

import penstock
from tests.e2e.support import TINY, Echo, Gate, connected, notes, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


class SourceError(Exception):
    """What a source of messages may raise."""


async def test_a_list_a_generator_and_an_async_generator_feed_an_upload() -> None:
    async def later() -> AsyncIterator[Note]:
        for note in notes(3):
            await asyncio.sleep(0)
            yield note

    async with connected() as pair:
        for source in (notes(3), iter(notes(3)), later()):
            async with pair.client.client_stream() as stream:
                await stream.send_from(source)
                assert await stream.finish() == Note(text="note 2", number=3)


async def test_encoded_messages_may_come_from_a_source() -> None:
    async with connected() as pair, pair.client.client_stream() as stream:
        await stream.send_from([penstock.encode(note) for note in notes(3)])
        assert await stream.finish() == Note(text="note 2", number=3)


async def test_a_source_of_one_stream_may_be_another_stream() -> None:
    async with (
        connected() as pair,
        pair.client.server_stream(Note(number=100)) as source,
        pair.client.client_stream() as stream,
    ):
        await stream.send_from(source)
        assert (await stream.finish()).number == 100


def _breaking() -> Iterator[Note]:
    yield Note(text="first")
    raise SourceError


async def _breaking_later() -> AsyncIterator[Note]:
    yield Note(text="first")
    await asyncio.sleep(0)
    raise SourceError


@pytest.mark.parametrize("source", [_breaking, _breaking_later])
async def test_an_exception_of_the_source_is_raised_and_cancels_the_call(source: object) -> None:
    gate = Gate()
    gate.opened.set()
    async with connected(Echo(both_stream=gate)) as pair, pair.client.both_stream() as stream:
        with pytest.raises(SourceError):
            await stream.send_from(source())  # type: ignore[operator]
        assert stream.status is not None
        assert stream.status.code == penstock.StatusCode.CANCELLED
        await until(lambda: gate.outcome)
        assert isinstance(gate.outcome, penstock.Cancelled), "the handler must not see a clean end"


async def test_a_wrong_message_of_the_source_cancels_the_call() -> None:
    async with connected() as pair, pair.client.client_stream() as stream:
        with pytest.raises(penstock.UsageError, match="this call sends Note, not str"):
            await stream.send_from([Note(), "text"])  # type: ignore[list-item]
        assert stream.status is not None
        assert stream.status.code == penstock.StatusCode.CANCELLED


async def test_the_status_of_a_server_that_refuses_meanwhile_is_raised_as_it_is() -> None:
    async def refuse(stream: penstock.ServerStream[Note, Note]) -> Note:
        await stream.receive()
        raise penstock.RpcError(penstock.StatusCode.PERMISSION_DENIED, "not you")

    def endless() -> Iterator[Note]:
        while True:
            yield Note(payload=bytes(1000))

    async with connected(Echo(client_stream=refuse)) as pair, pair.client.client_stream() as stream:
        with pytest.raises(penstock.RpcError, match="not you"):
            await within_bound(stream.send_from(endless()))
        assert stream.status == penstock.Status(penstock.StatusCode.PERMISSION_DENIED, "not you")


async def test_an_error_of_another_call_in_the_source_cancels_this_one() -> None:
    async with connected() as pair, pair.client.client_stream() as stream:

        async def other() -> AsyncIterator[Note]:
            yield Note()
            raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "of the source")

        with pytest.raises(penstock.RpcError, match="of the source"):
            await stream.send_from(other())
        assert stream.status is not None
        assert stream.status.code == penstock.StatusCode.CANCELLED


async def test_a_timeout_around_it_leaves_the_call_open() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            messages = (Note(number=number, payload=bytes(500)) for number in range(100))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await stream.send_from(messages)
            assert stream.status is None
            gate.opened.set()
            await stream.send(Note(text="last"))
            await within_bound(stream.finish())
        sent = [note.number for note in gate.received[:-1]]
        assert sent == list(range(len(sent)))
        assert gate.received[-1].text == "last"


async def test_a_handler_may_send_from_a_source() -> None:
    async def feed(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_from(notes(request.number))

    async with connected(Echo(server_stream=feed)) as pair, pair.client.server_stream(Note(number=200)) as stream:
        assert [reply async for reply in stream] == notes(200)


async def test_a_handlers_source_that_breaks_is_not_a_clean_end(caplog: pytest.LogCaptureFixture) -> None:
    async def feed(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        del request
        await stream.send_from(_breaking())

    async with connected(Echo(server_stream=feed)) as pair, pair.client.server_stream(Note()) as stream:
        with pytest.raises(penstock.RpcError) as caught:
            async for _reply in stream:
                pass
        assert caught.value.code in {penstock.StatusCode.CANCELLED, penstock.StatusCode.UNKNOWN}
    assert "SourceError" in caplog.text


# A source that has nothing to give when the call ends, or has more than is wanted.


class Source:
    """An endless async generator that gives some messages and then waits for ever; or a plain one that gives on."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.waits = asyncio.Event()
        self.task: asyncio.Task[object] | None = None
        self.closed_in: asyncio.Task[object] | None = None

    async def messages(self) -> AsyncIterator[Note]:
        self.task = asyncio.current_task()
        try:
            for note in notes(self.count):
                yield note
            self.waits.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # it may await while it is closed
            self.closed_in = asyncio.current_task()

    def messages_without_waiting(self) -> Iterator[Note]:
        self.task = asyncio.current_task()
        try:
            while True:
                yield Note(payload=bytes(1000))
        finally:
            self.closed_in = asyncio.current_task()


async def ends_at(count: int, code: penstock.StatusCode, stream: "penstock.ServerStream[Note, Note]") -> Note:
    for _ in range(count):
        await stream.receive()
    if code:
        raise penstock.RpcError(code, "not you")
    return Note()


@pytest.mark.parametrize(
    ("code", "error"),
    [(penstock.StatusCode.OK, penstock.EndOfStream), (penstock.StatusCode.PERMISSION_DENIED, penstock.RpcError)],
)
async def test_a_source_that_waits_is_closed_when_the_server_ends_the_call(
    code: penstock.StatusCode, error: type[Exception]
) -> None:
    # field.md 1a, row 7: what fed a call stayed for ever when the call had ended meanwhile.
    source = Source(3)
    async with connected(Echo(client_stream=lambda stream: ends_at(3, code, stream))) as pair:
        async with pair.client.client_stream() as stream:
            with pytest.raises(error):
                await within_bound(stream.send_from(source.messages()))
            assert source.waits.is_set()
            assert source.closed_in is source.task is not None
            # One that comes too late is not asked at all: it may never give anything.
            late = Source(0)
            with pytest.raises(error):
                await within_bound(stream.send_from(late.messages()))
            assert late.task is None


async def test_a_task_that_feeds_a_call_ends_with_it() -> None:
    """A reader and a feeder in a group: the group would wait for the feeder for ever."""
    source = Source(3)

    async def answer(stream: penstock.ServerStream[Note, Note]) -> None:
        for _ in range(3):
            await stream.send(await stream.receive())

    async with connected(Echo(both_stream=answer)) as pair, pair.client.both_stream() as stream:
        feeding = asyncio.ensure_future(stream.send_from(source.messages()))
        assert [note async for note in stream] == notes(3)
        with pytest.raises(penstock.EndOfStream):
            await within_bound(feeding)
        assert source.closed_in is source.task is feeding


async def test_a_source_that_waits_is_closed_when_this_side_cancels() -> None:
    source = Source(0)
    async with connected() as pair, pair.client.both_stream() as stream:
        feeding = asyncio.ensure_future(stream.send_from(source.messages()))
        await within_bound(source.waits.wait())
        stream.cancel()
        with pytest.raises(penstock.Cancelled):
            await within_bound(feeding)
        assert source.closed_in is source.task is feeding


async def test_a_handlers_source_that_waits_is_closed_when_the_client_leaves() -> None:
    source = Source(1)
    raised: list[BaseException] = []

    async def feed(_request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            await stream.send_from(source.messages())
        except BaseException as error:
            raised.append(error)
            await asyncio.sleep(0)  # it is not cancelled besides
            raise

    async with connected(Echo(server_stream=feed)) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
            await within_bound(source.waits.wait())
        await pair.until_no_call_is_open()
        assert [type(error) for error in raised] == [penstock.Cancelled]
        assert source.closed_in is source.task is not None


async def test_a_timeout_of_the_source_is_its_own() -> None:
    async def slow() -> AsyncIterator[Note]:
        yield Note()
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    async with connected() as pair, pair.client.client_stream() as stream:
        with pytest.raises(TimeoutError):
            await within_bound(stream.send_from(slow()))
        assert stream.end is penstock.End.LEFT


async def test_a_source_that_gives_more_than_is_wanted_is_closed() -> None:
    for how in (Source.messages, Source.messages_without_waiting):
        source = Source(100_000)
        async with connected(Echo(client_stream=lambda stream: ends_at(1, penstock.StatusCode.OK, stream))) as pair:
            async with pair.client.client_stream() as stream:
                with pytest.raises(penstock.EndOfStream):
                    await within_bound(stream.send_from(how(source)))
                assert source.closed_in is source.task is not None


async def test_a_source_is_closed_when_the_task_that_sends_is_cancelled_and_the_call_goes_on() -> None:
    source = Source(2)
    async with connected() as pair, pair.client.both_stream() as stream:
        feeding = asyncio.ensure_future(stream.send_from(source.messages()))
        await within_bound(source.waits.wait())
        feeding.cancel()
        await asyncio.wait([feeding])
        assert feeding.cancelled()
        assert source.closed_in is feeding
        await stream.end_sending()
        assert [note async for note in stream] == notes(2)


async def test_who_reads_is_woken_when_what_feeds_the_call_breaks() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate)) as pair, pair.client.both_stream() as stream:
        reading = asyncio.ensure_future(_read(stream))
        with pytest.raises(SourceError):
            await stream.send_from(_breaking_later())
        with pytest.raises(penstock.Cancelled):
            await within_bound(reading)
        await until(lambda: gate.outcome)


async def _read(stream: "penstock.BothStreamCall[Note, Note]") -> None:
    async for _ in stream:
        pass
