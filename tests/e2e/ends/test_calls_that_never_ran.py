"""Calls that end before a handler has them: what the client knows, counts and says, and a server that heard of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import penstock
from penstock import End, StatusCode
from tests.e2e.support import Echo, Gate, Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.wire.frames import ERRORS
from tests.wire.sockets import RawPeer, server_of

pytestmark = pytest.mark.loops

ONE = penstock.Limits(max_concurrent_streams=1)
NAMES = {name: number for number, name in ERRORS.items()}


def check(
    call: "penstock.ClientCall[Any, Any]",
    end: End,
    code: StatusCode,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The call knows its end, the channel has counted it, and the log says it once."""
    assert call._channel._ends[end]
    assert call.status is not None
    assert (call.end, call.status.code) == (end, code)
    lines = [record.getMessage() for record in caplog.records if f"{call.method} to " in record.getMessage()]
    assert [line for line in lines if f" ended: {end.name}, {code.name}" in line] == lines
    assert len(lines) == 1


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "penstock")


# Waiting for a place: the only one is taken.


@asynccontextmanager
async def waiting_for_a_place(timeout: float | None = None) -> AsyncIterator[tuple[Pair, Any, asyncio.Task[Any]]]:
    """A call that cannot begin, and the task that awaits it."""
    async with connected(Echo(both_stream=Gate()), server_limits=ONE) as pair, pair.client.both_stream() as first:
        await first.send(Note())
        call = pair.client.unary(Note(), timeout=timeout)
        task = asyncio.ensure_future(_awaited(call))
        await until(lambda: call in pair.channel._starting)
        yield pair, call, task
        await within_bound(asyncio.wait([task]))
        assert not pair.channel._starting
        first.cancel()


async def _awaited(call: Any) -> None:
    with suppress(penstock.RpcError):
        await call


async def _wait(_pair: Pair, call: Any, _task: asyncio.Task[Any]) -> None:
    await until(lambda: call.end)


async def _cancel_call(_pair: Pair, call: Any, _task: asyncio.Task[Any]) -> None:
    call.cancel()


async def _cancel_task(_pair: Pair, _call: Any, task: asyncio.Task[Any]) -> None:
    task.cancel()


async def _close_channel(pair: Pair, _call: Any, _task: asyncio.Task[Any]) -> None:
    await pair.channel.close()


async def _kill(pair: Pair, call: Any, _task: asyncio.Task[Any]) -> None:
    (live,) = [live for live in pair.channel.streams() if live.id == call.id]
    assert live.kill("the test says so")


@pytest.mark.parametrize(
    ("act", "timeout", "end", "code"),
    [
        (_wait, 0.1, End.DEADLINE, StatusCode.DEADLINE_EXCEEDED),
        (_cancel_call, None, End.LEFT, StatusCode.CANCELLED),
        (_cancel_task, None, End.TASK_CANCELLED, StatusCode.CANCELLED),
        (_close_channel, None, End.CLOSED, StatusCode.CANCELLED),
        (_kill, None, End.KILLED, StatusCode.CANCELLED),
    ],
)
async def test_a_call_that_waits_for_a_place(
    act: Callable[[Pair, Any, asyncio.Task[Any]], Awaitable[None]],
    timeout: float | None,
    end: End,
    code: StatusCode,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with waiting_for_a_place(timeout) as (pair, call, task):
        await within_bound(act(pair, call, task))
        await within_bound(asyncio.wait([task]))
        check(call, end, code, caplog)
        assert pair.channel._ends[end] == (2 if end is End.CLOSED else 1)  # the one that has the place is closed too
        # The server never heard of it.
        assert not any(live.method == call.method for live in pair.server.streams())


async def test_a_call_to_nobody_was_not_processed(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as pair:
        address = pair.address
    async with penstock.Channel(address) as channel:
        call = EchoClient(channel).unary(Note())
        with pytest.raises(penstock.Unavailable):
            await within_bound(call)
        check(call, End.UNPROCESSED, StatusCode.UNAVAILABLE, caplog)


# What the client's own program refuses.


NO = penstock.RpcError(StatusCode.PERMISSION_DENIED, "no")


@pytest.mark.parametrize(
    ("where", "error", "end", "code"),
    [
        ("interceptor", NO, End.REFUSED, StatusCode.PERMISSION_DENIED),
        ("interceptor", LookupError("no"), End.LEFT, StatusCode.CANCELLED),
        ("interceptor", asyncio.CancelledError(), End.TASK_CANCELLED, StatusCode.CANCELLED),
        ("credentials", NO, End.REFUSED, StatusCode.PERMISSION_DENIED),
        ("credentials", LookupError("no"), End.REFUSED, StatusCode.UNAUTHENTICATED),
        ("credentials", asyncio.CancelledError(), End.TASK_CANCELLED, StatusCode.CANCELLED),
    ],
)
async def test_a_call_that_its_own_side_refuses(
    where: str, error: BaseException, end: End, code: StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def refusing(_call: Any) -> AsyncIterator[None]:
        raise error
        yield

    async def credentials(_call: Any) -> Any:
        raise error

    around: dict[str, Any] = {"interceptors": [refusing]} if where == "interceptor" else {"credentials": credentials}
    async with connected() as pair, penstock.Channel(pair.address, **around) as channel:
        call = EchoClient(channel).unary(Note())
        with pytest.raises(penstock.RpcError if end is End.REFUSED else type(error)):
            await call
        check(call, end, code, caplog)
        assert not any(pair.server._core.ends.values())


# What the server refuses: it counts and says so too, and no handler runs.


@pytest.mark.parametrize(
    ("options", "path", "code"),
    [
        ({}, "/no.Such/Method", StatusCode.UNIMPLEMENTED),
        ({"admission": penstock.Admission(max_calls_per_connection=1)}, "/penstock.test.echo.Echo/Unary", None),
    ],
)
async def test_a_call_that_the_server_refuses(
    options: dict[str, Any], path: str, code: StatusCode | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        connected(Echo(both_stream=Gate()), **options) as pair,
        pair.client.both_stream() as first,
        pair.channel.stream(path) as call,
    ):
        await first.send(Note())
        await call.end_sending()
        code = code or StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(penstock.RpcError):
            await within_bound(call.receive())
        check(call, End.RAISED, code, caplog)
        await until(lambda: pair.server._core.ends[End.REFUSED])
        assert pair.server._core.ends[End.REFUSED] == 1
        lines = [record.getMessage() for record in caplog.records if f"{path} from " in record.getMessage()]
        ended = [line for line in lines if " ended: " in line]
        assert len(ended) == 1
        assert f" ended: REFUSED, {code.name}" in ended[0]
        first.cancel()


# What a peer does before it has looked at a call.


@pytest.mark.parametrize(
    ("says", "end", "code"),
    [
        (lambda peer: peer.frames.go_away(0, NAMES["NO_ERROR"]), End.UNPROCESSED, StatusCode.UNAVAILABLE),
        (lambda peer: peer.frames.reset(1, NAMES["REFUSED_STREAM"]), End.UNPROCESSED, StatusCode.UNAVAILABLE),
        (lambda peer: peer.frames.reset(1, NAMES["CANCEL"]), End.PEER_CANCELLED, StatusCode.CANCELLED),
        (lambda peer: peer.frames.reset(1, NAMES["ENHANCE_YOUR_CALM"]), End.PEER_RESET, StatusCode.RESOURCE_EXHAUSTED),
        (lambda peer: peer.frames.headers(1, [(":status", "503")], end=True), End.BROKEN, StatusCode.UNAVAILABLE),
    ],
)
async def test_a_call_that_a_peer_does_not_answer(
    says: Callable[[RawPeer], bytes], end: End, code: StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    async with server_of() as (channel, server):
        call = EchoClient(channel).unary(Note())
        task = asyncio.ensure_future(_awaited(call))
        peer = await server.connection()
        await peer.hear("Data 1")
        peer.say(says(peer))
        await within_bound(task)
        check(call, end, code, caplog)
