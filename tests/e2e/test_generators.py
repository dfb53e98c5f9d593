"""When and where is the generator of a handler closed?"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Never

import pytest

import penstock
from tests.e2e.support import TINY, Echo, connected, notes, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

USER: ContextVar[str] = ContextVar("user", default="nobody")
KIB = bytes(1024)


class Story:
    """What happened in a generator, and in which task."""

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = None
        self.error: BaseException | None = None
        self.closed = asyncio.Event()

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Fail the test that finds another task or another context at the end of the block than at its start."""
        self.task = asyncio.current_task()
        token = USER.set("somebody")
        try:
            yield
        except BaseException as error:
            self.error = error
            raise
        finally:
            await asyncio.sleep(0)
            assert asyncio.current_task() is self.task
            assert USER.get() == "somebody"
            USER.reset(token)  # raises in another context
            self.closed.set()


async def test_a_generator_that_ends_gives_ok_behind_its_replies() -> None:
    story = Story()

    async def replies(request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        async with story.told():
            for note in notes(request.number):
                yield note

    async with connected(Echo(server_stream=replies)) as pair, pair.client.server_stream(Note(number=100)) as stream:
        assert [reply async for reply in stream] == notes(100)
        assert stream.status == penstock.Status(penstock.StatusCode.OK)
        assert story.closed.is_set()
        assert story.error is None


async def test_a_generator_may_read_what_it_answers() -> None:
    async def replies(stream: penstock.ServerStream[Note, Note]) -> AsyncIterator[Note]:
        async for note in stream:
            yield note

    async with connected(Echo(both_stream=replies)) as pair, pair.client.both_stream() as stream:
        await stream.send_many(notes(100))
        await stream.end_sending()
        assert [reply async for reply in stream] == notes(100)


async def test_a_generator_that_fails_is_told_of_nothing_else() -> None:
    story = Story()

    async def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        async with story.told():
            yield Note(number=1)
            raise penstock.RpcError(penstock.StatusCode.DATA_LOSS, "disk")

    async with connected(Echo(server_stream=replies)) as pair, pair.client.server_stream(Note()) as stream:
        assert (await stream.receive()).number == 1
        with pytest.raises(penstock.RpcError, match="disk"):
            await stream.receive()
        assert story.closed.is_set()


async def test_a_generator_that_waits_in_yield_is_closed_in_its_own_task_and_context() -> None:
    story = Story()

    async def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        async with story.told():
            while True:
                yield Note(payload=KIB)

    async with connected(Echo(server_stream=replies), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
        await within_bound(story.closed.wait())
        assert isinstance(story.error, GeneratorExit)


async def test_a_generator_that_waits_for_something_else_is_cancelled_in_its_own_task_and_context() -> None:
    story = Story()

    async def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        async with story.told():
            yield Note()
            await asyncio.Event().wait()

    async with connected(Echo(server_stream=replies)) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
        await within_bound(story.closed.wait())
        assert isinstance(story.error, asyncio.CancelledError)


async def test_a_generator_that_waits_to_receive_is_told_the_outcome_in_its_own_task_and_context() -> None:
    story = Story()

    async def replies(stream: penstock.ServerStream[Note, Note]) -> AsyncIterator[Note]:
        async with story.told():
            async for note in stream:
                yield note

    async with connected(Echo(both_stream=replies)) as pair:
        async with pair.client.both_stream() as stream:
            await stream.send(Note())
            await stream.receive()
        await within_bound(story.closed.wait())
        assert isinstance(story.error, penstock.Cancelled)


async def test_a_generator_within_a_generator_is_closed_by_whoever_closes_it() -> None:
    inner, outer = Story(), Story()

    async def source() -> AsyncIterator[Note]:
        async with inner.told():
            while True:
                yield Note(payload=KIB)

    async def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        async with outer.told():
            parts = source()
            try:
                async for note in parts:
                    yield note
            finally:
                await parts.aclose()  # type: ignore[attr-defined]

    async with connected(Echo(server_stream=replies), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
        await within_bound(outer.closed.wait())
        assert inner.closed.is_set()
        assert inner.task is outer.task


@pytest.mark.parametrize("give_up_after_replies", [0, 1, 5])
async def test_no_generator_is_left_for_the_garbage_collection(give_up_after_replies: int) -> None:
    stories: list[Story] = []
    seen: list[Any] = []

    async def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        story = Story()
        stories.append(story)
        async with story.told():
            while True:
                yield Note(payload=KIB)

    async with connected(Echo(server_stream=replies), server_limits=TINY, client_limits=TINY) as pair:
        first_iteration, finalizer = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(first_iteration, seen.append)
        try:
            for _ in range(20):
                async with pair.client.server_stream(Note()) as stream:
                    for _reply in range(give_up_after_replies):
                        await stream.receive()
            await pair.until_no_call_is_open()
        finally:
            sys.set_asyncgen_hooks(first_iteration, finalizer)
        assert seen == []
        assert all(story.closed.is_set() for story in stories)
        assert not give_up_after_replies or len(stories) == 20


async def test_a_generator_that_yields_the_wrong_type_is_closed_and_its_client_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    story = Story()

    async def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Any]:
        async with story.told():
            yield Note(number=1)
            yield "two"

    async with connected(Echo(server_stream=replies)) as pair, pair.client.server_stream(Note()) as stream:
        assert (await stream.receive()).number == 1
        with pytest.raises(penstock.RpcError) as caught:
            await stream.receive()
        assert caught.value.code == penstock.StatusCode.UNKNOWN
        assert story.closed.is_set()
        assert "this call sends Note, not" in caplog.text


async def test_a_generator_that_yields_while_it_is_closed_ends_its_call_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        try:
            while True:
                yield Note(payload=KIB)
        except GeneratorExit:
            yield Note(text="one more")

    async with connected(Echo(server_stream=replies), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
        await pair.until_no_call_is_open()
        assert (await within_bound(pair.client.unary(Note(text="neighbour")))).text == "neighbour"
        assert "async generator ignored GeneratorExit" in caplog.text


class Countdown:
    """An async iterator that is no generator: nothing in it can be closed."""

    def __init__(self, count: int) -> None:
        self.left = count

    def __aiter__(self) -> "Countdown":
        return self

    async def __anext__(self) -> Note:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return Note(number=self.left)


async def test_a_handler_may_return_any_async_iterator() -> None:
    handler: Callable[..., Countdown] = lambda request, _stream: Countdown(request.number)  # noqa: E731 - a plain def
    async with connected(Echo(server_stream=handler)) as pair, pair.client.server_stream(Note(number=3)) as stream:
        assert [reply.number async for reply in stream] == [2, 1, 0]


async def test_a_generator_whose_cleanup_fails_is_logged_and_ends_its_call(caplog: pytest.LogCaptureFixture) -> None:
    async def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        try:
            while True:
                yield Note(payload=KIB)
        finally:
            raise LookupError("cleanup")

    async with connected(Echo(server_stream=replies), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
        await until(lambda: "LookupError: cleanup" in caplog.text)


@pytest.mark.parametrize("floods", [True, False])
async def test_a_generator_may_yield_inside_of_a_task_group(floods: bool, caplog: pytest.LogCaptureFixture) -> None:
    """It is closed at a `yield`, which a task group makes an exception group of (python-trio/purerpc#36)."""
    helped: list[str] = []
    calls: list[Any] = []

    async def help_out() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            helped.append("ended")

    async def replies(_request: Note, stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        calls.append(stream)
        async with asyncio.TaskGroup() as group:
            group.create_task(help_out())
            yield Note(number=1)
            while floods:
                yield Note(payload=KIB)
            await asyncio.Event().wait()

    async with connected(Echo(server_stream=replies), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note()) as stream:
            assert (await stream.receive()).number == 1
            await until(lambda: not floods or calls[0]._send_waiters)
        await pair.until_no_call_is_open()
    assert helped == ["ended"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
