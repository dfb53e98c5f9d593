"""Is a server's interceptor around the whole handler, and may it still say how the call ends?"""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Never

import pytest

import penstock
from penstock import RpcError, ServerStream, StatusCode
from tests.e2e.around import (
    Seen,
    around,
    call,
    every_kind,
    goes_on,
    only_reply,
    refusing,
    serving,
    swallowing,
    translating,
)
from tests.e2e.support import Echo, turns, until, within_bound
from tests.e2e.test_client_interceptors import WRONG, not_found, waits_for_ever
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


def invalid() -> RpcError:
    return RpcError(StatusCode.INVALID_ARGUMENT, "no number")


async def fails(*_arguments: Any) -> Any:
    raise ValueError("no number")


def errors_in(log: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in log.records if record.name.startswith("penstock") and record.levelno >= logging.ERROR]


# Entering.


@every_kind
async def test_it_sees_the_call_that_its_handler_gets(kind: str) -> None:
    got: list[Any] = []

    async def handler(*arguments: Any) -> Any:
        got.append(arguments[-1])
        return only_reply(kind)

    seen = Seen()
    async with around(serving(kind, handler), server=[seen]) as pair:
        await call(pair.client, kind, metadata={"k": "v"}, timeout=60)
        (seen_call,) = seen.calls
        assert seen_call is got[0]
        assert seen_call.method == pair.client_method(kind).path
        assert seen_call.metadata == {"k": "v"}
        assert seen_call.peer.startswith("127.0.0.1:")
        assert 0 < seen_call.time_remaining <= 60
        assert (seen.outcomes, seen.codes) == ([None], [StatusCode.OK])


@every_kind
async def test_the_first_of_the_list_is_the_outermost_on_a_server_too(kind: str) -> None:
    log: list[Any] = []
    async with around(server=[Seen("outer", log), Seen("inner", log)]) as pair:
        await call(pair.client, kind)
    assert log == [("outer", "in"), ("inner", "in"), ("inner", "out"), ("outer", "out")]


@every_kind
async def test_it_is_entered_before_a_message_is_read_and_in_the_handlers_task_and_context(kind: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")
    log: list[Any] = []

    @asynccontextmanager
    async def setting(call: penstock.Call) -> AsyncIterator[None]:
        call.on_receive(lambda _message: log.append("message"))
        await asyncio.sleep(0)
        log.append("in")
        token = variable.set("inside")
        task = asyncio.current_task()
        try:
            yield
        finally:
            assert asyncio.current_task() is task
            variable.reset(token)

    async def handler(*arguments: Any) -> Any:
        if kind.startswith(("client", "both")):
            async for _note in arguments[-1]:
                pass
        log.append(variable.get())
        return only_reply(kind)

    async def generator(*_arguments: Any) -> AsyncIterator[Note]:
        log.append(variable.get())
        yield Note()

    async with around(serving(kind, handler), server=[setting]) as pair:
        await call(pair.client, kind)
        assert (log[0], log[-1], log.count("message")) == (
            "in",
            "inside",
            1 + (kind in {"client_stream", "both_stream"}),
        )
    if kind.startswith(("server", "both")):
        async with around(serving(kind, generator), server=[setting]) as pair:
            await call(pair.client, kind)
            assert log[-1] == "inside"


@every_kind
async def test_an_rpc_error_before_the_yield_is_the_answer_and_no_handler_runs(kind: str) -> None:
    ran: list[Any] = []

    async def handler(*arguments: Any) -> Any:
        ran.append(arguments)
        return Note()

    messages: list[Any] = []

    @asynccontextmanager
    async def watching(call: penstock.Call) -> AsyncIterator[None]:
        call.on_receive(messages.append)
        yield

    outer, inner = Seen(), Seen()
    interceptors = [watching, outer, refusing(StatusCode.PERMISSION_DENIED), inner]
    async with around(serving(kind, handler), server=interceptors) as pair:
        with pytest.raises(RpcError, match=f"PERMISSION_DENIED: no {pair.client_method(kind).path}"):
            await call(pair.client, kind)
        await outer.until_left()
        assert (ran, messages, inner.calls) == ([], [], [])
        assert outer.codes == [StatusCode.PERMISSION_DENIED]
        assert isinstance(outer.outcomes[0], RpcError)


# The outcome.


@every_kind
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: None, StatusCode.OK),
        (lambda: RpcError(StatusCode.NOT_FOUND, "gone", metadata={"why": "gone"}), StatusCode.NOT_FOUND),
        (lambda: ValueError("no number"), StatusCode.UNKNOWN),
        (lambda: TimeoutError("its own"), StatusCode.UNKNOWN),
        (lambda: asyncio.CancelledError("by itself"), StatusCode.CANCELLED),
        (lambda: ExceptionGroup("one", [RpcError(StatusCode.ABORTED)]), StatusCode.ABORTED),
    ],
    ids=["nothing", "RpcError", "ValueError", "TimeoutError", "CancelledError", "group"],
)
async def test_it_is_left_with_the_outcome_before_the_status_goes_out(
    kind: str, make: Callable[[], BaseException | None], code: StatusCode
) -> None:
    outcome = make()

    async def handler(*_arguments: Any) -> Any:
        if outcome is not None:
            raise outcome
        return only_reply(kind)

    @asynccontextmanager
    async def marking(call: ServerStream[Any, Any]) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)
            call.trailing_metadata["took"] = "long"

    seen = Seen()
    async with around(serving(kind, handler), server=[seen, marking]) as pair:
        client_seen: dict[str, Any] = {}
        error = await failure_of(pair.client, kind)
        if error is not None:
            client_seen = dict(error.metadata)
            assert error.code is code
        assert seen.outcomes == [outcome]
        assert seen.codes == [code]
        if error is not None:
            assert client_seen["took"] == "long"
            assert client_seen.get("why") == ("gone" if code is StatusCode.NOT_FOUND else None)


async def failure_of(client: Any, kind: str, **options: Any) -> RpcError | None:
    """Make a call; give its error."""
    try:
        await call(client, kind, **options)
    except RpcError as error:
        return error
    return None


@every_kind
async def test_trailing_metadata_that_it_sets_goes_out_with_ok(kind: str) -> None:
    @asynccontextmanager
    async def marking(call: ServerStream[Any, Any]) -> AsyncIterator[None]:
        yield
        call.trailing_metadata["took"] = "long"

    ended = Seen()
    async with around(server=[marking], client=[ended]) as pair:
        await call(pair.client, kind)
        assert ended.calls[0].trailing_metadata == {"took": "long"}


@every_kind
async def test_an_exception_may_be_translated_and_is_not_logged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    outer = Seen()
    async with around(serving(kind, fails), server=[outer, translating(ValueError, invalid)]) as pair:
        with pytest.raises(RpcError, match="INVALID_ARGUMENT: no number"):
            await call(pair.client, kind)
        assert outer.codes == [StatusCode.INVALID_ARGUMENT]
    assert errors_in(caplog) == []


@every_kind
async def test_what_it_raises_after_a_success_is_the_answer_and_the_reply_stays_unsent(kind: str) -> None:
    @asynccontextmanager
    async def strict(_call: penstock.Call) -> AsyncIterator[None]:
        yield
        raise RpcError(StatusCode.FAILED_PRECONDITION, "after all")

    replies: list[Any] = []

    @asynccontextmanager
    async def watching(call: penstock.Call) -> AsyncIterator[None]:
        call.on_receive(replies.append)
        yield

    async with around(server=[strict], client=[watching]) as pair:
        with pytest.raises(RpcError, match="FAILED_PRECONDITION: after all"):
            await call(pair.client, kind)
        assert (replies == []) is (kind in {"unary", "client_stream"})


async def test_a_handler_that_cancels_its_call_and_returns_nothing_has_cancelled_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def cancels(_request: Note, call: penstock.ServerCall) -> Any:
        call.cancel()

    seen = Seen()
    async with around(Echo(unary=cancels), server=[seen]) as pair:
        assert isinstance(await failure_of(pair.client, "unary"), penstock.Cancelled)
        await seen.until_left()
        assert (seen.outcomes, seen.codes) == ([None], [StatusCode.CANCELLED])
        await pair.until_no_call_is_open()
    assert errors_in(caplog) == []


@every_kind
async def test_what_it_swallows_is_answered_all_the_same(kind: str) -> None:
    outer = Seen()
    async with around(serving(kind, not_found), server=[outer, swallowing]) as pair:
        with pytest.raises(RpcError, match="NOT_FOUND: no such room"):
            await call(pair.client, kind)
        assert outer.codes == [StatusCode.NOT_FOUND]


async def test_a_reply_that_cannot_be_encoded_is_an_outcome_it_sees(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: Note, call: penstock.ServerCall) -> Any:
        del request, call
        return "no Note"

    seen = Seen()
    async with around(Echo(unary=handler), server=[seen]) as pair:
        with pytest.raises(RpcError, match="UNKNOWN"):
            await pair.client.unary(Note())
        assert isinstance(seen.outcomes[0], penstock.UsageError)
    assert len(errors_in(caplog)) == 1


@pytest.mark.parametrize("interceptor", [pytest.param(each, id=each[0].__name__) for each in WRONG])
@pytest.mark.parametrize("handler", [None, not_found])
@every_kind
async def test_a_wrong_form_is_logged_by_its_name_and_unknown_to_the_client(
    kind: str, interceptor: tuple[Any, str], handler: Any, caplog: pytest.LogCaptureFixture
) -> None:
    outer = Seen()
    service = Echo() if handler is None else serving(kind, handler)
    async with around(service, server=[outer, interceptor[0]]) as pair:
        with pytest.raises(RpcError, match="UNKNOWN: the handler raised an exception"):
            await call(pair.client, kind)
        assert isinstance(outer.outcomes[0], penstock.UsageError)
    assert interceptor[1] in caplog.text


# Ends from outside.


async def waits_with_a_receive(*arguments: Any) -> Any:
    await arguments[-1].receive()


@every_kind
async def test_a_client_that_leaves_is_a_cancellation_at_the_yield(kind: str) -> None:
    seen = Seen()
    async with around(serving(kind, waits_for_ever), server=[seen]) as pair:
        task = asyncio.create_task(call(pair.client, kind))
        await entered(seen)
        task.cancel()
        await seen.until_left()
        assert seen.codes == [StatusCode.CANCELLED]
        assert type(seen.outcomes[0]) is asyncio.CancelledError


async def entered(seen: Seen) -> None:
    """Wait until a call is inside, and its handler waits."""
    await until(lambda: seen.calls)
    await turns(10)


async def test_a_receive_that_is_told_of_the_end_raises_it_at_the_yield() -> None:
    seen = Seen()
    async with around(Echo(both_stream=waits_with_a_receive), server=[seen]) as pair:
        async with pair.client.both_stream():
            await entered(seen)
        await seen.until_left()
        assert type(seen.outcomes[0]) is penstock.Cancelled
        assert seen.codes == [StatusCode.CANCELLED]


@every_kind
async def test_the_clients_deadline_ends_what_is_inside(kind: str) -> None:
    seen = Seen()
    async with around(serving(kind, waits_for_ever), server=[seen]) as pair:
        error = await failure_of(pair.client, kind, timeout=0.02)
        assert isinstance(error, penstock.DeadlineExceeded)
        await seen.until_left()
        assert type(seen.outcomes[0]) is asyncio.CancelledError
        assert seen.codes[0] in {StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED}  # whoever is faster


@every_kind
async def test_nothing_inside_of_one_that_goes_on_when_it_is_cancelled_begins(kind: str) -> None:
    ran: list[Any] = []

    async def handler(*arguments: Any) -> Any:
        ran.append(arguments)
        await asyncio.Event().wait()

    outer, inner = Seen(), Seen()
    async with around(serving(kind, handler), server=[outer, goes_on, inner]) as pair:
        assert isinstance(await failure_of(pair.client, kind, timeout=0.02), penstock.DeadlineExceeded)
        await outer.until_left()
        assert isinstance(outer.outcomes[0], RpcError)
        assert (inner.calls, ran) == ([], [])


async def test_a_lost_connection_ends_what_is_inside() -> None:
    seen = Seen()
    async with around(Echo(both_stream=waits_for_ever), server=[seen]) as pair, pair.client.both_stream():
        await entered(seen)
        for connection in list(pair.server._core.connections):
            connection.abort("lost")
        await seen.until_left()
        assert seen.codes == [StatusCode.CANCELLED]
        assert type(seen.outcomes[0]) is asyncio.CancelledError


async def test_a_server_that_stops_ends_what_is_inside() -> None:
    seen = Seen()
    async with around(Echo(both_stream=waits_for_ever), server=[seen]) as pair, pair.client.both_stream():
        await entered(seen)
        await pair.server.stop(0)
        assert seen.codes == [StatusCode.UNAVAILABLE]
        assert type(seen.outcomes[0]) is asyncio.CancelledError


@every_kind
async def test_a_timeout_around_the_yield_cancels_the_handler_and_may_be_answered(kind: str) -> None:
    @asynccontextmanager
    async def bounded(_call: penstock.Call) -> AsyncIterator[None]:
        async with asyncio.timeout(0.01):
            yield

    def slow() -> RpcError:
        return RpcError(StatusCode.RESOURCE_EXHAUSTED, "too slow")

    cancelled: list[str] = []

    async def handler(*_arguments: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(kind)
            raise

    async with around(serving(kind, handler), server=[translating(TimeoutError, slow), bounded]) as pair:
        with pytest.raises(penstock.ResourceExhausted, match="too slow"):
            await call(pair.client, kind)
        assert cancelled == [kind]


async def test_a_generator_handler_is_closed_before_its_interceptors_are_left() -> None:
    log: list[str] = []

    async def feed(request: Note, stream: ServerStream[Never, Note]) -> AsyncIterator[Note]:
        del request, stream
        try:
            while True:
                yield Note()
        finally:
            log.append("closed")

    @asynccontextmanager
    async def around_it(_call: penstock.Call) -> AsyncIterator[None]:
        try:
            yield
        finally:
            log.append("left")

    async with around(Echo(server_stream=feed), server=[around_it]) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
        await pair.until_no_call_is_open()
    assert log == ["closed", "left"]


# What has no service.


async def test_the_fallback_is_intercepted_and_an_unknown_method_is_not() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        async for message in stream:
            await stream.send(message)

    seen = Seen()
    async with around(server=[seen]) as pair, pair.channel.stream("/no.Such/Method") as stream:
        with pytest.raises(RpcError, match="UNIMPLEMENTED: unknown method"):
            await stream.finish()
        assert seen.calls == []
    async with around(server=[seen], fallback=handler) as pair, pair.channel.stream("/no.Such/Method") as stream:
        await stream.send(b"raw")
        assert await within_bound(stream.receive()) == b"raw"
        await stream.finish()
        assert seen.codes == [StatusCode.OK]


async def test_a_fallback_that_refuses_lets_interceptors_count_unknown_methods() -> None:
    async def unknown(stream: ServerStream[bytes, bytes]) -> None:
        raise RpcError(StatusCode.UNIMPLEMENTED, f"unknown method {stream.method}")

    seen = Seen()
    async with around(server=[seen], fallback=unknown) as pair, pair.channel.stream("/no.Such/Method") as stream:
        with pytest.raises(RpcError, match=r"UNIMPLEMENTED: unknown method /no\.Such/Method"):
            await stream.finish()
        assert seen.codes == [StatusCode.UNIMPLEMENTED]


async def test_a_call_without_time_on_arrival_is_not_intercepted() -> None:
    seen = Seen()
    async with around(server=[seen]) as pair:
        with pytest.raises(penstock.DeadlineExceeded):
            await pair.client.unary(Note(), timeout=0)
        assert seen.calls == []
