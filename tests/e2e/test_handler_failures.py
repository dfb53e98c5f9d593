"""Does a call end, and say what it may, however its handler fails?"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Never

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import penstock
from tests.e2e.support import Echo, Pair, connected, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

SECRET = "password=1234"
FIXED_TEXT = "the handler raised an exception"
KINDS = ["unary", "server_stream", "client_stream", "both_stream"]


async def call(pair: Pair, kind: str) -> list[Note]:
    """Make one call of a kind; give its replies."""
    if kind == "unary":
        return [await within_bound(pair.client.unary(Note()))]
    if kind == "client_stream":
        async with pair.client.client_stream() as upload:
            return [await within_bound(upload.finish())]
    replies = []
    async with asyncio.timeout(10):
        if kind == "server_stream":
            async with pair.client.server_stream(Note(number=2)) as feed:
                async for reply in feed:
                    replies.append(reply)
            return replies
        async with pair.client.both_stream() as stream:
            await stream.end_sending()
            return [reply async for reply in stream]


def that_raises(kind: str, make: Callable[[], BaseException]) -> Echo:
    """Make a service whose handler of that kind raises."""

    async def fail(*_arguments: Any) -> Any:
        raise make()

    return Echo(**{kind: fail})


def errors_in(log: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Give what penstock logged as an error."""
    return [record for record in log.records if record.name.startswith("penstock") and record.levelno >= logging.ERROR]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_exception_is_unknown_to_the_client_and_a_traceback_in_the_log(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(that_raises(kind, lambda: KeyError(SECRET))) as pair:
        with pytest.raises(penstock.RpcError) as caught:
            await call(pair, kind)
        assert (caught.value.code, caught.value.message) == (penstock.StatusCode.UNKNOWN, FIXED_TEXT)
        assert caught.value.origin is penstock.Origin.REMOTE
        assert not caught.value.metadata
        (record,) = errors_in(caplog)
        assert f"{pair.client_method(kind).path} from 127.0.0.1:" in record.getMessage()
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], KeyError)
        assert "in fail" in caplog.text
        assert SECRET in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_an_rpc_error_reaches_the_client_whole_and_is_no_error_in_the_log(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def make() -> penstock.RpcError:
        return penstock.RpcError(
            penstock.StatusCode.NOT_FOUND,
            "no such room: ü\n100 %",
            details=[StringValue(value="r1")],
            metadata=[("retry", "no"), ("trace-bin", b"\x00\xff")],
        )

    async with connected(that_raises(kind, make)) as pair:
        with pytest.raises(penstock.RpcError) as caught:
            await call(pair, kind)
        error = caught.value
        assert (error.code, error.message) == (penstock.StatusCode.NOT_FOUND, "no such room: ü\n100 %")
        assert (error.metadata["retry"], error.metadata["trace-bin"]) == ("no", b"\x00\xff")
        (detail,) = error.details
        value = StringValue()
        assert detail.Unpack(value)  # type: ignore[attr-defined]
        assert value.value == "r1"
        assert errors_in(caplog) == []


@pytest.mark.parametrize("code", [code for code in penstock.StatusCode if code])
async def test_every_code_reaches_the_client_as_it_is(code: penstock.StatusCode) -> None:
    async with connected(that_raises("unary", lambda: penstock.RpcError(code, "why"))) as pair:
        with pytest.raises(penstock.RpcError, match="why") as caught:
            await call(pair, "unary")
        assert caught.value.code == code
        assert type(caught.value) is type(penstock.RpcError(code))


@pytest.mark.parametrize("generator", [False, True])
async def test_messages_before_the_exception_reach_the_client(
    generator: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def feed(request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        for number in range(100):
            await stream.send(Note(number=number))
        raise ValueError

    async def generate(request: Note, stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        for number in range(100):
            yield Note(number=number)
        raise ValueError

    replies = []
    async with connected(Echo(server_stream=generate if generator else feed)) as pair:
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT):
            async with pair.client.server_stream(Note()) as stream:
                async for reply in stream:
                    replies.append(reply.number)
        assert replies == list(range(100))
        assert len(errors_in(caplog)) == 1


class OutOfLine(BaseException):
    """No Exception: what frameworks use for signals of their own."""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_base_exception_ends_the_call_too(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with connected(that_raises(kind, lambda: OutOfLine(SECRET))) as pair:
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT) as caught:
            await call(pair, kind)
        assert caught.value.code == penstock.StatusCode.UNKNOWN
        (record,) = errors_in(caplog)
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], OutOfLine)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_that_cancels_itself_ends_its_call_with_cancelled(kind: str) -> None:
    async with connected(that_raises(kind, asyncio.CancelledError)) as pair:
        with pytest.raises(penstock.Cancelled, match="the handler was cancelled"):
            await call(pair, kind)


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, GeneratorExit, penstock.EndOfStream])
async def test_exceptions_with_a_meaning_of_their_own_are_no_clean_end(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    for kind in KINDS:
        async with connected(that_raises(kind, error)) as pair:
            with pytest.raises(penstock.RpcError, match=FIXED_TEXT):
                await call(pair, kind)
    assert len(errors_in(caplog)) == len(KINDS)


async def test_an_error_of_a_call_the_handler_made_is_unknown_unless_relayed(caplog: pytest.LogCaptureFixture) -> None:
    refusing = that_raises(
        "unary", lambda: penstock.RpcError(penstock.StatusCode.NOT_FOUND, "inner", metadata={"k": "v"})
    )
    async with connected(refusing) as inner:

        async def pass_through(request: Note, call: penstock.ServerCall) -> Note:
            return await inner.client.unary(request)

        async def relay(request: Note, call: penstock.ServerCall) -> Note:
            try:
                return await inner.client.unary(request)
            except penstock.RpcError as error:
                raise error.relay() from error

        async with connected(Echo(unary=pass_through)) as outer:
            with pytest.raises(penstock.RpcError, match=FIXED_TEXT) as caught:
                await outer.client.unary(Note())
            assert caught.value.code == penstock.StatusCode.UNKNOWN
            assert len(errors_in(caplog)) == 1
        async with connected(Echo(unary=relay)) as outer:
            with pytest.raises(penstock.RpcError, match="inner") as caught:
                await outer.client.unary(Note())
            assert caught.value.code == penstock.StatusCode.NOT_FOUND
            assert caught.value.metadata["k"] == "v"


# What a handler gives is wrong.


@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_whose_decorator_hides_its_arguments_ends_its_call_with_unknown(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def nothing(_self: Echo) -> None: ...

    def decorated(*arguments: Any) -> Any:
        return nothing(*arguments)

    service = type("Service", (Echo,), {kind: decorated})()
    async with connected(service) as pair:
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT):
            await call(pair, kind)
        assert "positional argument" in caplog.text


# What a handler wants to say cannot be sent.


@pytest.mark.parametrize(
    ("message", "arrives"),
    [
        ("no file a\udcffb", "no file a\\udcffb"),
        ("nul \0, bell \a, \r\n, tab \t", "nul \0, bell \a, \r\n, tab \t"),
        ("% %41 %zz %", "% %41 %zz %"),
        ("😀 ü €", "😀 ü €"),
        (" ", " "),
    ],
)
async def test_any_text_can_be_the_message_of_a_status(message: str, arrives: str) -> None:
    for kind in KINDS:
        make = lambda: penstock.RpcError(penstock.StatusCode.NOT_FOUND, message)  # noqa: E731
        async with connected(that_raises(kind, make)) as pair:
            with pytest.raises(penstock.RpcError) as caught:
                await call(pair, kind)
            assert (caught.value.code, caught.value.message) == (penstock.StatusCode.NOT_FOUND, arrives)


UNSENDABLE: list[dict[str, Any]] = [
    {"metadata": {"bad key": "x"}},
    {"metadata": {"k": 5}},
    {"metadata": {"k": "ü"}},
    {"metadata": {"k": "\udcff"}},
    {"metadata": {"grpc-status": "0"}},
    {"details": ["text"]},
    {"details": [None]},
]


@pytest.mark.parametrize("extra", UNSENDABLE, ids=str)
async def test_a_status_that_cannot_be_sent_ends_the_call_with_unknown(
    extra: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    make = lambda: penstock.RpcError(penstock.StatusCode.NOT_FOUND, "why", **extra)  # noqa: E731
    async with connected(that_raises("both_stream", make)) as pair:
        with pytest.raises(penstock.RpcError, match=FIXED_TEXT) as caught:
            await call(pair, "both_stream")
        assert caught.value.code == penstock.StatusCode.UNKNOWN
        assert "the status NOT_FOUND cannot be sent" in caplog.text
        assert (await pair.client.unary(Note(text="well"))).text == "well"


@pytest.mark.parametrize("trailing", [("bad key", "x"), ("k", 5), ("k-bin", "text"), ("k", "\n")], ids=str)
@pytest.mark.parametrize(
    "outcome",
    [None, ValueError(), asyncio.CancelledError(), penstock.RpcError(penstock.StatusCode.NOT_FOUND, "gone")],
    ids=repr,
)
async def test_trailing_metadata_that_cannot_be_sent_ends_the_call_with_unknown(
    trailing: tuple[str, Any], outcome: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(*arguments: Any) -> Any:
        stream = arguments[-1]
        stream.trailing_metadata[trailing[0]] = trailing[1]
        if outcome is not None:
            raise type(outcome)(*outcome.args)
        return Note()

    for kind in KINDS:
        async with connected(Echo(**{kind: handler})) as pair:
            with pytest.raises(penstock.RpcError, match=FIXED_TEXT) as caught:
                await call(pair, kind)
            assert caught.value.code == penstock.StatusCode.UNKNOWN
    assert len(errors_in(caplog)) == len(KINDS)


async def test_initial_metadata_that_cannot_be_sent_is_the_handlers_mistake_to_mend() -> None:
    async def handler(request: Note, call: penstock.ServerCall) -> Note:
        with pytest.raises(penstock.UsageError, match="bad key"):
            await call.send_initial_metadata({"bad key": "x"})
        await call.send_initial_metadata({"good": "x"})
        with pytest.raises(penstock.UsageError, match="sent before"):
            await call.send_initial_metadata({"late": "x"})
        return request

    async with connected(Echo(unary=handler)) as pair:
        assert await pair.client.unary(Note(text="well")) == Note(text="well")


# The others.


async def test_failing_calls_do_not_touch_their_neighbours(caplog: pytest.LogCaptureFixture) -> None:
    async def sometimes(request: Note, call: penstock.ServerCall) -> Note:
        if request.number % 2:
            raise ValueError(request.number)
        return request

    async with connected(Echo(unary=sometimes)) as pair, pair.client.both_stream() as neighbour:
        calls = (pair.client.unary(Note(number=number)) for number in range(200))
        outcomes = await within_bound(asyncio.gather(*calls, return_exceptions=True))
        good = [outcome.number for outcome in outcomes if isinstance(outcome, Note)]
        bad = [outcome for outcome in outcomes if isinstance(outcome, penstock.RpcError)]
        assert good == list(range(0, 200, 2))
        assert len(bad) == 100
        assert len(errors_in(caplog)) == 100
        await neighbour.send(Note(text="well"))
        assert (await within_bound(neighbour.receive())).text == "well"
        assert len(pair.server._core.connections) == 1
