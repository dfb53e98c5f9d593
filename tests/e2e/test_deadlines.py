"""Does a deadline travel, hold on both sides, and wake whatever waits?"""

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import penstock
from tests.e2e.support import TINY, Echo, connected, fill_up, turns, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

SOON = 0.06
"""Seconds: a deadline that a test waits for."""


class Waiting:
    """A handler that waits for its stream, or for something else, and keeps what ended that."""

    def __init__(self, what: str = "receive") -> None:
        self.what = what
        self.entered = asyncio.Event()
        self.outcomes: list[BaseException] = []
        self.remaining: float | None = None

    async def __call__(self, stream: penstock.ServerStream[Note, Note]) -> None:
        self.entered.set()
        self.remaining = stream.time_remaining
        try:
            if self.what == "receive":
                await stream.receive()
            elif self.what == "send":
                while True:
                    await stream.send(Note(payload=bytes(500)))
            else:
                await asyncio.Event().wait()
        except BaseException as error:
            self.outcomes.append(error)
            raise


async def test_a_handler_sees_what_is_left() -> None:
    seen = []

    async def look(request: Note, call: penstock.ServerCall) -> Note:
        seen.append(call.time_remaining)
        return request

    async with connected(Echo(unary=look)) as pair:
        await pair.client.unary(Note(), timeout=60)
        await pair.client.unary(Note())
        await pair.client.unary(Note(), timeout=math.inf)
        await pair.client.unary(Note(), timeout=86400 * 365 * 1000)
    minute, none, endless, ages = seen
    assert minute is not None
    assert 59 < minute <= 60
    assert none is None
    assert endless is None
    assert ages is not None
    assert ages > 86400 * 365 * 999


async def test_a_missed_deadline_is_a_timeout_error_with_its_code() -> None:
    waiting = Waiting()
    async with connected(Echo(both_stream=waiting)) as pair:
        with pytest.raises(TimeoutError) as caught:
            async with pair.client.both_stream(timeout=SOON) as stream:
                await stream.receive()
        error = caught.value
        assert isinstance(error, penstock.DeadlineExceeded)
        assert error.code == penstock.StatusCode.DEADLINE_EXCEEDED
        assert str(error) == f"DEADLINE_EXCEEDED: the call did not end within {SOON} s"
        assert stream.status == penstock.Status(error.code, error.message)


@pytest.mark.parametrize("operation", ["receive", "iterate", "send", "send_many", "finish", "initial_metadata"])
async def test_whatever_waits_on_a_client_is_woken(operation: str) -> None:
    waiting = Waiting("something else")
    async with connected(Echo(both_stream=waiting), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream(timeout=2 * SOON) as stream:
            if operation.startswith("send"):
                await fill_up(stream)
            with pytest.raises(penstock.DeadlineExceeded):
                match operation:
                    case "receive":
                        await stream.receive()
                    case "iterate":
                        async for _reply in stream:
                            pass
                    case "send":
                        await stream.send(Note())
                    case "send_many":
                        await stream.send_many([Note()] * 3)
                    case "finish":
                        await stream.finish()
                    case _:
                        await stream.initial_metadata()


@pytest.mark.parametrize("what", ["receive", "send", "something else"])
async def test_whatever_a_handler_waits_for_it_is_woken(what: str) -> None:
    waiting = Waiting(what)
    async with connected(Echo(both_stream=waiting), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream(timeout=SOON) as stream:
            await until(lambda: stream.status is not None)
        await until(lambda: waiting.outcomes)
        expected = asyncio.CancelledError if what == "something else" else penstock.RpcError
        assert isinstance(waiting.outcomes[0], expected)
        assert waiting.remaining is not None
        assert waiting.remaining <= SOON + 1e-9  # a sum of floats


@pytest.mark.wire("W10")
@pytest.mark.parametrize("what", ["receive", "send", "something else"])
async def test_a_server_keeps_the_deadline_when_the_client_does_not(what: str) -> None:
    waiting = Waiting(what)
    async with connected(Echo(both_stream=waiting), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream(timeout=SOON) as stream:
            assert stream._deadline is not None
            stream._deadline.unwatch(stream)
            await until(lambda: waiting.outcomes)
            with pytest.raises(penstock.DeadlineExceeded) as caught:
                while True:
                    await within_bound(stream.receive())
            assert caught.value.origin is penstock.Origin.REMOTE
        expected = asyncio.CancelledError if what == "something else" else penstock.DeadlineExceeded
        assert isinstance(waiting.outcomes[0], expected)


@pytest.mark.wire("W10")
async def test_a_client_keeps_the_deadline_when_the_server_does_not() -> None:
    waiting = Waiting()

    async def ignorant(stream: penstock.ServerStream[Note, Note]) -> None:
        assert stream._deadline is not None
        stream._deadline.unwatch(stream)
        await waiting(stream)

    async with connected(Echo(both_stream=ignorant)) as pair:
        with pytest.raises(penstock.DeadlineExceeded) as caught:
            async with pair.client.both_stream(timeout=SOON) as stream:
                await stream.receive()
        assert caught.value.origin is penstock.Origin.LOCAL
        await until(lambda: waiting.outcomes)
        assert isinstance(waiting.outcomes[0], penstock.Cancelled)


async def test_a_deadline_holds_while_a_message_is_on_its_way() -> None:
    async with connected(server_limits=TINY, client_limits=TINY) as pair:
        with pytest.raises(penstock.DeadlineExceeded):
            async with pair.client.both_stream(timeout=SOON) as stream:
                while True:
                    await stream.send(Note(payload=bytes(500)))
                    await stream.receive()


async def test_a_call_that_ended_in_time_hears_no_more_of_its_deadline() -> None:
    async with connected() as pair:
        call = pair.client.unary(Note(text="x"), timeout=SOON)
        assert (await call).text == "x"
        assert pair.open_calls()["client's deadlines"] == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 2 * SOON)
        assert call.status == penstock.Status(penstock.StatusCode.OK)
        assert pair.open_calls()["server's deadlines"] == 0


async def test_shorter_deadlines_end_first() -> None:
    order: list[int] = []
    async with connected(Echo(both_stream=Waiting())) as pair:
        await pair.channel.ready(timeout=5)

        async def wait(number: int) -> None:
            async with pair.client.both_stream(timeout=0.05 + number * 0.05) as stream:
                with pytest.raises(penstock.DeadlineExceeded):
                    await stream.receive()
            order.append(number)

        await within_bound(asyncio.gather(*(wait(number) for number in (4, 0, 3, 1, 2))))
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.wire("W9")
@pytest.mark.parametrize("connected_before", [True, False])
async def test_no_time_at_all_fails_at_once_and_reaches_no_handler(connected_before: bool) -> None:
    waiting = Waiting()
    async with connected(Echo(both_stream=waiting)) as pair:
        if connected_before:
            await pair.channel.ready(timeout=5)
        with pytest.raises(penstock.DeadlineExceeded):
            await pair.client.unary(Note(), timeout=0)
        with pytest.raises(penstock.DeadlineExceeded):
            async with pair.client.both_stream(timeout=0):
                pytest.fail("the block was entered")
        await turns(10)
        assert not waiting.entered.is_set()
        assert (await pair.client.unary(Note(text="x"))).text == "x"


@pytest.mark.parametrize("wrong", [-1, -0.001, math.nan, -math.inf])
async def test_a_timeout_below_zero_is_a_mistake(wrong: float) -> None:
    async with connected() as pair:
        with pytest.raises(penstock.UsageError, match="timeout is a number of seconds, 0 or more"):
            await pair.client.unary(Note(), timeout=wrong)


async def test_a_handlers_own_timeout_error_is_unknown(caplog: pytest.LogCaptureFixture) -> None:
    async def slow(request: Note, call: penstock.ServerCall) -> Note:
        del call
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
        return request

    async with connected(Echo(unary=slow)) as pair:
        with pytest.raises(penstock.RpcError) as caught:
            await pair.client.unary(Note(), timeout=10)
        assert caught.value.code == penstock.StatusCode.UNKNOWN
        assert not isinstance(caught.value, TimeoutError)
    assert "TimeoutError" in caplog.text


async def test_a_handler_may_say_deadline_exceeded_itself() -> None:
    async def refuse(request: Note, call: penstock.ServerCall) -> Note:
        raise penstock.RpcError(penstock.StatusCode.DEADLINE_EXCEEDED, "of my own")

    async with connected(Echo(unary=refuse)) as pair:
        with pytest.raises(penstock.DeadlineExceeded, match="of my own"):
            await pair.client.unary(Note())


@asynccontextmanager
async def _silent_listener() -> AsyncIterator[str]:
    """Accept connections in the kernel, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        yield f"{host}:{port}"


@pytest.mark.parametrize("timeout_seconds", [0.0104, 0.0226, 0.0333, 0.0478, 0.05])
async def test_it_holds_while_a_call_waits_for_a_connection(timeout_seconds: float) -> None:
    async with _silent_listener() as address, penstock.Channel(address) as channel:
        for _ in range(3):
            with pytest.raises(penstock.DeadlineExceeded) as caught:
                await within_bound(channel.stream("/a.B/C", timeout=timeout_seconds).__aenter__())
            assert caught.value.origin is penstock.Origin.LOCAL


async def test_it_holds_while_a_call_waits_for_ready() -> None:
    with socket.socket() as unused:  # bound, so that nobody else listens there
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        async with penstock.Channel(address) as channel:
            with pytest.raises(penstock.DeadlineExceeded):
                async with channel.stream("/a.B/C", timeout=SOON, wait_for_ready=True):
                    pytest.fail("the block was entered")


async def test_an_attempt_to_connect_goes_on_for_calls_with_more_time() -> None:
    async with _silent_listener() as address, penstock.Channel(address) as channel:
        patient = asyncio.ensure_future(channel.stream("/a.B/C").__aenter__())
        with pytest.raises(penstock.DeadlineExceeded):
            await channel.stream("/a.B/C", timeout=SOON).__aenter__()
        assert not patient.done()
        patient.cancel()
        await asyncio.wait([patient])
