"""Is a client's interceptor around the whole call, and told the truth of its end?"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import penstock
from penstock import RpcError, StatusCode
from tests.e2e.around import KINDS, Seen, around, call, every_kind, goes_on, refusing, serving, swallowing, translating
from tests.e2e.support import Echo, connected, turns, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

NOT_FOUND = RpcError(StatusCode.NOT_FOUND, "no such room")


async def not_found(*_arguments: Any) -> Any:
    raise RpcError(StatusCode.NOT_FOUND, "no such room")


async def waits_for_ever(*_arguments: Any) -> Any:
    await asyncio.Event().wait()


# Entering.


@every_kind
async def test_it_is_entered_when_the_call_begins_and_left_when_it_is_over(kind: str) -> None:
    before: list[Any] = []

    @asynccontextmanager
    async def look(call: penstock.ClientCall[Any, Any]) -> AsyncIterator[None]:
        before.append((call.method, call.status, call.trailing_metadata, call.peer, call._channel.state))
        yield
        assert call.peer is not None

    seen = Seen()
    async with around(client=[seen, look]) as pair:
        await call(pair.client, kind)
        assert before == [(pair.client_method(kind).path, None, None, None, penstock.ChannelState.IDLE)]
        assert (seen.outcomes, seen.codes) == ([None], [StatusCode.OK])
        assert seen.calls[0].trailing_metadata == {}


async def test_a_call_that_never_begins_is_not_entered() -> None:
    seen = Seen()
    async with around(client=[seen]) as pair:
        unary, stream = pair.client.unary(Note()), pair.client.both_stream()
        unary.cancel()
        with pytest.raises(penstock.Cancelled):
            await unary
        stream.cancel()
        with pytest.raises(penstock.Cancelled):
            await stream.__aenter__()
        assert seen.calls == []


async def test_a_call_that_is_used_twice_is_entered_once() -> None:
    seen = Seen()
    async with around(client=[seen]) as pair:
        made = pair.client.unary(Note())
        await made
        with pytest.raises(penstock.UsageError, match="a call is used once"):
            await made
        assert len(seen.calls) == 1


@every_kind
async def test_the_first_of_the_list_is_the_outermost(kind: str) -> None:
    log: list[Any] = []
    async with around(client=[Seen("outer", log), Seen("inner", log)]) as pair:
        await call(pair.client, kind)
    assert log == [("outer", "in"), ("inner", "in"), ("inner", "out"), ("outer", "out")]


@every_kind
async def test_metadata_that_it_changes_is_what_is_sent(kind: str) -> None:
    came: list[Any] = []

    @asynccontextmanager
    async def edit(call: penstock.Call) -> AsyncIterator[None]:
        call.metadata["trace"] = "1"
        del call.metadata["secret"]
        yield
        call.metadata["late"] = "counts for nothing"

    @asynccontextmanager
    async def record(call: penstock.Call) -> AsyncIterator[None]:
        came.append(call.metadata)
        yield

    given = {"secret": "x", "mine": "y"}
    async with around(client=[edit], server=[record]) as pair:
        await call(pair.client, kind, metadata=given)
        await call(pair.client, kind, metadata=penstock.Metadata(given))
    assert came == [{"mine": "y", "trace": "1"}] * 2
    assert given == {"secret": "x", "mine": "y"}


@every_kind
async def test_an_rpc_error_before_the_yield_refuses_the_call_and_nothing_is_sent(kind: str) -> None:
    outer, inner = Seen(), Seen()
    async with around(client=[outer, refusing(StatusCode.RESOURCE_EXHAUSTED), inner]) as pair:
        with pytest.raises(penstock.ResourceExhausted, match="no /penstock") as caught:
            await call(pair.client, kind)
        assert caught.value.origin is penstock.Origin.LOCAL
        assert pair.channel.state is penstock.ChannelState.IDLE
        assert outer.codes == [StatusCode.RESOURCE_EXHAUSTED]
        assert isinstance(outer.outcomes[0], penstock.ResourceExhausted)
        assert inner.calls == []


@every_kind
async def test_another_exception_before_the_yield_cancels_the_call_and_is_raised(kind: str) -> None:
    @asynccontextmanager
    async def broken(_call: penstock.Call) -> AsyncIterator[None]:
        raise LookupError("mine")
        yield

    outer = Seen()
    async with around(client=[outer, broken]) as pair:
        with pytest.raises(LookupError, match="mine"):
            await call(pair.client, kind)
        assert pair.channel.state is penstock.ChannelState.IDLE
        assert outer.codes == [StatusCode.CANCELLED]
        assert isinstance(outer.outcomes[0], LookupError)


@asynccontextmanager
async def never_enters(_call: penstock.Call) -> AsyncIterator[None]:
    await asyncio.Event().wait()
    yield


@every_kind
async def test_the_deadline_covers_its_entering(kind: str) -> None:
    outer = Seen()
    async with around(client=[outer, never_enters]) as pair:
        with pytest.raises(penstock.DeadlineExceeded, match=r"did not end within 0\.01 s"):
            await call(pair.client, kind, timeout=0.01)
        assert outer.codes == [StatusCode.DEADLINE_EXCEEDED]
        assert isinstance(outer.outcomes[0], penstock.DeadlineExceeded)
        assert pair.channel.state is penstock.ChannelState.IDLE


async def test_what_fails_a_moment_before_the_deadline_is_told_is_why_the_call_ended() -> None:
    @asynccontextmanager
    async def fails_late(call: penstock.ClientCall[Any, Any]) -> AsyncIterator[None]:
        assert call._deadline is not None
        while not call._deadline.is_over():
            pass  # the loop stands still, and with it the timer of the deadline
        raise RpcError(StatusCode.UNAVAILABLE, "no room to be had")
        yield

    async with around(client=[fails_late]) as pair:
        made = pair.client.unary(Note(), timeout=0.01)
        with pytest.raises(penstock.Unavailable, match="no room to be had"):
            await made
        assert made.end is penstock.End.REFUSED


async def test_cancelling_the_call_or_its_task_cuts_its_entering_short() -> None:
    outer = Seen()
    async with around(client=[outer, never_enters]) as pair:
        made = pair.client.unary(Note())
        waiting = asyncio.ensure_future(made)
        await turns(5)
        made.cancel()
        with pytest.raises(penstock.Cancelled, match="cancelled by this side"):
            await within_bound(waiting)
        task = asyncio.ensure_future(pair.client.unary(Note()))
        await turns(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert outer.codes == [StatusCode.CANCELLED] * 2
        assert [type(outcome) for outcome in outer.outcomes] == [penstock.Cancelled, asyncio.CancelledError]


@every_kind
async def test_one_that_goes_on_when_it_is_cut_short_does_not_keep_the_call_from_ending(kind: str) -> None:
    outer = Seen()
    async with around(client=[outer, goes_on, never_enters]) as pair:
        with pytest.raises(penstock.DeadlineExceeded):
            await call(pair.client, kind, timeout=0.01)
        assert outer.codes == [StatusCode.DEADLINE_EXCEEDED]


async def test_one_that_goes_on_when_the_call_is_cancelled_does_not_keep_it_from_ending() -> None:
    outer, inner = Seen(), Seen()
    async with around(client=[outer, goes_on, inner]) as pair:
        made = pair.client.unary(Note())
        waiting = asyncio.ensure_future(made)
        await until(lambda: outer.calls)
        await turns(5)
        made.cancel()
        with pytest.raises(penstock.Cancelled):
            await within_bound(waiting)
        assert (outer.codes, inner.calls) == ([StatusCode.CANCELLED], [])


async def test_it_is_around_the_wait_for_a_connection() -> None:
    seen = Seen()
    async with penstock.Channel("127.0.0.1:1", interceptors=[seen]) as channel:
        with pytest.raises(penstock.Unavailable):
            async with channel.stream("/a.B/C"):
                pass
    assert seen.codes == [StatusCode.UNAVAILABLE]


# The outcome.


@every_kind
async def test_the_error_of_the_call_is_raised_at_the_yield(kind: str) -> None:
    outer, inner = Seen(), Seen()
    async with around(serving(kind, not_found), client=[outer, inner]) as pair:
        with pytest.raises(RpcError, match="no such room") as caught:
            await call(pair.client, kind)
        for seen in (outer, inner):
            assert seen.outcomes == [caught.value]
            assert seen.codes == [StatusCode.NOT_FOUND]


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_what_the_block_raises_is_raised_at_the_yield_after_the_call_was_ended(kind: str) -> None:
    seen = Seen()
    began, ended = asyncio.Event(), asyncio.Event()

    async def handler(*_arguments: Any) -> Any:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with around(serving(kind, handler), client=[seen]) as pair:
        error = LookupError("mine")
        with pytest.raises(LookupError) as caught:
            async with open_call(pair.client, kind):
                await within_bound(began.wait())
                raise error
        assert caught.value is error
        assert (seen.outcomes, seen.codes) == ([error], [StatusCode.CANCELLED])
        await within_bound(ended.wait())


def open_call(client: Any, kind: str) -> Any:
    """Make a streaming call."""
    return client.server_stream(Note(number=2)) if kind == "server_stream" else getattr(client, kind)()


@pytest.mark.parametrize("kind", ["server_stream", "both_stream"])
@pytest.mark.parametrize("between", [[], [swallowing]], ids=["alone", "around one that swallows"])
async def test_a_block_that_is_left_early_ends_so_and_its_interceptors_see_the_status(
    kind: str, between: list[Any]
) -> None:
    seen = Seen()
    async with around(serving(kind, waits_for_ever), client=[seen, *between]) as pair:
        async with open_call(pair.client, kind):
            pass
        assert isinstance(seen.outcomes[0], penstock.Cancelled)
        assert seen.codes == [StatusCode.CANCELLED]


async def test_a_task_group_around_the_yield_lets_a_block_be_left_early() -> None:
    @asynccontextmanager
    async def with_company(_call: penstock.Call) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            company = group.create_task(asyncio.Event().wait())
            try:
                yield
            finally:
                company.cancel()

    async with around(client=[with_company]) as pair:
        async with pair.client.server_stream(Note(number=1_000_000)) as stream:
            async for _reply in stream:
                break
        with pytest.raises(penstock.DeadlineExceeded):
            async with pair.client.both_stream(timeout=0.01) as both:
                await both.receive()


async def test_an_upload_that_is_left_unfinished_is_warned_of_after_its_interceptors_are_left() -> None:
    seen = Seen()
    async with around(client=[seen]) as pair:
        with pytest.warns(penstock.UnfinishedCall, match="ClientStream") as warned:
            async with pair.client.client_stream():
                pass
        assert warned[0].filename == __file__
        assert seen.codes == [StatusCode.CANCELLED]


@every_kind
async def test_what_it_swallows_is_raised_on(kind: str) -> None:
    outer = Seen()
    async with around(serving(kind, not_found), client=[outer, swallowing]) as pair:
        with pytest.raises(RpcError, match="no such room") as caught:
            await call(pair.client, kind)
        assert outer.outcomes == [caught.value]


@every_kind
async def test_what_it_raises_instead_is_what_the_caller_gets(kind: str) -> None:
    outer = Seen()
    mine = LookupError("mine")
    async with around(serving(kind, not_found), client=[outer, translating(RpcError, lambda: mine)]) as pair:
        with pytest.raises(LookupError) as caught:
            await call(pair.client, kind)
        assert caught.value is mine
        assert isinstance(mine.__cause__, RpcError)
        assert (outer.outcomes, outer.codes) == ([mine], [StatusCode.NOT_FOUND])


@every_kind
async def test_what_it_raises_after_a_success_is_what_the_caller_gets(kind: str) -> None:
    @asynccontextmanager
    async def picky(_call: penstock.Call) -> AsyncIterator[None]:
        try:
            yield
        finally:
            raise LookupError("mine")

    outer = Seen()
    async with around(client=[outer, picky]) as pair:
        with pytest.raises(LookupError, match="mine"):
            await call(pair.client, kind)
        assert isinstance(outer.outcomes[0], LookupError)
        assert outer.codes == [StatusCode.OK]


async def test_an_rpc_error_it_raises_is_an_outcome_of_the_call_not_of_a_handler_around_it() -> None:
    denied = translating(RpcError, lambda: RpcError(StatusCode.PERMISSION_DENIED, "of another service"))
    async with around(Echo(unary=not_found), client=[denied]) as inner:

        async def handler(request: Note, call: penstock.ServerCall) -> Note:
            del call
            return await inner.client.unary(request)

        async with connected(Echo(unary=handler)) as outer:
            with pytest.raises(RpcError) as caught:
                await outer.client.unary(Note())
            assert caught.value.code is StatusCode.UNKNOWN


# Cancellation and time.


@every_kind
async def test_cancelling_the_task_comes_through_as_it_is(kind: str) -> None:
    seen = Seen()
    async with around(serving(kind, waits_for_ever), client=[seen]) as pair:
        task = asyncio.create_task(call(pair.client, kind))
        await until(lambda: seen.calls and seen.calls[0].peer is not None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert type(seen.outcomes[0]) is asyncio.CancelledError
        assert seen.codes == [StatusCode.CANCELLED]


@every_kind
async def test_a_timeout_around_the_yield_is_a_timeout_of_the_call(kind: str) -> None:
    @asynccontextmanager
    async def bounded(_call: penstock.Call) -> AsyncIterator[None]:
        async with asyncio.timeout(0.01):
            yield

    outer = Seen()
    async with around(serving(kind, waits_for_ever), client=[outer, bounded]) as pair:
        with pytest.raises(TimeoutError):
            await call(pair.client, kind, timeout=60)
        assert type(outer.outcomes[0]) is TimeoutError
        assert outer.codes == [StatusCode.CANCELLED]
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


@every_kind
async def test_the_deadline_is_raised_at_the_yield(kind: str) -> None:
    seen = Seen()
    async with around(serving(kind, waits_for_ever), client=[seen]) as pair:
        with pytest.raises(penstock.DeadlineExceeded):
            await call(pair.client, kind, timeout=0.01)
        assert isinstance(seen.outcomes[0], penstock.DeadlineExceeded)
        assert seen.codes == [StatusCode.DEADLINE_EXCEEDED]


async def test_time_remaining_is_that_of_the_call() -> None:
    left: list[float | None] = []

    @asynccontextmanager
    async def look(call: penstock.Call) -> AsyncIterator[None]:
        left.append(call.time_remaining)
        yield

    async with around(client=[look]) as pair:
        await pair.client.unary(Note(), timeout=60)
        await pair.client.unary(Note())
    assert left[0] is not None
    assert 0 < left[0] <= 60
    assert left[1] is None


async def test_a_context_variable_set_before_the_yield_is_seen_in_the_block_and_reset_after_it() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")

    @asynccontextmanager
    async def setting(_call: penstock.Call) -> AsyncIterator[None]:
        token = variable.set("inside")
        try:
            yield
        finally:
            variable.reset(token)

    async with around(client=[setting]) as pair:
        async with pair.client.both_stream() as stream:
            assert variable.get() == "inside"
            await stream.finish()
        await pair.client.unary(Note())
        assert variable.get() == "outside"


# Wrong forms.


def plain(_call: penstock.Call) -> Any:
    yield


async def plain_async(_call: penstock.Call) -> Any:
    yield


async def coroutine(_call: penstock.Call) -> Any:
    """Give nothing."""


class Object:
    """Called as an interceptor."""

    async def __call__(self, call: penstock.Call) -> Any:
        yield call


@pytest.mark.parametrize("make", [penstock.Channel, lambda _address, **options: penstock.Server([Echo()], **options)])
@pytest.mark.parametrize(
    ("interceptor", "what"),
    [
        (plain, "the interceptor plain is a plain generator"),
        (plain_async, "the interceptor plain_async is a plain generator"),
        (Object(), "Object object at .* is a plain generator"),
        (coroutine, "the interceptor coroutine is a coroutine function"),
        (5, "the interceptor 5 is no function"),
    ],
)
def test_a_wrong_form_that_can_be_seen_is_refused_at_once(
    make: Callable[..., Any], interceptor: Any, what: str
) -> None:
    with pytest.raises(penstock.UsageError, match=what):
        make("localhost:1", interceptors=[interceptor])


def gives_nothing(_call: penstock.Call) -> Any:
    return None


@asynccontextmanager
async def ends_early(call: penstock.Call) -> AsyncIterator[None]:
    if call.method == "another":
        yield


@asynccontextmanager
async def yields_twice(_call: penstock.Call) -> AsyncIterator[None]:
    try:
        yield
    except RpcError:
        pass
    finally:
        yield


WRONG = [
    (gives_nothing, "the interceptor gives_nothing gave no async context manager but NoneType"),
    (ends_early, "the interceptor ends_early ended without a yield"),
    (yields_twice, "the interceptor yields_twice yields twice"),
]


@every_kind
@pytest.mark.parametrize(("interceptor", "what"), WRONG)
@pytest.mark.parametrize("handler", [None, not_found])
async def test_a_wrong_form_that_a_call_shows_is_a_usage_error(
    kind: str, interceptor: Any, what: str, handler: Callable[..., Any] | None
) -> None:
    outer = Seen()
    service = Echo() if handler is None else serving(kind, handler)
    async with around(service, client=[outer, interceptor]) as pair:
        with pytest.raises(penstock.UsageError, match=what):
            await call(pair.client, kind)
        assert isinstance(outer.outcomes[0], penstock.UsageError)
