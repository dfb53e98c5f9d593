"""Running a handler, and what its end means for the call."""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import pytest

from penstock import (
    RAW,
    BothStreamCall,
    Call,
    EndOfStream,
    Kind,
    Limits,
    Method,
    Origin,
    RpcError,
    Server,
    ServerCall,
    ServerStream,
    Service,
    Status,
    StatusCode,
    UsageError,
    _engine,
)
from penstock._handlers import fallback_route, routes
from penstock._interception import Around
from penstock.errors import outcome
from penstock.server_calls import FAILED
from tests.protos.echo_penstock import EchoBase
from tests.unit.echo import Echo
from tests.unit.memory import MemoryChannel, connected, settle

PATHS = {kind: f"/test.Kinds/{kind.name}" for kind in Kind}
NAMES = {kind: kind.name.lower() for kind in Kind}


def served(kind: Kind, handler: Callable[..., Any]) -> Service:
    """A service of one method of bytes, whose handler is this function."""

    class Kinds(Service):
        METHODS: ClassVar[Mapping[str, Method[Any, Any]]] = {
            NAMES[kind]: Method(PATHS[kind], kind, bytes, bytes, RAW),
        }

    service = Kinds()
    setattr(service, NAMES[kind], handler)
    return service


async def called(
    kind: Kind, handler: Callable[..., Any], *requests: bytes
) -> tuple[list[bytes], BothStreamCall[bytes, bytes]]:
    """Call a handler with these requests; give its replies and the call, which has ended."""
    replies: list[bytes] = []
    async with connected(served(kind, handler)) as channel, channel.stream(PATHS[kind]) as stream:
        await stream.send_many(requests)
        await stream.end_sending()
        with suppress(RpcError, EndOfStream):
            while True:
                replies.append(await stream.receive())
        return replies, stream


def status_of(stream: BothStreamCall[bytes, bytes]) -> tuple[StatusCode, str]:
    assert stream.status is not None
    return stream.status.code, stream.status.message


OK = (StatusCode.OK, "")
UNEXPECTED = (FAILED.code, FAILED.message)


# The four kinds, and the forms of each.


async def test_one_to_one_returns_its_reply() -> None:
    async def handler(request: bytes, _call: ServerCall) -> bytes:
        return request + b"!"

    replies, stream = await called(Kind.UNARY, handler, b"q")
    assert (replies, status_of(stream)) == ([b"q!"], OK)


async def test_what_is_no_coroutine_function_may_give_what_one_gives() -> None:
    async def reply(request: bytes) -> bytes:
        return request

    async def replies(request: bytes) -> AsyncIterator[bytes]:
        yield request

    assert (await called(Kind.UNARY, lambda request, _call: reply(request), b"q"))[0] == [b"q"]
    assert (await called(Kind.SERVER_STREAM, lambda request, _stream: replies(request), b"q"))[0] == [b"q"]

    async def late(_stream: ServerStream[bytes, bytes]) -> AsyncIterator[bytes]:
        return replies(b"q")

    assert (await called(Kind.BOTH_STREAM, late))[0] == [b"q"]


async def test_one_to_many_sends_or_yields() -> None:
    async def sending(request: bytes, stream: ServerStream[bytes, bytes]) -> None:
        await stream.send_many([request, request])

    async def yielding(request: bytes, _stream: ServerStream[bytes, bytes]) -> AsyncIterator[bytes]:
        yield request
        yield request

    for handler in (sending, yielding):
        replies, stream = await called(Kind.SERVER_STREAM, handler, b"q")
        assert (replies, status_of(stream)) == ([b"q", b"q"], OK)


async def test_many_to_one_receives_and_returns_its_reply() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> bytes:
        return b",".join([request async for request in stream])

    replies, stream = await called(Kind.CLIENT_STREAM, handler, b"a", b"b")
    assert (replies, status_of(stream)) == ([b"a,b"], OK)


async def test_many_to_many_sends_or_yields() -> None:
    async def sending(stream: ServerStream[bytes, bytes]) -> None:
        async for request in stream:
            await stream.send(request)

    async def yielding(stream: ServerStream[bytes, bytes]) -> AsyncIterator[bytes]:
        async for request in stream:
            yield request

    for handler in (sending, yielding):
        replies, stream = await called(Kind.BOTH_STREAM, handler, b"a", b"b")
        assert (replies, status_of(stream)) == ([b"a", b"b"], OK)


@pytest.mark.parametrize("kind", [Kind.UNARY, Kind.SERVER_STREAM])
@pytest.mark.parametrize(("requests", "count"), [([], "no"), ([b"1", b"2"], "more than one")])
async def test_a_method_of_one_request_gets_exactly_one(kind: Kind, requests: list[bytes], count: str) -> None:
    async def handler(_request: bytes, _call: ServerCall) -> bytes:
        raise AssertionError

    _replies, stream = await called(kind, handler, *requests)
    text = f"the client sent {count} request"
    code, message = status_of(stream)
    assert code is StatusCode.UNIMPLEMENTED
    assert message.startswith(text)


# How a handler ends.


@pytest.mark.parametrize("kind", list(Kind))
async def test_an_rpc_error_is_the_status(kind: Kind) -> None:
    async def handler(*_arguments: object) -> None:
        raise RpcError(StatusCode.NOT_FOUND, "no such room")

    _replies, stream = await called(kind, handler, b"q")
    assert status_of(stream) == (StatusCode.NOT_FOUND, "no such room")


@pytest.mark.parametrize("kind", list(Kind))
async def test_any_other_exception_is_unknown_to_the_client_and_known_to_the_log(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(*_arguments: object) -> None:
        raise LookupError("a secret")

    _replies, stream = await called(kind, handler, b"q")
    assert status_of(stream) == UNEXPECTED
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == f"{PATHS[kind]} from memory:1 ended: FAILED, UNKNOWN: the handler raised an exception"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)
    caplog.clear()


@pytest.mark.parametrize("error", [TimeoutError, asyncio.InvalidStateError, StopAsyncIteration])
async def test_exceptions_with_a_meaning_elsewhere_are_unknown_too(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_request: bytes, _call: ServerCall) -> bytes:
        raise error("its own")

    _replies, stream = await called(Kind.UNARY, handler, b"q")
    assert status_of(stream) == UNEXPECTED
    caplog.clear()


async def test_the_outcome_of_another_call_is_unknown_unless_it_is_relayed(caplog: pytest.LogCaptureFixture) -> None:
    def outcome_of_another_call() -> RpcError:
        return outcome(Status(StatusCode.NOT_FOUND, "elsewhere"), Origin.REMOTE)

    async def escaping(_request: bytes, _call: ServerCall) -> bytes:
        raise outcome_of_another_call()

    async def relaying(_request: bytes, _call: ServerCall) -> bytes:
        raise outcome_of_another_call().relay()

    assert status_of((await called(Kind.UNARY, escaping, b"q"))[1]) == UNEXPECTED
    assert status_of((await called(Kind.UNARY, relaying, b"q"))[1]) == (StatusCode.NOT_FOUND, "elsewhere")
    caplog.clear()


async def test_the_only_error_of_a_group_is_the_status() -> None:
    async def fail() -> None:
        raise RpcError(StatusCode.NOT_FOUND, "in a group")

    async def handler(_request: bytes, _call: ServerCall) -> bytes:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
        return b""

    assert status_of((await called(Kind.UNARY, handler, b"q"))[1]) == (StatusCode.NOT_FOUND, "in a group")


async def test_two_errors_of_a_group_are_unknown(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(_request: bytes, _call: ServerCall) -> bytes:
        raise ExceptionGroup("two", [RpcError(StatusCode.NOT_FOUND), RpcError(StatusCode.ABORTED)])

    assert status_of((await called(Kind.UNARY, handler, b"q"))[1]) == UNEXPECTED
    caplog.clear()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Kind.SERVER_STREAM, "a sync handler yields its replies"),
        (Kind.CLIENT_STREAM, "handlers of many requests are `async def`"),
        (Kind.BOTH_STREAM, "handlers of many requests are `async def`"),
    ],
)
async def test_a_sync_handler_is_named_in_the_log_where_it_cannot_be(
    kind: Kind, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(*_arguments: object) -> bytes:
        return b"reply"

    _replies, stream = await called(kind, handler, b"q")
    assert status_of(stream) == UNEXPECTED
    assert f"handler returned bytes; {why}" in caplog.text
    caplog.clear()


@pytest.mark.parametrize("kind", [Kind.SERVER_STREAM, Kind.BOTH_STREAM])
@pytest.mark.parametrize("returned", [b"reply", b"", [b"reply"], False])
async def test_a_reply_that_is_returned_where_there_are_many_is_unknown_and_named_in_the_log(
    kind: Kind, returned: object, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(*_arguments: object) -> object:
        return returned

    replies, stream = await called(kind, handler, b"q")
    assert (replies, status_of(stream)) == ([], UNEXPECTED)
    what = f"handler returned {type(returned).__name__}"
    assert f"{what}, but {PATHS[kind]} has many replies: yield it, or await stream.send(...)" in caplog.text
    caplog.clear()


async def test_a_fallback_that_returns_its_reply_is_named_with_the_path_of_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Proxy:
        async def forward(self, _stream: ServerStream[bytes, bytes]) -> bytes:
            return b"reply"

    forward: Any = Proxy().forward  # what mypy refuses
    async with connected(fallback=forward) as channel, channel.stream("/a.B/C") as stream:
        with pytest.raises(RpcError, match=FAILED.message):
            await stream.receive()
    assert "Proxy.forward returned bytes, but /a.B/C has many replies" in caplog.text
    caplog.clear()


async def test_a_reply_of_another_type_is_unknown_and_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(_request: bytes, _call: ServerCall) -> str:
        return "text"

    _replies, stream = await called(Kind.UNARY, handler, b"q")
    assert status_of(stream) == UNEXPECTED
    assert "this call sends bytes, not str" in caplog.text
    caplog.clear()


async def test_a_handler_that_cancels_itself_ends_with_cancelled() -> None:
    async def handler(_request: bytes, _call: ServerCall) -> bytes:
        raise asyncio.CancelledError

    assert status_of((await called(Kind.UNARY, handler, b"q"))[1]) == (
        StatusCode.CANCELLED,
        "the handler was cancelled",
    )


async def test_a_handler_that_is_cancelled_before_its_first_step_ends_with_cancelled() -> None:
    async def handler(_request: bytes, _call: ServerCall) -> bytes:
        raise AssertionError

    async with (
        connected(served(Kind.UNARY, handler)) as channel,
        channel.stream(PATHS[Kind.UNARY]) as stream,
    ):
        await NextCall(channel).cancelled()
        with pytest.raises(RpcError, match="CANCELLED: the handler was cancelled"):
            await stream.receive()


class NextCall:
    """The next call of a server."""

    def __init__(self, channel: MemoryChannel) -> None:
        self._channel = channel

    async def cancelled(self) -> None:
        """Cancel its handler in the same turn of the loop in which the task was made."""
        while True:
            for connection in self._channel.server._core.connections:
                for opened in connection.calls:
                    assert opened._task is not None
                    opened._task.cancel()
                    return
            await asyncio.sleep(0)


# Generators.

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


async def test_a_generator_is_closed_in_its_own_task_and_context_when_its_client_leaves() -> None:
    seen: list[object] = []

    async def handler(_request: bytes, _stream: ServerStream[bytes, bytes]) -> AsyncIterator[bytes]:
        token = variable.set("inside")
        task = asyncio.current_task()
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0)
        finally:
            variable.reset(token)
            seen.append(asyncio.current_task() is task)

    async with connected(served(Kind.SERVER_STREAM, handler)) as channel:
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            await stream.receive()
        await settle()
        assert seen == [True]


async def test_a_generator_that_yields_another_type_is_closed_at_once(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[bool] = []

    async def handler(_stream: ServerStream[bytes, bytes]) -> AsyncIterator[str]:
        try:
            yield "text"
        finally:
            closed.append(True)

    _replies, stream = await called(Kind.BOTH_STREAM, handler)
    assert (status_of(stream), closed) == (UNEXPECTED, [True])
    caplog.clear()


async def test_an_iterator_without_aclose_is_taken_too() -> None:
    class Numbers:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> "Numbers":
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return bytes([self.left])

    def handler(_stream: ServerStream[bytes, bytes]) -> Numbers:
        return Numbers()

    assert (await called(Kind.BOTH_STREAM, handler))[0] == [b"\x01", b"\x00"]


# The table of routes.


def test_every_method_of_every_service_has_its_route() -> None:
    table = routes([Echo()], Limits())
    assert {path: route.kind for path, route in table.items()} == {
        method.path: method.kind for method in EchoBase.METHODS.values()
    }


def test_a_service_served_twice_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"/penstock\.test\.echo\.Echo/Unary is served twice"):
        routes([Echo(), Echo()], Limits())


@pytest.mark.parametrize(
    ("service", "what"),
    [(Echo, "the class Echo"), (Service(), "a Service"), ("text", "a str"), (None, "a NoneType")],
)
def test_what_is_no_service_is_a_mistake(service: object, what: str) -> None:
    with pytest.raises(UsageError, match=f"{what} is no service with METHODS"):
        routes([service], Limits())  # type: ignore[list-item]  # what mypy refuses


def test_a_service_may_have_no_methods() -> None:
    class Empty(Service):
        METHODS: ClassVar[Mapping[str, Method[Any, Any]]] = {}

    assert routes([Empty()], Limits()) == {}


def test_a_method_without_a_handler_is_a_mistake() -> None:
    class Half(Service):
        METHODS: ClassVar[Mapping[str, Method[Any, Any]]] = {"get": Method("/a.B/Get", Kind.UNARY, bytes, bytes, RAW)}

    with pytest.raises(UsageError, match=r"Half has no method 'get' for /a\.B/Get"):
        routes([Half()], Limits())


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Kind.UNARY, "yields, but .* has one reply: return it"),
        (Kind.CLIENT_STREAM, "is a sync generator, but .* reads a stream; write `async def`"),
        (Kind.BOTH_STREAM, "is a sync generator, but .* reads a stream; write `async def`"),
    ],
)
def test_a_sync_generator_is_a_mistake_but_for_one_to_many(kind: Kind, why: str) -> None:
    def handler(*_arguments: object) -> Any:
        yield b""

    with pytest.raises(UsageError, match=why):
        routes([served(kind, handler)], Limits())


@pytest.mark.parametrize(("kind", "mistake"), [(kind, kind.one_reply) for kind in Kind])
def test_a_generator_is_a_mistake_where_there_is_one_reply(kind: Kind, mistake: bool) -> None:
    async def handler(*_arguments: object) -> AsyncIterator[bytes]:
        yield b""

    service = served(kind, handler)
    if mistake:
        with pytest.raises(UsageError, match=r"yields, but .* has one reply: return it"):
            routes([service], Limits())
    else:
        assert list(routes([service], Limits())) == [PATHS[kind]]


def test_the_fallback_takes_bytes_many_both_ways() -> None:
    async def handler(_stream: ServerStream[bytes, bytes]) -> None:
        """Does nothing."""

    route = fallback_route(handler, Limits())
    assert (route.kind, route.handler) == (Kind.BOTH_STREAM, handler)


# Around the handler.


@contextlib.asynccontextmanager
async def noting(call: Call) -> AsyncIterator[None]:
    entered.append(call.method)
    yield


entered: list[str] = []


async def test_a_task_cancelled_before_its_first_step_has_entered_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # As where a read comes in the middle of another task's step: else it begins at the end of the read.
    monkeypatch.setattr(_engine, "begin_task", lambda loop, work, name: loop.create_task(work, name=name))

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send(b"never")

    entered.clear()
    async with connected(fallback=handler, interceptors=[noting]) as channel, channel.stream("/a.B/C") as stream:
        task = await new_task("/a.B/C")
        task.cancel()
        with pytest.raises(RpcError, match="CANCELLED: the handler was cancelled"):
            await stream.receive()
        assert entered == []
        async with channel.stream("/a.B/C") as other:
            assert await other.receive() == b"never"
        assert entered == ["/a.B/C"]


async def new_task(name: str) -> asyncio.Task[Any]:
    """The task of this name, before its first step: this one ran in the turn before, so it runs before it."""
    while True:
        await asyncio.sleep(0)
        for task in asyncio.all_tasks():
            if task.get_name() == name:
                return task


def test_a_route_has_nothing_around_it_unless_there_is_something() -> None:
    assert Server([])._core._fallback is None
    assert {route.around for route in Server([Echo()])._core._routes.values()} == {None}
    assert {route.around for route in Server([Echo()], interceptors=[noting])._core._routes.values()} == {
        Around((noting,))
    }
