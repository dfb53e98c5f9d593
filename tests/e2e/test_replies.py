"""Does a call end whatever its handler gives, and does each kind keep to its number of messages?"""

import asyncio
from collections.abc import Callable
from typing import Any, Never

import pytest

import penstock
from tests.e2e.support import Echo, connected, notes, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase

pytestmark = pytest.mark.loops

FIXED_TEXT = "the handler raised an exception"


async def _outcome(handler: Any, request: Note | None = None) -> penstock.RpcError:
    """Call a handler beside a neighbour on the same connection, and give the error it ends with."""
    async with connected(Echo(unary=handler)) as pair, pair.client.both_stream() as neighbour:
        await neighbour.send(Note(text="before"))
        with pytest.raises(penstock.RpcError) as caught:
            await within_bound(pair.client.unary(request or Note()))
        assert (await within_bound(neighbour.receive())).text == "before"
        await neighbour.send(Note(text="after"))
        assert (await within_bound(neighbour.receive())).text == "after"
        await neighbour.finish()
        return caught.value


class Odd(BaseException):
    """An exception that is no `Exception`."""


@pytest.mark.parametrize(
    "make",
    [
        Odd,
        GeneratorExit,
        StopAsyncIteration,
        lambda: penstock.EndOfStream("another stream's"),
        lambda: penstock.WouldBlock("full"),
        lambda: penstock.UsageError("wrong"),
        lambda: ExceptionGroup("two", [penstock.RpcError(penstock.StatusCode.NOT_FOUND), ValueError()]),
        lambda: BaseExceptionGroup("odd", [Odd()]),
    ],
    ids=lambda make: type(make()).__name__,
)
async def test_whatever_a_handler_raises_its_call_ends(
    make: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: Note, call: penstock.ServerCall) -> Note:
        raise make()

    outcome = await _outcome(fail)
    assert (outcome.code, outcome.message) == (penstock.StatusCode.UNKNOWN, FIXED_TEXT)
    assert type(make()).__name__ in caplog.text


async def test_a_group_of_one_status_is_that_status() -> None:
    async def group(request: Note, call: penstock.ServerCall) -> Note:
        async def child() -> None:
            raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "in a task")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child())
        return request

    outcome = await _outcome(group)
    assert (outcome.code, outcome.message) == (penstock.StatusCode.NOT_FOUND, "in a task")


@pytest.mark.parametrize("wrong", [None, "text", 5, b"bytes", Note])
async def test_a_reply_of_the_wrong_type_is_the_servers_fault(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def careless(request: Note, call: penstock.ServerCall) -> Any:
        return wrong

    outcome = await _outcome(careless)
    assert (outcome.code, outcome.message) == (penstock.StatusCode.UNKNOWN, FIXED_TEXT)
    assert "this call sends Note, not" in caplog.text


class _Plain(EchoBase):
    """Handlers that are no coroutine functions."""

    def client_stream(self, stream: penstock.ServerStream[Note, Never]) -> Any:
        return Note()

    def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> Any:
        return None


async def test_a_handler_that_is_no_coroutine_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(_Plain()) as pair:
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT):
            async with pair.client.client_stream() as upload:
                await upload.finish()
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT):
            async with pair.client.both_stream() as stream:
                await stream.receive()
    assert caplog.text.count("handlers of many requests are `async def`") == 2
    assert "_Plain.client_stream" in caplog.text


@pytest.mark.parametrize(("count", "said"), [(0, "no request"), (2, "more than")])
@pytest.mark.parametrize("kind", ["Unary", "ServerStream"])
async def test_a_method_with_one_request_takes_neither_none_nor_two(kind: str, count: int, said: str) -> None:
    async with connected() as pair:
        with pytest.raises(penstock.RpcError, match=said) as caught:
            async with pair.channel.stream(f"/penstock.test.echo.Echo/{kind}") as stream:
                await stream.send_many([b""] * count)
                await stream.end_sending()
                await within_bound(stream.receive())
        assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(("count", "said"), [(0, "no reply"), (2, "more than one reply")])
async def test_a_method_with_one_reply_takes_neither_none_nor_two(count: int, said: str) -> None:
    async def answer(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_many(notes(count))

    path = "/penstock.test.echo.Echo/BothStream"
    unary = penstock.Method(path, penstock.Kind.UNARY, Note, Note)
    upload = penstock.Method(path, penstock.Kind.CLIENT_STREAM, Note, Note)
    async with connected(Echo(both_stream=answer)) as pair:
        call = pair.channel.call_unary(unary, Note())
        with pytest.raises(penstock.RpcError, match=said) as caught:
            await within_bound(call)
        assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED
        assert call.status is not None
        assert call.status.code == penstock.StatusCode.UNIMPLEMENTED
        async with pair.channel.call_client_stream(upload) as stream:
            for _ in range(2):
                with pytest.raises(penstock.RpcError, match=said):
                    await within_bound(stream.finish())


async def test_a_broken_reply_count_inside_a_handler_is_unknown_outside() -> None:
    async def nothing(stream: penstock.ServerStream[Note, Note]) -> None:
        del stream

    unary = penstock.Method("/penstock.test.echo.Echo/BothStream", penstock.Kind.UNARY, Note, Note)
    async with connected(Echo(both_stream=nothing)) as backend:

        async def front(request: Note, call: penstock.ServerCall) -> Note:
            del call
            return await backend.channel.call_unary(unary, request)

        outcome = await _outcome(front)
    assert (outcome.code, outcome.message) == (penstock.StatusCode.UNKNOWN, FIXED_TEXT)
