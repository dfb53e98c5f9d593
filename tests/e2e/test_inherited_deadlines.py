"""Does a call made inside a handler get at most the time its own caller gave?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

import penstock
from tests.e2e.support import Echo, Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

Inner = Callable[[Pair, Note], Awaitable[Note]]

FREE = penstock.CallOptions(inherit_deadline=False)


@asynccontextmanager
async def _behind(inner: Inner) -> AsyncIterator[tuple[Pair, list[float | None]]]:
    """Give a server whose handler calls another one, and the list of what that one had left."""
    remaining: list[float | None] = []

    async def back(request: Note, call: penstock.ServerCall) -> Note:
        remaining.append(call.time_remaining)
        if request.text == "hang":
            await asyncio.Event().wait()
        if request.text == "refuse":
            raise penstock.RpcError(
                penstock.StatusCode.NOT_FOUND, "at the back", details=[Note(number=7)], metadata={"k": "v"}
            )
        return request

    async with connected(Echo(unary=back)) as backend:

        async def front(request: Note, call: penstock.ServerCall) -> Note:
            del call
            return await inner(backend, request)

        async with connected(Echo(unary=front)) as pair:
            yield pair, remaining


async def test_a_call_without_a_timeout_inherits_what_is_left() -> None:
    async with _behind(lambda backend, note: backend.client.unary(note)) as (pair, remaining):
        await pair.client.unary(Note(), timeout=30)
        await pair.client.unary(Note())
    assert remaining[0] is not None
    assert 29 < remaining[0] <= 30
    assert remaining[1] is None


async def test_the_smaller_of_the_two_counts() -> None:
    async with _behind(lambda backend, note: backend.client.unary(note, timeout=20)) as (pair, remaining):
        await pair.client.unary(Note(), timeout=30)
        await pair.client.unary(Note(), timeout=10)
        await pair.client.unary(Note())
    assert [round(left or 0) for left in remaining] == [20, 10, 20]


async def test_a_call_may_be_told_not_to_inherit() -> None:
    async with _behind(lambda backend, note: backend.client.unary(note, options=FREE)) as (pair, remaining):
        await pair.client.unary(Note(), timeout=30)
    assert remaining == [None]


async def test_tasks_of_a_handler_inherit_too() -> None:
    async def in_tasks(backend: Pair, note: Note) -> Note:
        async with asyncio.TaskGroup() as tasks:
            one = asyncio.ensure_future(backend.client.unary(note))
            tasks.create_task(asyncio.wait_for(backend.client.unary(note), 20))
        return one.result()

    async with _behind(in_tasks) as (pair, remaining):
        await pair.client.unary(Note(), timeout=30)
    assert len(remaining) == 2
    assert all(left is not None and 29 < left <= 30 for left in remaining)


async def test_streams_inherit_too() -> None:
    async def stream(backend: Pair, note: Note) -> Note:
        async with backend.client.both_stream() as onward:
            await onward.send(note)
            reply = await onward.receive()
            await onward.finish()
            assert onward._deadline is not None
            reply.number = round(onward._deadline.left())
            return reply

    async with _behind(stream) as (pair, _):
        assert (await pair.client.unary(Note(), timeout=30)).number == 30


async def test_a_deadline_reaches_through_two_servers() -> None:
    outcomes: list[BaseException] = []

    async def keep(backend: Pair, note: Note) -> Note:
        try:
            return await backend.client.unary(note)
        except BaseException as error:
            outcomes.append(error)
            raise

    async with _behind(keep) as (pair, _):
        with pytest.raises(penstock.DeadlineExceeded):
            await within_bound(pair.client.unary(Note(text="hang"), timeout=0.1))
        await until(lambda: outcomes)
    assert isinstance(outcomes[0], penstock.DeadlineExceeded | asyncio.CancelledError)


async def test_no_time_left_fails_the_inner_call_before_it_is_sent() -> None:
    seen: list[str] = []

    async def late(backend: Pair, note: Note) -> Note:
        try:
            async with asyncio.timeout(None):
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await backend.client.unary(note)
            except penstock.DeadlineExceeded as error:
                seen.append(error.message)
            raise
        return note

    async with _behind(late) as (pair, remaining):
        with pytest.raises(penstock.DeadlineExceeded):
            await within_bound(pair.client.unary(Note(), timeout=0.1))
        await until(lambda: seen)
    assert remaining == []


async def test_outside_a_handler_nothing_is_inherited() -> None:
    async with _behind(lambda backend, note: backend.client.unary(note)) as (pair, remaining):
        await pair.client.unary(Note(), timeout=30)
        await pair.client.unary(Note())
    assert remaining[1] is None


async def test_an_error_of_an_inner_call_that_escapes_is_unknown(caplog: pytest.LogCaptureFixture) -> None:
    async with _behind(lambda backend, note: backend.client.unary(note)) as (pair, _):
        with pytest.raises(penstock.RpcError) as caught:
            await pair.client.unary(Note(text="refuse"))
    assert caught.value.code == penstock.StatusCode.UNKNOWN
    assert caught.value.message == "the handler raised an exception"
    assert "NOT_FOUND: at the back" in caplog.text


async def test_a_deadline_of_an_inner_call_that_escapes_is_unknown() -> None:
    async def hang(backend: Pair, note: Note) -> Note:
        return await backend.client.unary(note, timeout=0.05)

    async with _behind(hang) as (pair, _):
        with pytest.raises(penstock.RpcError) as caught:
            await within_bound(pair.client.unary(Note(text="hang"), timeout=20))
    assert caught.value.code == penstock.StatusCode.UNKNOWN


async def test_an_inner_call_to_nobody_that_escapes_is_unknown() -> None:
    async def nobody(backend: Pair, note: Note) -> Note:
        del backend
        async with penstock.Channel("unix:/does/not/exist") as channel, channel.stream("/a.B/C") as stream:
            await stream.send(note.SerializeToString())
        return note

    async with _behind(nobody) as (pair, _):
        with pytest.raises(penstock.RpcError) as caught:
            await within_bound(pair.client.unary(Note()))
    assert caught.value.code == penstock.StatusCode.UNKNOWN


async def test_relay_forwards_code_message_details_and_metadata() -> None:
    async def forward(backend: Pair, note: Note) -> Note:
        try:
            return await backend.client.unary(note)
        except penstock.RpcError as error:
            raise error.relay() from error

    async with _behind(forward) as (pair, _):
        with pytest.raises(penstock.RpcError, match="at the back") as caught:
            await pair.client.unary(Note(text="refuse"))
    assert caught.value.code == penstock.StatusCode.NOT_FOUND
    assert caught.value.metadata["k"] == "v"
    detail = Note()
    assert caught.value.details[0].Unpack(detail)  # type: ignore[attr-defined]
    assert detail.number == 7
