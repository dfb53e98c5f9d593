"""Does nothing of a call happen before its caller is known?"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import penstock
from penstock import RpcError, ServerStream, StatusCode
from tests.e2e.around import Seen, around, call, every_kind, only_reply, serving
from tests.e2e.support import Echo, turns, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


async def bearer(call: penstock.ServerCall) -> str:
    """Know a caller by its token."""
    await asyncio.sleep(0)
    scheme, _, token = str(call.metadata.get("authorization", "")).partition(" ")
    if scheme != "Bearer" or token != "good":
        raise RpcError(StatusCode.UNAUTHENTICATED, "no valid token")
    return "alice"


@every_kind
async def test_what_it_returns_is_the_identity_of_the_call(kind: str) -> None:
    identities: list[Any] = []

    async def handler(*arguments: Any) -> Any:
        identities.append(arguments[-1].identity)
        return only_reply(kind)

    async with around(serving(kind, handler), authenticate=bearer) as pair:
        await call(pair.client, kind, metadata={"authorization": "Bearer good"})
    async with around(serving(kind, handler)) as pair:
        await call(pair.client, kind, metadata={"authorization": "Bearer good"})
    assert identities == ["alice", None]


@pytest.mark.wire("W30")
@every_kind
async def test_an_rpc_error_refuses_before_interceptors_handler_and_messages(kind: str) -> None:
    ran: list[Any] = []
    messages: list[Any] = []

    async def handler(*arguments: Any) -> Any:
        ran.append(arguments)
        return Note()

    async def watching(call: penstock.ServerCall) -> object:
        call.on_receive(messages.append)
        return await bearer(call)

    seen = Seen()
    async with around(serving(kind, handler), server=[seen], authenticate=watching) as pair:
        with pytest.raises(RpcError, match="UNAUTHENTICATED: no valid token"):
            await call(pair.client, kind, metadata={"authorization": "Bearer bad"})
        await pair.until_no_call_is_open()
    assert (ran, messages, seen.calls) == ([], [], [])


async def test_interceptors_see_the_identity_and_run_in_the_same_task() -> None:
    tasks: list[Any] = []

    async def who(call: penstock.ServerCall) -> object:
        tasks.append(asyncio.current_task())
        return await bearer(call)

    @asynccontextmanager
    async def look(call: penstock.ServerCall) -> AsyncIterator[None]:
        tasks.extend([asyncio.current_task(), call.identity])
        yield

    async with around(server=[look], authenticate=who) as pair:
        await pair.client.unary(Note(), metadata={"authorization": "Bearer good"})
    assert tasks[0] is tasks[1]
    assert tasks[2] == "alice"


@every_kind
async def test_another_exception_is_logged_and_answered_as_a_handlers_is(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_call: penstock.ServerCall) -> object:
        raise LookupError("secret")

    async with around(authenticate=broken) as pair:
        with pytest.raises(RpcError, match="UNKNOWN: the handler raised an exception"):
            await call(pair.client, kind)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


async def test_the_error_of_a_call_it_makes_is_not_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    async with around(authenticate=bearer) as users:

        async def asks(_call: penstock.ServerCall) -> object:
            return await users.client.unary(Note())

        async with around(authenticate=asks) as pair:
            with pytest.raises(RpcError, match="UNKNOWN"):
                await pair.client.unary(Note())
    assert "no valid token" in caplog.text


@every_kind
async def test_the_deadline_ends_it(kind: str) -> None:
    ended: list[Any] = []

    async with around(authenticate=waiting(ended)) as pair:
        with pytest.raises(penstock.DeadlineExceeded):
            await call(pair.client, kind, timeout=0.02)
        await until(lambda: ended)
    assert [type(error) for error in ended] == [asyncio.CancelledError]


def waiting(ended: list[Any]) -> Any:
    """Make an authenticate that waits for ever, and says how that ended."""

    async def wait(_call: penstock.ServerCall) -> object:
        try:
            return await asyncio.Event().wait()
        except BaseException as error:
            ended.append(error)
            raise

    return wait


@every_kind
async def test_a_client_that_leaves_cancels_it(kind: str) -> None:
    ended: list[Any] = []
    async with around(authenticate=waiting(ended)) as pair:
        task = asyncio.create_task(call(pair.client, kind))
        await until(lambda: pair.open_calls()["server"])
        await turns(10)
        task.cancel()
        await until(lambda: ended)
        assert [type(error) for error in ended] == [asyncio.CancelledError]


async def test_nothing_begins_behind_one_that_goes_on_when_it_is_cancelled() -> None:
    ended: list[Any] = []

    async def who(_call: penstock.ServerCall) -> object:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            ended.append(error)
        return "nobody"

    seen = Seen()
    async with around(authenticate=who, server=[seen]) as pair:
        with pytest.raises(penstock.DeadlineExceeded):
            await call(pair.client, "unary", timeout=0.02)
        await until(lambda: ended)
        await pair.until_no_call_is_open()
        assert seen.calls == []


async def test_it_is_asked_for_the_fallback_and_not_for_a_method_nobody_serves() -> None:
    asked: list[str] = []

    async def who(call: penstock.ServerCall) -> object:
        asked.append(call.method)
        return await bearer(call)

    async def fallback(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send(str(stream.identity).encode())

    async with around(authenticate=who) as pair, pair.channel.stream("/no.Such/Method") as stream:
        with pytest.raises(RpcError, match="UNIMPLEMENTED: unknown method"):
            await stream.finish()
    assert asked == []
    async with around(authenticate=who, fallback=fallback) as pair:
        async with pair.channel.stream("/a.B/C") as stream:
            with pytest.raises(RpcError, match="UNAUTHENTICATED"):
                await stream.finish()
        async with pair.channel.stream("/a.B/C", metadata={"authorization": "Bearer good"}) as stream:
            assert await within_bound(stream.receive()) == b"alice"
    assert asked == ["/a.B/C"] * 2


def generator(_call: penstock.ServerCall) -> Any:
    yield


async def test_what_is_no_coroutine_function_is_refused() -> None:
    for wrong in (generator, 5):
        with pytest.raises(penstock.UsageError, match="authenticate is `async def name"):
            penstock.Server([Echo()], authenticate=wrong)  # type: ignore[arg-type]  # what mypy refuses


async def test_what_cannot_be_awaited_is_a_usage_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def returns(_call: penstock.ServerCall) -> Any:
        return "alice"

    async with around(authenticate=returns) as pair:
        with pytest.raises(RpcError, match="UNKNOWN"):
            await pair.client.unary(Note())
    assert "returned str" in caplog.text
