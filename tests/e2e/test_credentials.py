"""Do credentials reach the server with every call, and nobody else?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import penstock
from penstock import CallOptions, RpcError, StatusCode
from tests.certificates import Certificates
from tests.e2e.around import Seen, around, call, every_kind
from tests.e2e.support import turns, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


async def bearer(_call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
    await asyncio.sleep(0)
    return {"authorization": "Bearer of the channel"}


async def own(_call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
    return [("Authorization", "Bearer of the call"), ("key-bin", b"\0")]


@asynccontextmanager
async def arriving(came: list[Any], **options: Any) -> AsyncIterator[Any]:
    """Give a pair whose server keeps the metadata of each call."""

    @asynccontextmanager
    async def record(call: penstock.Call) -> AsyncIterator[None]:
        came.append(call.metadata.pairs())
        yield

    async with around(server=[record], **options) as pair:
        yield pair


@every_kind
async def test_they_are_added_to_the_metadata_of_the_call(kind: str) -> None:
    came: list[Any] = []
    async with arriving(came, credentials=bearer) as pair:
        await call(pair.client, kind)
        await call(pair.client, kind, metadata={"authorization": "mine"})
    channels = ("authorization", "Bearer of the channel")
    assert came == [[channels], [("authorization", "mine"), channels]]


@every_kind
async def test_those_of_the_call_come_after_those_of_the_channel(kind: str) -> None:
    came: list[Any] = []
    calls = [("authorization", "Bearer of the call"), ("key-bin", b"\0")]
    async with arriving(came, credentials=bearer) as pair:
        await call(pair.client, kind, options=CallOptions(credentials=own))
    async with arriving(came) as pair:
        await call(pair.client, kind, options=CallOptions(credentials=own))
        await call(pair.client, kind)
    assert came == [[("authorization", "Bearer of the channel"), *calls], calls, []]


async def test_they_are_asked_for_each_call_and_get_the_call() -> None:
    asked: list[Any] = []

    async def counting(call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
        asked.append((call.method, dict(call.metadata)))
        return {"count": str(len(asked))}

    came: list[Any] = []
    async with arriving(came, credentials=counting) as pair:
        for number in range(2):
            await pair.client.unary(Note(), metadata={"n": str(number)})
        path = pair.client_method("unary").path
    assert asked == [(path, {"n": "0"}), (path, {"n": "1"})]
    assert came == [[("n", "0"), ("count", "1")], [("n", "1"), ("count", "2")]]


@every_kind
async def test_interceptors_are_around_them_and_do_not_see_them(kind: str) -> None:
    seen = Seen()
    log: list[str] = []

    @asynccontextmanager
    async def edit(call: penstock.Call) -> AsyncIterator[None]:
        call.metadata["trace"] = "1"
        log.append("in")
        yield
        log.append(str(call.metadata))

    async def last(call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
        log.append(f"credentials after {call.metadata['trace']!r}")
        return await bearer(call)

    came: list[Any] = []
    async with arriving(came, client=[seen, edit], credentials=last) as pair:
        await call(pair.client, kind)
    assert log == ["in", "credentials after '1'", "Metadata([('trace', '1')])"]
    assert came == [[("trace", "1"), ("authorization", "Bearer of the channel")]]


@pytest.mark.wire("W30")
@every_kind
@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        (StatusCode.UNAVAILABLE, StatusCode.UNAVAILABLE),
        (StatusCode.UNAUTHENTICATED, StatusCode.UNAUTHENTICATED),
        (StatusCode.PERMISSION_DENIED, StatusCode.PERMISSION_DENIED),
        (StatusCode.CANCELLED, StatusCode.CANCELLED),
        (StatusCode.INVALID_ARGUMENT, StatusCode.INTERNAL),
        (StatusCode.NOT_FOUND, StatusCode.INTERNAL),
        (StatusCode.ALREADY_EXISTS, StatusCode.INTERNAL),
        (StatusCode.FAILED_PRECONDITION, StatusCode.INTERNAL),
        (StatusCode.ABORTED, StatusCode.INTERNAL),
        (StatusCode.OUT_OF_RANGE, StatusCode.INTERNAL),
        (StatusCode.DATA_LOSS, StatusCode.INTERNAL),
    ],
)
async def test_a_code_they_raise_is_that_of_the_call_unless_only_the_method_may_give_it(
    kind: str, code: StatusCode, becomes: StatusCode
) -> None:
    async def failing(_call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
        raise RpcError(code, "no token")

    seen = Seen()
    async with around(client=[seen], credentials=failing) as pair:
        with pytest.raises(RpcError, match="no token") as caught:
            await call(pair.client, kind)
        assert caught.value.code is becomes
        assert seen.codes == [becomes]
        assert pair.channel.state is penstock.ChannelState.IDLE
        cause = caught.value.__cause__
        assert isinstance(cause, RpcError)
        assert cause.code is code


@pytest.mark.wire("W30")
@every_kind
async def test_another_exception_is_unauthenticated_with_its_cause(kind: str) -> None:
    async def broken(_call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
        raise LookupError("no token")

    async def misshapen(_call: penstock.ClientCall[Any, Any]) -> Any:
        return 5

    mistakes = [(broken, LookupError, "no token"), (misshapen, penstock.UsageError, "metadata is a mapping or pairs")]
    for credentials, cause, text in mistakes:
        async with around(credentials=credentials) as pair:
            with pytest.raises(RpcError, match=f"UNAUTHENTICATED: the credentials failed: .*{text}") as caught:
                await call(pair.client, kind)
            assert type(caught.value.__cause__) is cause


async def test_a_value_that_may_not_be_sent_is_the_programs_mistake() -> None:
    async def wrong(_call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
        return {"authorization": "new\nline"}

    async with around(credentials=wrong) as pair:
        with pytest.raises(penstock.UsageError):
            await pair.client.unary(Note())


@every_kind
async def test_the_deadline_the_call_and_the_task_cut_them_short(kind: str) -> None:
    ended: list[Any] = []

    async def waiting(_call: penstock.ClientCall[Any, Any]) -> penstock.MetadataLike:
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            ended.append(type(error))
            raise
        return {}

    seen = Seen()
    async with around(client=[seen], credentials=waiting) as pair:
        with pytest.raises(penstock.DeadlineExceeded):
            await call(pair.client, kind, timeout=0.01)
        by_call = asyncio.create_task(call(pair.client, kind))
        await turns(5)
        seen.calls[1].cancel()
        with pytest.raises(penstock.Cancelled):
            await within_bound(by_call)
        by_task = asyncio.create_task(call(pair.client, kind))
        await turns(5)
        by_task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await by_task
        assert ended == [asyncio.CancelledError] * 3
        assert seen.codes == [StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED, StatusCode.CANCELLED]
        assert pair.channel.state is penstock.ChannelState.IDLE


async def test_plaintext_that_leaves_the_machine_carries_none() -> None:
    with pytest.raises(penstock.UsageError, match=r"credentials would go to example\.com:50051 in plaintext"):
        penstock.Channel("example.com:50051", plaintext=True, credentials=bearer)
    async with penstock.Channel("example.com:50051", plaintext=True) as channel:
        with pytest.raises(penstock.UsageError, match="in plaintext"):
            channel.stream("/a.B/C", options=CallOptions(credentials=own))


async def test_tls_carries_them_anywhere(certificates: Certificates) -> None:
    async with penstock.Channel("example.com:50051", tls=True, credentials=bearer) as channel:
        channel.stream("/a.B/C", options=CallOptions(credentials=own))
    came: list[Any] = []
    async with arriving(came, credentials=bearer, tls=certificates) as pair:
        await pair.client.unary(Note())
    assert came == [[("authorization", "Bearer of the channel")]]


def generator(_call: Any) -> Any:
    yield


async def test_what_is_no_coroutine_function_is_refused() -> None:
    for wrong in (generator, 5):
        with pytest.raises(penstock.UsageError, match="credentials is `async def name"):
            penstock.Channel("localhost:1", credentials=wrong)  # type: ignore[arg-type]  # what mypy refuses
        with pytest.raises(penstock.UsageError, match="credentials is `async def name"):
            CallOptions(credentials=wrong)  # type: ignore[arg-type]  # what mypy refuses
