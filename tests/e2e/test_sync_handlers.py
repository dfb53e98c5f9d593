"""Handlers that block: threads serve them, and neither the loop nor other calls notice."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any, Never

import pytest

import penstock
from tests.e2e.support import BOUND_SECONDS, TINY, Echo, connected, notes, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient

pytestmark = pytest.mark.loops

KIB = bytes(1024)
USER: ContextVar[str] = ContextVar("user", default="nobody")


class Gate:
    """Where handlers block in their threads until the test lets them go."""

    def __init__(self) -> None:
        self._entered = threading.Semaphore(0)
        self._opened = threading.Event()

    def wait(self) -> None:
        """Block."""
        self._entered.release()
        assert self._opened.wait(BOUND_SECONDS)

    def open(self) -> None:
        """Let all go."""
        self._opened.set()

    async def until_blocked(self, count: int = 1) -> None:
        """Wait until so many more of them block."""
        for _ in range(count):
            await until(lambda: self._entered.acquire(blocking=False))


class Sync(EchoBase):
    """Handlers of both kinds; a text of "block" makes them wait at the gate."""

    def __init__(self) -> None:
        self.gate = Gate()

    def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        call.trailing_metadata["text"] = request.text
        if request.text == "block":
            self.gate.wait()
        return Note(text=request.text, number=int(threading.current_thread() is threading.main_thread()))

    def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        stream.trailing_metadata["text"] = request.text
        if request.text == "block":
            self.gate.wait()
        yield from notes(request.number)


async def test_both_kinds_answer_from_threads_of_their_own() -> None:
    async with connected(Sync()) as pair:
        call = pair.client.unary(Note(text="a"))
        assert await call == Note(text="a", number=0)
        assert call.trailing_metadata == penstock.Metadata({"text": "a"})
        async with pair.client.server_stream(Note(text="b", number=100)) as stream:
            assert [note async for note in stream] == notes(100)
        assert (stream.status, stream.trailing_metadata) == (
            penstock.Status(penstock.StatusCode.OK),
            penstock.Metadata({"text": "b"}),
        )
        # One after another: there never was work for a second thread.
        assert pair.server.statistics().threads_open == 1


async def test_hundreds_of_open_streams_hold_no_thread() -> None:
    # field.md 1a, rows 3, 5 and 6: each open stream kept a thread, and the last one starved all others.
    class Endless(Sync):
        def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
            while True:
                yield Note(payload=KIB)

    limits = penstock.Limits(max_sync_threads=2, stream_window_bytes=2048, send_buffer_bytes=1024)
    async with connected(Endless(), server_limits=limits, client_limits=TINY) as pair:
        streams = [pair.client.server_stream(Note()) for _ in range(500)]
        for stream in streams:
            await within_bound(stream.__aenter__())
        for stream in streams:
            await within_bound(stream.receive())
        await until(
            lambda: not pair.server.statistics().threads_busy and not pair.server.statistics().thread_waits_open
        )
        assert (await within_bound(pair.client.unary(Note(text="there")))).text == "there"
        assert pair.server.statistics().threads_open <= 2
        for stream in streams:
            await stream.__aexit__(None, None, None)


async def test_streams_that_block_every_thread_they_may_leave_some_for_unary_calls() -> None:
    # field.md 1a, rows 2 and 4: one stream in the only worker, and the health check hangs.
    service = Sync()
    async with connected(service, server_limits=penstock.Limits(max_sync_threads=4)) as pair:
        async with AsyncExitStack() as open_streams:
            for _ in range(10):
                await open_streams.enter_async_context(pair.client.server_stream(Note(text="block", number=1)))
            await service.gate.until_blocked(3)
            for number in range(20):
                assert (await within_bound(pair.client.unary(Note(text=str(number))))).text == str(number)
            assert (pair.server.statistics().threads_busy, pair.server.statistics().thread_waits_open) == (3, 7)
            service.gate.open()


async def test_a_call_too_many_is_told_so_at_once() -> None:
    # field.md 1a, row 1: where no thread was free, calls waited for ever.
    service = Sync()
    async with connected(service, server_limits=penstock.Limits(max_sync_threads=1, max_sync_queue_calls=2)) as pair:
        calls = [asyncio.ensure_future(pair.client.unary(Note(text="block", number=n))) for n in range(3)]
        await service.gate.until_blocked()
        await until(lambda: pair.server.statistics().thread_waits_open == 2)
        with pytest.raises(penstock.ResourceExhausted, match="threads are busy") as caught:
            await within_bound(pair.client.unary(Note(text="too many")))
        assert 500 <= int(str(caught.value.metadata["grpc-retry-pushback-ms"])) <= 1500
        assert pair.server._core.ends[penstock.End.REFUSED] == 1
        now = pair.server.statistics()
        assert (now.threads_open, now.threads_busy, now.thread_refusals) == (1, 1, 1)
        service.gate.open()
        assert [reply.text for reply in await asyncio.gather(*calls)] == ["block"] * 3
        assert (await pair.client.unary(Note(text="again"))).text == "again"
        await pair.server.stop(0)
        assert pair.server.statistics().thread_refusals == 1


@pytest.mark.parametrize("kind", ["unary", "server_stream"])
async def test_a_call_for_which_no_thread_comes_free_is_told_so(kind: str) -> None:
    # field.md 1a, row 1, once more: threads that are stuck, and a queue that never moves.
    service = Sync()
    limits = penstock.Limits(max_sync_threads=1, sync_queue_timeout_seconds=0.05)
    async with connected(service, server_limits=limits) as pair:
        stuck = asyncio.ensure_future(pair.client.unary(Note(text="block")))
        await service.gate.until_blocked()
        with pytest.raises(penstock.ResourceExhausted, match="for too long") as caught:
            if kind == "unary":
                await within_bound(pair.client.unary(Note()))
            else:
                async with pair.client.server_stream(Note(number=1)) as stream:
                    await within_bound(stream.receive())
        assert "grpc-retry-pushback-ms" in caught.value.metadata
        assert pair.server._core.ends[penstock.End.REFUSED] == 1
        assert (pair.server.statistics().thread_waits_open, pair.server.statistics().thread_refusals) == (0, 1)
        service.gate.open()
        assert (await stuck).text == "block"


async def test_a_new_stream_too_many_is_refused_and_one_that_has_begun_is_not() -> None:
    service = Sync()
    async with connected(service, server_limits=penstock.Limits(max_sync_threads=1, max_sync_queue_calls=1)) as pair:
        async with (
            pair.client.server_stream(Note(text="block", number=2)) as first,
            pair.client.server_stream(Note(number=2)) as second,
        ):
            await service.gate.until_blocked()
            await until(lambda: pair.server.statistics().thread_waits_open == 1)
            async with pair.client.server_stream(Note(number=2)) as third:
                with pytest.raises(penstock.ResourceExhausted):
                    await within_bound(third.receive())
            service.gate.open()
            assert [[note async for note in stream] for stream in (first, second)] == [notes(2), notes(2)]


async def test_a_generator_is_asked_only_when_there_is_room() -> None:
    made = 0

    def replies(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        nonlocal made
        for made in range(1, 101):
            yield Note(number=made, payload=KIB)

    async with connected(Echo(server_stream=replies), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await until(lambda: made >= 2 and not pair.server.statistics().threads_busy)
            # The peer's window of 2 KiB, the buffer of 1 KiB with one message more; and no thread waits.
            assert made <= 4
            assert [note.number async for note in stream] == list(range(1, 101))


class Story:
    """A generator that says in its `finally` what it found there."""

    def __init__(self) -> None:
        self.gate: Gate | None = None
        self.error: BaseException | None = None
        self.users: list[str] = []
        self.ended = threading.Event()

    def __call__(self, _request: Note, _stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        token = USER.set("somebody")
        try:
            while True:
                yield Note(payload=KIB)
                self.users.append(USER.get())
                if self.gate is not None:
                    self.gate.wait()
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.users.append(USER.get())
            USER.reset(token)  # raises in another context
            self.ended.set()


async def test_a_generator_is_closed_in_its_context_when_its_client_leaves() -> None:
    # field.md 1a, rows 9 and 10: nobody told a sync generator that its client left, and its thread was lost.
    story = Story()
    async with connected(Echo(server_stream=story), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.server_stream(Note()) as stream:
            for _ in range(5):
                await stream.receive()
        await until(story.ended.is_set)
        assert isinstance(story.error, GeneratorExit)
        assert set(story.users) == {"somebody"}


async def test_a_generator_is_closed_behind_the_step_that_runs() -> None:
    story = Story()
    story.gate = Gate()
    async with connected(Echo(server_stream=story)) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
            await story.gate.until_blocked()
        await until(lambda: all(call.status for one in pair.server._core.connections for call in one.calls))
        assert not story.ended.is_set()
        story.gate.open()
        await until(story.ended.is_set)
        assert isinstance(story.error, GeneratorExit)


async def test_what_a_handler_raises_is_its_status(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(EchoBase):
        def unary(self, request: Note, call: penstock.ServerCall) -> Note:
            raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, request.text)

        def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
            yield request
            raise LookupError("row")

    async with connected(Failing()) as pair:
        with pytest.raises(penstock.RpcError, match="NOT_FOUND: no such thing"):
            await pair.client.unary(Note(text="no such thing"))
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
            with pytest.raises(penstock.RpcError, match="UNKNOWN: the handler raised an exception"):
                await stream.receive()
        assert "LookupError: row" in caplog.text


async def test_a_step_that_takes_too_long_keeps_its_thread_and_not_its_call() -> None:
    service = Sync()
    async with connected(service, server_limits=penstock.Limits(max_sync_threads=2)) as pair:
        call = asyncio.ensure_future(pair.client.unary(Note(text="block"), timeout=1))
        await service.gate.until_blocked()
        with pytest.raises(penstock.DeadlineExceeded):
            await call
        assert pair.server.statistics().threads_busy == 1
        assert (await pair.client.unary(Note(text="other"))).text == "other"
        service.gate.open()
        await until(lambda: not pair.server.statistics().threads_busy)


async def test_a_call_that_ends_before_its_turn_never_runs() -> None:
    ran: list[str] = []

    class Noting(Sync):
        def unary(self, request: Note, call: penstock.ServerCall) -> Note:
            ran.append(request.text)
            return super().unary(request, call)

    service = Noting()
    async with connected(service, server_limits=penstock.Limits(max_sync_threads=1)) as pair:
        first = asyncio.ensure_future(pair.client.unary(Note(text="block")))
        await service.gate.until_blocked()
        second = asyncio.ensure_future(pair.client.unary(Note(text="second")))
        await until(lambda: pair.server.statistics().thread_waits_open == 1)
        second.cancel()
        await until(lambda: pair.server.statistics().thread_waits_open == 0)
        service.gate.open()
        await first
        assert ran == ["block"]


async def test_a_handler_sees_its_call_from_its_thread() -> None:
    seen: list[Any] = []

    class Looking(EchoBase):
        def unary(self, request: Note, call: penstock.ServerCall) -> Note:
            seen.extend([call.metadata["key"], call.method, call.peer.rpartition(":")[0], call.draining.is_set()])
            seen.append(0 < (call.time_remaining or 0) <= 60)
            return request

    async with connected(Looking()) as pair:
        await pair.client.unary(Note(), metadata={"key": "value"}, timeout=60)
    assert seen == ["value", "/penstock.test.echo.Echo/Unary", "127.0.0.1", False, True]


async def test_what_would_touch_the_loop_says_what_to_write() -> None:
    told: list[str] = []

    def replies(_request: Note, stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        operations: list[Callable[[], object]] = [
            lambda: stream.send(Note()),
            lambda: stream.send_nowait(Note()),
            lambda: stream.send_many([Note()]),
            lambda: stream.send_from([Note()]),
            lambda: stream.send_initial_metadata({}),
            stream.receive,
            stream.receive_many,
            lambda: anext(stream),
            stream.set_message_timeouts,
        ]
        for operation in operations:
            try:
                operation()
            except penstock.UsageError as error:
                told.append(str(error))
        yield Note()

    async with connected(Echo(server_stream=replies)) as pair, pair.client.server_stream(Note()) as stream:
        assert len([note async for note in stream]) == 1
    assert len(told) == 9
    assert told[0] == "send() from a thread: a sync handler yields its replies: it is for `async def` handlers"
    assert all("`async def` handlers" in text for text in told)


async def test_a_handler_may_cancel_its_call_from_its_thread() -> None:
    def replies(_request: Note, stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        stream.cancel()
        while True:
            yield Note()

    async with connected(Echo(server_stream=replies)) as pair, pair.client.server_stream(Note()) as stream:
        with pytest.raises(penstock.Cancelled):
            async for _ in stream:
                pass


async def test_a_call_made_from_a_thread_inherits_the_deadline() -> None:
    loop = asyncio.get_running_loop()
    left: list[float | None] = []

    async def inner(request: Note, call: penstock.ServerCall) -> Note:
        left.append(call.time_remaining)
        return request

    async with connected(Echo(unary=inner)) as behind:

        async def ask(request: Note) -> Note:
            return await behind.client.unary(request)

        def replies(request: Note, _stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
            yield asyncio.run_coroutine_threadsafe(ask(request), loop).result(BOUND_SECONDS)

        async with connected(Echo(server_stream=replies)) as pair:
            async with pair.client.server_stream(Note(), timeout=50) as stream:
                assert len([note async for note in stream]) == 1
    assert left[0] is not None
    assert left[0] <= 50


async def test_its_threads_end_with_the_server() -> None:
    def threads() -> int:
        return sum(thread.name.startswith("penstock sync handler") for thread in threading.enumerate())

    await until(lambda: not threads())
    service = Sync()
    async with connected(service) as pair:
        calls = [asyncio.ensure_future(pair.client.unary(Note(text="block"))) for _ in range(5)]
        await service.gate.until_blocked(5)
        assert threads() == 5
        service.gate.open()
        await asyncio.gather(*calls)
    await until(lambda: not threads())


async def test_a_handler_is_in_the_context_of_its_interceptors() -> None:
    @asynccontextmanager
    async def naming(call: penstock.Call) -> AsyncIterator[None]:
        USER.set(str(call.metadata["user"]))
        yield

    class Telling(EchoBase):
        def unary(self, request: Note, call: penstock.ServerCall) -> Note:
            return Note(text=USER.get())

        def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
            yield Note(text=USER.get())

    server = penstock.Server([Telling()], interceptors=[naming])
    async with server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        client = EchoClient(channel)
        assert (await client.unary(Note(), metadata={"user": "one"})).text == "one"
        async with client.server_stream(Note(), metadata={"user": "two"}) as stream:
            assert [note.text async for note in stream] == ["two"]
