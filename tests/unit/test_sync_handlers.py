"""Handlers that are no coroutines, step by step."""

import asyncio
import functools
import inspect
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from penstock import Call, Kind, Limits, RpcError, ServerCall, ServerStream, StatusCode, Waiting, _steps
from penstock._forms import is_sync
from penstock._pool import Job
from penstock._stragglers import Stragglers
from penstock._sync_handlers import SyncStream, in_a_thread
from penstock.method import raw_method, server_codec
from penstock.testing import ManualClock
from tests.e2e.support import until
from tests.protos.echo_penstock import EchoBase
from tests.unit.memory import connected, equipment, settle
from tests.unit.test_handlers import PATHS, called, served, status_of

BOUND_SECONDS = 10.0


async def coroutine(request: bytes, call: ServerCall) -> bytes:
    del call
    return request


async def async_generator(request: bytes, stream: object) -> AsyncIterator[bytes]:
    del stream
    yield request


def plain(request: bytes, call: ServerCall) -> bytes:
    del call
    return request


def generator(request: bytes, stream: object) -> Iterator[bytes]:
    del stream
    yield request


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


class AsyncCall:
    async def __call__(self, request: bytes, call: ServerCall) -> bytes:
        return await coroutine(request, call)


class PlainCall:
    def __call__(self, request: bytes, call: ServerCall) -> bytes:
        return plain(request, call)


@pytest.mark.parametrize(
    "handler",
    [
        coroutine,
        async_generator,
        functools.partial(coroutine),
        wrapping(coroutine),
        wrapping(async_generator),
        AsyncCall(),
        AsyncCall().__call__,
        EchoBase().unary,
        EchoBase().server_stream,
    ],
)
def test_what_is_async_or_not_written_runs_in_the_loop(handler: Callable[..., Any]) -> None:
    assert not is_sync(handler)


@pytest.mark.parametrize("handler", [plain, generator, wrapping(plain), PlainCall(), functools.partial(plain)])
def test_everything_else_may_block(handler: Callable[..., Any]) -> None:
    assert is_sync(handler)


@pytest.mark.parametrize("one_reply", [True, False])
def test_a_route_sees_a_coroutine_function_with_the_name_of_the_handler(one_reply: bool) -> None:
    adapter = in_a_thread(plain, server_codec(raw_method("*"), Limits()), one_reply=one_reply)
    assert inspect.iscoroutinefunction(adapter)
    assert adapter.__qualname__ == "plain"


async def test_a_handler_sees_a_call_that_knows_of_threads() -> None:
    seen: list[object] = []

    def look(request: bytes, call: ServerCall) -> bytes:
        seen.append(type(call))
        return request

    await called(Kind.UNARY, look, b"q")
    await called(Kind.UNARY, coroutine, b"q")
    assert seen == [SyncStream]


async def test_a_function_may_return_an_iterator_of_replies() -> None:
    threads: list[bool] = []

    def replies(request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        threads.append(threading.current_thread() is threading.main_thread())
        return iter([request, request])

    answer, stream = await called(Kind.SERVER_STREAM, replies, b"q")
    assert (answer, status_of(stream)[0]) == ([b"q", b"q"], StatusCode.OK)
    assert threads == [False]


class Numbers:
    """An iterator that is no generator; it says when it was closed."""

    def __init__(self, closed: list[str]) -> None:
        self.closed = closed
        self.left = 2

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return b"n"

    def close(self) -> None:
        self.closed.append(threading.current_thread().name)


async def test_an_iterator_that_can_be_closed_is_closed_in_a_thread() -> None:
    closed: list[str] = []
    answer, _stream = await called(Kind.SERVER_STREAM, lambda _request, _stream: Numbers(closed), b"q")
    assert answer == [b"n", b"n"]
    assert closed == ["penstock sync handler 1"]


async def test_a_generator_that_was_refused_is_not_entered() -> None:
    def replies(_request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        raise AssertionError
        yield

    def refuse(*_arguments: object, **_options: object) -> None:
        raise RpcError(StatusCode.RESOURCE_EXHAUSTED, "spent")

    async with connected(served(Kind.SERVER_STREAM, replies)) as channel:
        equipment(channel.server).pool.start = refuse  # type: ignore[method-assign]  # as if it were spent
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED: spent"):
                await stream.receive()


async def test_a_reply_of_another_type_closes_the_generator(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[BaseException] = []

    def replies(_request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[Any]:
        try:
            yield "text"
        except BaseException as error:
            ended.append(error)
            raise

    _answer, stream = await called(Kind.SERVER_STREAM, replies, b"q")
    assert status_of(stream)[0] == StatusCode.UNKNOWN
    assert isinstance(ended[0], GeneratorExit)
    assert "this call sends bytes, not str" in caplog.text
    caplog.clear()


async def test_a_generator_that_yields_while_it_is_closed_is_told_of_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def replies(_request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[Any]:
        try:
            yield "text"
        except GeneratorExit:
            yield b"more"

    await called(Kind.SERVER_STREAM, replies, b"q")
    assert "generator ignored GeneratorExit" in caplog.text
    caplog.clear()


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
async def test_a_function_that_raises_what_ends_iterators_fails(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    def handler(_request: bytes, _call: ServerCall) -> bytes:
        raise error

    _answer, stream = await called(Kind.UNARY, handler, b"q")
    assert status_of(stream)[0] == StatusCode.UNKNOWN
    caplog.clear()


async def test_a_task_that_is_cancelled_waits_for_its_thread_and_then_goes(caplog: pytest.LogCaptureFixture) -> None:
    entered, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def replies(request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        try:
            yield request
            entered.set()
            assert go_on.wait(BOUND_SECONDS)
            yield request
        finally:
            closed.set()

    limits = Limits(handler_cleanup_seconds=0.02)
    async with connected(served(Kind.SERVER_STREAM, replies), server_limits=limits) as channel:
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            await stream.receive()
            await asyncio.to_thread(entered.wait, BOUND_SECONDS)
            (connection,) = channel.server._core.connections
            (call,) = connection.calls
            task = call._task
            assert task is not None
        task.cancel()
        await asyncio.wait([task])
        assert not closed.is_set()
        go_on.set()
        await asyncio.to_thread(closed.wait, BOUND_SECONDS)
        assert closed.is_set()
    caplog.clear()


async def test_a_handler_that_is_detached_in_the_moment_its_step_is_over_closes_and_is_forgotten() -> None:
    entered, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def replies(request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        try:
            entered.set()
            assert go_on.wait(BOUND_SECONDS)
            yield request
        finally:
            closed.set()

    async with connected(served(Kind.SERVER_STREAM, replies)) as channel:
        stragglers, pool = equipment(channel.server).stragglers, equipment(channel.server).pool
        on_over = pool._on_over

        def detach_behind(job: Job) -> None:
            on_over(job)
            for call in list(stragglers.cancelled):
                stragglers._detach(call, stragglers.cancelled.pop(call))

        pool._on_over = detach_behind  # type: ignore[method-assign]  # a timer that comes then is hard to come by
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            await asyncio.to_thread(entered.wait, BOUND_SECONDS)
        await until(lambda: bool(stragglers.cancelled))
        go_on.set()
        await asyncio.to_thread(closed.wait, BOUND_SECONDS)
        await channel.server.stop(0)
        await until(lambda: not pool.running)
        await settle()
        assert (stragglers.detached_in_all, stragglers.detached) == (1, {})


async def test_the_time_that_a_handler_has_follows_the_clock_of_the_test() -> None:
    seen: list[float | None] = []
    go_on, entered = threading.Event(), threading.Event()

    def replies(request: bytes, stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        seen.append(stream.time_remaining)
        entered.set()
        assert go_on.wait(BOUND_SECONDS)
        seen.append(stream.time_remaining)
        yield request

    with ManualClock() as clock:
        async with connected(served(Kind.SERVER_STREAM, replies)) as channel:
            async with channel.stream(PATHS[Kind.SERVER_STREAM], timeout=3600) as stream:
                await stream.send(b"q")
                await stream.end_sending()
                while not entered.is_set():
                    await clock.advance(0)
                await clock.advance(1800)
                go_on.set()
                assert await stream.receive() == b"q"
    assert seen == [pytest.approx(3600, abs=1), pytest.approx(1800, abs=1)]


class Closable:
    """An iterator of a class, which opens something when it is made."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __iter__(self) -> "Closable":
        return self

    def __next__(self) -> bytes:
        raise AssertionError

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("cleanup_seconds", [0.001, math.inf])
async def test_what_a_handler_returns_when_its_call_is_over_is_closed(cleanup_seconds: float) -> None:
    begun, gate, replies = threading.Event(), threading.Event(), Closable()

    def opens(request: bytes, stream: object) -> Closable:
        del request, stream
        begun.set()
        assert gate.wait(BOUND_SECONDS)
        return replies

    limits = Limits(handler_cleanup_seconds=cleanup_seconds)
    async with connected(served(Kind.SERVER_STREAM, opens), server_limits=limits) as channel:
        server = channel.server
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            await asyncio.to_thread(begun.wait, BOUND_SECONDS)
        await until(lambda: server._core.detached if cleanup_seconds < 1 else equipment(server).stragglers.cancelled)
        gate.set()
        await until(replies.closed.is_set)
        await until(lambda: not server.statistics().stragglers_open and not server.statistics().threads_busy)


async def test_what_a_handler_returns_is_closed_though_no_step_was_taken() -> None:
    begun, gate, replies = threading.Event(), threading.Event(), Closable()

    def opens(request: bytes, stream: object) -> Any:
        del stream
        if request == b"open":
            return replies
        begun.set()
        assert gate.wait(BOUND_SECONDS)
        return iter([])

    limits = Limits(max_sync_threads=1)
    async with connected(served(Kind.SERVER_STREAM, opens), server_limits=limits) as channel, AsyncExitStack() as stack:
        server = channel.server
        first, second = [await stack.enter_async_context(channel.stream(PATHS[Kind.SERVER_STREAM])) for _ in range(2)]
        await first.send(b"open")
        await second.send(b"block")
        await first.end_sending()
        await second.end_sending()
        await asyncio.to_thread(begun.wait, BOUND_SECONDS)  # between the function of the first and its first step
        await until(lambda: server.statistics().thread_waits_open == 1)
        first.cancel()
        await until(lambda: equipment(server).stragglers.cancelled)
        gate.set()
        await until(replies.closed.is_set)


async def test_a_handler_that_is_detached_before_it_hears_of_its_cancellation_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_steps, "SLICE_SECONDS", 0.0)
    # A loop that lags behind: the time is over when the task has not run yet.
    monkeypatch.setattr(Stragglers, "add", lambda stragglers, call: stragglers._detach(call, 0.0))
    gates, begun, closed = {b"1": threading.Event(), b"2": threading.Event()}, threading.Semaphore(0), threading.Event()

    def replies(request: bytes, stream: object) -> Iterator[bytes]:
        del stream
        try:
            begun.release()
            assert gates[request].wait(BOUND_SECONDS)
            yield request
            yield request
        finally:
            if request == b"1":
                closed.set()

    service = served(Kind.SERVER_STREAM, replies)
    async with connected(service, server_limits=Limits(max_sync_threads=1)) as channel, AsyncExitStack() as stack:
        server = channel.server
        streams = []
        for request in gates:
            stream = await stack.enter_async_context(channel.stream(PATHS[Kind.SERVER_STREAM]))
            await stream.send(request)
            await stream.end_sending()
            streams.append(stream)
        await until(lambda: server.statistics().thread_waits_open == 1)
        gates[b"1"].set()  # the second stream gets the thread, and the first waits for it
        await until(lambda: begun._value == 2)
        await until(lambda: server.statistics().thread_waits_open == 1)
        streams[0].cancel()
        await until(lambda: server._core.detached)
        gates[b"2"].set()
        await until(closed.is_set)
        await until(lambda: not server._core.detached)


async def test_a_server_that_stopped_counts_the_threads_that_are_still_busy() -> None:
    begun, gate = threading.Event(), threading.Event()

    def blocks(request: bytes, call: object) -> bytes:
        del call
        begun.set()
        assert gate.wait(BOUND_SECONDS)
        return request

    limits = Limits(handler_cleanup_seconds=0.001)
    async with connected(served(Kind.UNARY, blocks), server_limits=limits) as channel:
        server = channel.server
        async with channel.stream(PATHS[Kind.UNARY]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            await asyncio.to_thread(begun.wait, BOUND_SECONDS)
            report = await server.stop(0)
        await settle()  # its task has ended
        (live,) = server.streams()
        assert (live.state, live.waits_for) == ("detached", Waiting.DETACHED)
        counts = server.statistics()
        assert (len(report.stuck), counts.threads_busy, counts.threads_open) == (1, 1, 1)
        gate.set()
        await until(lambda: not server.statistics().threads_open)
        assert (server.statistics().threads_busy, server.statistics().stragglers_open) == (0, 0)


async def test_a_detached_handler_is_there_until_what_is_around_it_has_ended_too() -> None:
    begun, gate, left = threading.Event(), threading.Event(), asyncio.Event()

    def blocks(request: bytes, call: object) -> bytes:
        del call
        begun.set()
        assert gate.wait(BOUND_SECONDS)
        return request

    @asynccontextmanager
    async def lingering(call: Call) -> AsyncIterator[None]:
        del call
        try:
            yield
        finally:
            await left.wait()

    limits = Limits(handler_cleanup_seconds=0.001)
    service = served(Kind.UNARY, blocks)
    async with connected(service, server_limits=limits, interceptors=[lingering]) as channel:
        server = channel.server
        async with channel.stream(PATHS[Kind.UNARY]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            await asyncio.to_thread(begun.wait, BOUND_SECONDS)
        await until(lambda: bool(server._core.detached))
        gate.set()
        await until(lambda: not server.statistics().threads_busy)
        assert server.statistics().stragglers_open == 1
        left.set()
        await until(lambda: not server._core.detached)
