"""Does everything that travels beside the messages arrive, and is what may not travel refused?"""

import asyncio
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

import penstock
from tests.e2e.support import Echo, connected, turns, until, with_neighbour, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

SENT: list[tuple[str, str | bytes]] = [
    ("who", "me"),
    ("many", "1"),
    ("many", "2"),
    ("blob-bin", b"\0\xff\n"),
    ("empty", ""),
    ("blob-bin", b""),
]


async def test_what_the_client_sends_reaches_the_handler_in_order() -> None:
    seen = []

    async def look(request: Note, call: penstock.ServerCall) -> Note:
        seen.append(call.metadata)
        return request

    async with connected(Echo(unary=look)) as pair:
        await pair.client.unary(Note(), metadata=SENT)
        assert seen[0]["WHO"] == "me"
        assert seen[0].get_all("many") == ["1", "2"]
        assert seen[0].get_all("blob-bin") == [b"\0\xff\n", b""]
        assert seen[0]["empty"] == ""
        assert set(seen[0]) == {"who", "many", "blob-bin", "empty"}


@pytest.mark.parametrize("nothing", [None, {}, [], penstock.Metadata(), iter(())])
async def test_no_metadata_can_be_said_in_every_form(nothing: Any) -> None:
    async with connected() as pair:
        assert await pair.client.unary(Note(text="x"), metadata=nothing) == Note(text="x")


async def test_metadata_may_be_a_mapping_pairs_or_metadata() -> None:
    seen = []

    async def look(request: Note, call: penstock.ServerCall) -> Note:
        seen.append(call.metadata["key"])
        return request

    async with connected(Echo(unary=look)) as pair:
        forms: list[Any] = [{"Key": "v"}, [("KEY", "v")], penstock.Metadata({"key": "v"}), iter([("key", "v")])]
        for given in forms:
            await pair.client.unary(Note(), metadata=given)
        assert seen == ["v"] * 4


async def test_initial_metadata_comes_before_the_first_message() -> None:
    go_on = asyncio.Event()

    async def greet(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_initial_metadata({"greeting": "hello", "raw-bin": b"\1"})
        await go_on.wait()
        await stream.send(Note())

    async with connected(Echo(both_stream=greet)) as pair, pair.client.both_stream() as stream:
        metadata = await within_bound(stream.initial_metadata())
        assert metadata == {"greeting": "hello", "raw-bin": b"\1"}
        assert stream.status is None
        go_on.set()
        await stream.finish()
        assert await stream.initial_metadata() == metadata


async def test_initial_metadata_is_empty_when_the_handler_sent_none() -> None:
    async with connected() as pair:
        async with pair.client.server_stream(Note(number=1)) as stream:
            assert await within_bound(stream.initial_metadata()) == {}
        call = pair.client.unary(Note())
        await call
        assert await call.initial_metadata() == {}


async def test_initial_metadata_of_a_call_that_failed_at_once_raises_its_status() -> None:
    async def refuse(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        raise penstock.RpcError(penstock.StatusCode.UNAUTHENTICATED, "who are you?")

    async with connected(Echo(server_stream=refuse)) as pair, pair.client.server_stream(Note()) as stream:
        with pytest.raises(penstock.RpcError, match="who are you"):
            await within_bound(stream.initial_metadata())


async def test_several_tasks_may_wait_for_initial_metadata_and_one_may_be_cancelled() -> None:
    go_on = asyncio.Event()

    async def greet(stream: penstock.ServerStream[Note, Note]) -> None:
        await go_on.wait()
        await stream.send_initial_metadata({"greeting": "hello"})

    async with connected(Echo(both_stream=greet)) as pair, pair.client.both_stream() as stream:
        waiting = [asyncio.create_task(stream.initial_metadata()) for _ in range(3)]
        await turns(3)
        waiting[0].cancel()
        await asyncio.wait([waiting[0]])
        go_on.set()
        assert await within_bound(asyncio.gather(*waiting[1:])) == [{"greeting": "hello"}] * 2
        assert waiting[0].cancelled()


async def test_initial_metadata_can_be_sent_once_and_before_the_first_message() -> None:
    refusals = []

    async def greet(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_initial_metadata({"a": "1"})
        try:
            await stream.send_initial_metadata({"a": "2"})
        except penstock.UsageError as error:
            refusals.append(str(error))
        await stream.send(Note())
        try:
            await stream.send_initial_metadata({"a": "3"})
        except penstock.UsageError as error:
            refusals.append(str(error))

    async with connected(Echo(both_stream=greet)) as pair, pair.client.both_stream() as stream:
        assert await stream.initial_metadata() == {"a": "1"}
        await stream.finish()
    assert refusals == ["initial metadata was sent before; send it first, and once"] * 2


async def test_trailing_metadata_comes_with_ok_and_is_none_before_the_end() -> None:
    async def count(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send(request)
        stream.trailing_metadata["count"] = "1"
        stream.trailing_metadata.add("sum-bin", b"\7")

    async with connected(Echo(server_stream=count)) as pair, pair.client.server_stream(Note()) as stream:
        assert stream.trailing_metadata is None
        assert stream.status is None
        async for _reply in stream:
            pass
        assert stream.trailing_metadata == {"count": "1", "sum-bin": b"\7"}
        assert stream.status == penstock.Status(penstock.StatusCode.OK)


async def test_a_unary_call_shows_status_and_trailing_metadata_after_the_reply() -> None:
    async def look(request: Note, call: penstock.ServerCall) -> Note:
        call.trailing_metadata["took"] = "long"
        return request

    async with connected(Echo(unary=look)) as pair:
        call = pair.client.unary(Note())
        assert call.status is None
        assert call.trailing_metadata is None
        await call
        assert call.status == penstock.Status(penstock.StatusCode.OK)
        assert call.trailing_metadata == {"took": "long"}


async def test_a_failure_carries_code_message_details_and_metadata() -> None:
    async def fail(request: Note, call: penstock.ServerCall) -> Note:
        call.trailing_metadata["from"] = "call"
        raise penstock.RpcError(
            penstock.StatusCode.FAILED_PRECONDITION,
            "zu früh 🕰 100 % \n",
            details=[Note(text="detail"), Note(number=2)],
            metadata={"from-error": "yes"},
        )

    async with connected(Echo(unary=fail)) as pair:
        call = pair.client.unary(Note())
        with pytest.raises(penstock.RpcError) as caught:
            await call
        error = caught.value
        assert (error.code, error.message) == (penstock.StatusCode.FAILED_PRECONDITION, "zu früh 🕰 100 % \n")
        assert error.origin is penstock.Origin.REMOTE
        assert error.metadata["from"] == "call"
        assert error.metadata["from-error"] == "yes"
        notes = []
        for detail in error.details:
            assert isinstance(detail, AnyMessage)
            note = Note()
            assert detail.Unpack(note)
            notes.append(note)
        assert notes == [Note(text="detail"), Note(number=2)]
        assert call.status == error.status


WRONG: list[tuple[Any, str]] = [
    ({"spa ce": "x"}, "may only hold"),
    ({"ü": "x"}, "may only hold"),
    ({"": "x"}, "may only hold"),
    ({":path": "x"}, "may only hold"),
    ({"grpc-status": "0"}, "reserved"),
    ({"te": "x"}, "reserved"),
    ({"content-type": "x"}, "reserved"),
    ({"key": "ü"}, "printable ASCII"),
    ({"key": "a\nb"}, "printable ASCII"),
    ({"key": b"bytes"}, "takes bytes if it ends in -bin and str if not"),
    ({"key-bin": "text"}, "takes bytes if it ends in -bin and str if not"),
    ({"key": 5}, '"key" takes bytes if it ends in -bin and str if not'),
    ({"key": None}, '"key" takes bytes if it ends in -bin and str if not'),
    ({5: "x"}, "metadata"),
    (5, "metadata"),
    ("text", "metadata"),
    ([("a", "b", "c")], "metadata"),
]


@pytest.mark.parametrize(("metadata", "reason"), WRONG)
async def test_metadata_that_may_not_be_sent_is_refused_and_nothing_else_breaks(metadata: Any, reason: str) -> None:
    async with with_neighbour(server_limits=penstock.Limits(max_concurrent_streams=3)) as pair:
        for _ in range(4):  # more often than there are places: each is given back
            with pytest.raises(penstock.UsageError, match=reason):
                await pair.client.unary(Note(), metadata=metadata)
            with pytest.raises(penstock.UsageError, match=reason):
                async with pair.client.both_stream(metadata=metadata):
                    pytest.fail("the block was entered")
        assert (await within_bound(pair.client.unary(Note(text="well")))).text == "well"
        await until(lambda: pair.open_calls()["client"] == 1)


@pytest.mark.parametrize(("metadata", "reason"), WRONG)
async def test_initial_metadata_that_may_not_be_sent_is_refused_and_the_handler_goes_on(
    metadata: Any, reason: str
) -> None:
    async def greet(request: Note, call: penstock.ServerCall) -> Note:
        with pytest.raises(penstock.UsageError, match=reason):
            await call.send_initial_metadata(metadata)
        await call.send_initial_metadata({"good": "yes"})
        return request

    async with connected(Echo(unary=greet)) as pair:
        call = pair.client.unary(Note(text="x"))
        assert (await call).text == "x"
        assert await call.initial_metadata() == {"good": "yes"}


@pytest.mark.parametrize("how", ["return", "raise", "cancel"])
async def test_trailing_metadata_that_may_not_be_sent_fails_the_call_whatever_the_handler_does(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def spoil(request: Note, call: penstock.ServerCall) -> Note:
        call.trailing_metadata["ü"] = "x"
        if how == "raise":
            raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "gone")
        if how == "cancel":
            raise asyncio.CancelledError
        return request

    async with connected(Echo(unary=spoil)) as pair:
        with pytest.raises(penstock.RpcError) as caught:
            await pair.client.unary(Note(), timeout=5)
        assert caught.value.code == penstock.StatusCode.UNKNOWN
    assert "may only hold" in caplog.text
