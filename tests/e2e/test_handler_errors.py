"""Does a handler that fails tell its client no more than it should, its log everything, and its neighbours nothing?"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

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


async def test_an_exception_is_unknown_with_a_fixed_text_and_its_traceback_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(request: Note, call: penstock.ServerCall) -> Note:
        raise LookupError("the password is 1234")

    error = await _outcome(fail)
    assert (error.code, error.message) == (penstock.StatusCode.UNKNOWN, FIXED_TEXT)
    assert error.origin is penstock.Origin.REMOTE
    (record,) = [record for record in caplog.records if record.name == "penstock.server"]
    assert "/penstock.test.echo.Echo/Unary from 127.0.0.1:" in record.getMessage()
    assert "the password is 1234" in caplog.text
    assert "in fail" in caplog.text


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

    def unary(self, request: Note, call: penstock.ServerCall) -> Any:
        return request

    def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> Any:
        return None


async def test_a_handler_that_is_no_coroutine_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(_Plain()) as pair:
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT):
            await pair.client.unary(Note())
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT):
            async with pair.client.both_stream() as stream:
                await stream.receive()
    assert caplog.text.count("handlers are `async def`") == 2
    assert "_Plain.unary" in caplog.text


@pytest.mark.parametrize("path", ["/penstock.test.echo.Echo/Missing", "/no.Such/Method", "/x", "/"])
async def test_an_unknown_method_is_unimplemented_and_named(path: str) -> None:
    async with connected() as pair, pair.client.both_stream() as neighbour:
        with pytest.raises(penstock.RpcError) as caught:
            async with pair.channel.stream(path) as stream:
                await within_bound(stream.receive())
        assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED
        assert caught.value.message == f"unknown method {path}"
        await neighbour.send(Note(text="well"))
        assert (await within_bound(neighbour.receive())).text == "well"


@pytest.mark.parametrize("path", ["", "no-slash", "/sp ace", "/ü", "/a\n", "*", "/a.B/C?x=1", "/a.B/C#x"])
async def test_a_path_that_cannot_be_sent_is_a_mistake(path: str) -> None:
    async with connected() as pair, pair.client.both_stream() as neighbour:
        with pytest.raises(penstock.UsageError):
            async with pair.channel.stream(path):
                pytest.fail("the block was entered")
        await neighbour.send(Note(text="well"))
        assert (await within_bound(neighbour.receive())).text == "well"


async def test_a_method_that_nobody_wrote_is_unimplemented_and_named() -> None:
    async with connected(EchoBase()) as pair:
        with pytest.raises(penstock.RpcError, match=r"/penstock\.test\.echo\.Echo/Unary is not implemented") as caught:
            await pair.client.unary(Note())
        assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED
        with pytest.raises(penstock.RpcError, match=r"/penstock\.test\.echo\.Echo/BothStream is not implemented"):
            async with pair.client.both_stream() as stream:
                await stream.receive()


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


async def test_a_generator_that_fails_in_the_middle_sends_what_it_gave_before() -> None:
    async def some(request: Note, stream: penstock.ServerStream[Note, Note]) -> AsyncIterator[Note]:
        for note in notes(3):
            yield note
        raise penstock.RpcError(penstock.StatusCode.DATA_LOSS, "no more")

    async with connected(Echo(server_stream=some)) as pair, pair.client.server_stream(Note()) as stream:
        received = []
        with pytest.raises(penstock.RpcError, match="no more"):
            async for reply in stream:
                received.append(reply)
        assert received == notes(3)


async def test_a_generator_that_gives_a_wrong_type_fails_its_call_and_is_closed() -> None:
    closed = asyncio.Event()

    async def wrong(request: Note, stream: penstock.ServerStream[Note, Note]) -> AsyncIterator[Any]:
        try:
            yield Note()
            yield "text"
        finally:
            closed.set()

    async with connected(Echo(server_stream=wrong)) as pair, pair.client.server_stream(Note()) as stream:
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT):
            async for _reply in stream:
                pass
    assert closed.is_set()


async def test_details_that_are_no_messages_fail_the_call(caplog: pytest.LogCaptureFixture) -> None:
    async def wrong(request: Note, call: penstock.ServerCall) -> Note:
        raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, details=["text"])  # type: ignore[list-item]

    outcome = await _outcome(wrong)
    assert outcome.code == penstock.StatusCode.UNKNOWN
    assert "cannot be sent" in caplog.text


@pytest.mark.parametrize("message", ["\ud800 lone", "\0", "a\r\nb", "%41", "x" * 3000])
async def test_any_text_of_a_status_arrives(message: str) -> None:
    async def fail(request: Note, call: penstock.ServerCall) -> Note:
        raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, message)

    outcome = await _outcome(fail)
    assert outcome.code == penstock.StatusCode.NOT_FOUND
    assert outcome.message == message.encode("utf-8", "backslashreplace").decode()


async def test_a_wrong_request_is_refused_where_the_call_is_made() -> None:
    async with connected() as pair:
        for wrong in ("text", None, b"", Note):
            with pytest.raises(penstock.UsageError, match="this call sends Note, not"):
                pair.client.unary(wrong)  # type: ignore[arg-type]
            with pytest.raises(penstock.UsageError, match="this call sends Note, not"):
                pair.client.server_stream(wrong)  # type: ignore[arg-type]
