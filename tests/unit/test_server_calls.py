"""A call as its handler sees it."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from penstock import (
    BothStreamCall,
    Cancelled,
    End,
    Metadata,
    RpcError,
    ServerStream,
    Status,
    StatusCode,
    UsageError,
)
from penstock.server_calls import NOTICE_SECONDS
from tests.unit.memory import both_ends, connected, settle

Handler = Callable[[ServerStream[bytes, bytes]], Awaitable[None]]


async def outcome(handler: Handler, **options: object) -> BothStreamCall[bytes, bytes]:
    """Call a handler; give the call when it has ended."""
    async with (
        connected(fallback=handler) as channel,
        channel.stream("/a.B/C", **options) as call,  # type: ignore[arg-type]  # the options of a call
    ):
        with suppress(RpcError):
            await call.finish()
        return call


# What a handler learns.


async def test_a_handler_sees_what_the_client_said() -> None:
    async with both_ends(metadata={"k": "v", "b-bin": b"\x00"}, timeout=60) as ends:
        call = ends.server
        assert (call.method, call.authority, call.peer) == ("/test.Service/Method", "memory:1", "memory:1")
        assert call.metadata == {"k": "v", "b-bin": b"\x00"}
        assert call.metadata is call.metadata
        assert call.time_remaining is not None
        assert 0 < call.time_remaining <= 60


async def test_without_a_deadline_there_is_no_time_remaining() -> None:
    async with both_ends() as ends:
        assert ends.server.time_remaining is None
        assert ends.server.metadata == {}


async def test_time_remaining_is_never_below_zero() -> None:
    async with both_ends(timeout=60) as ends:
        deadline = ends.server._deadline
        assert deadline is not None
        deadline.when = asyncio.get_running_loop().time() - 1
        assert ends.server.time_remaining == 0


# What a handler says.


async def test_initial_metadata_goes_out_before_any_message() -> None:
    async with both_ends() as ends:
        await ends.server.send_initial_metadata([("k", "v"), ("k", "w")])
        assert (await ends.client.initial_metadata()).get_all("k") == ["v", "w"]


async def test_initial_metadata_is_sent_once_and_first() -> None:
    text = "initial metadata was sent before; send it first, and once"
    async with both_ends() as ends:
        await ends.server.send_initial_metadata({})
        with pytest.raises(UsageError, match=text):
            await ends.server.send_initial_metadata({"k": "v"})
    async with both_ends() as ends:
        await ends.server.send(b"first")
        with pytest.raises(UsageError, match=text):
            await ends.server.send_initial_metadata({"k": "v"})


async def test_initial_metadata_of_a_call_that_is_over_is_no_mistake() -> None:
    async with both_ends() as ends:
        ends.client.cancel()
        await settle()
        await ends.server.send_initial_metadata({"k": "v"})


async def test_trailing_metadata_goes_out_with_the_status() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        stream.trailing_metadata["k"] = "v"
        stream.trailing_metadata.add("k", "w")

    call = await outcome(handler)
    assert call.trailing_metadata == Metadata([("k", "v"), ("k", "w")])


async def test_trailing_metadata_that_was_looked_at_and_left_empty_is_none() -> None:
    async def sending(stream: ServerStream[bytes, bytes]) -> None:
        assert stream.trailing_metadata == {}

    call = await outcome(sending)
    assert call.trailing_metadata == {}
    assert call.status == Status(StatusCode.OK)


async def test_an_error_brings_its_own_metadata_beside_the_trailing_metadata() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        stream.trailing_metadata["a"] = "1"
        raise RpcError(StatusCode.ABORTED, "no", metadata={"b": "2"}, details=[StringValue(value="why")])

    call = await outcome(handler)
    assert call.trailing_metadata is not None
    assert call.trailing_metadata["a"] == "1"
    assert call.trailing_metadata["b"] == "2"
    assert call.status is not None
    assert (call.status.code, call.status.message) == (StatusCode.ABORTED, "no")
    (detail,) = call.status.details
    unpacked = StringValue()
    assert detail.Unpack(unpacked)  # type: ignore[attr-defined]  # an Any
    assert unpacked.value == "why"


async def test_trailing_metadata_that_may_not_be_sent_ends_the_call_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        stream.trailing_metadata["grpc-status"] = "0"

    call = await outcome(handler)
    assert call.status is not None
    assert call.status.code is StatusCode.UNKNOWN
    assert any(record.exc_info for record in caplog.records)
    caplog.clear()  # the exceptions in it keep the call


async def test_a_message_no_utf_8_can_say_ends_the_call_with_what_can_be_said() -> None:
    async def handler(_stream: ServerStream[bytes, bytes]) -> None:
        raise RpcError(StatusCode.NOT_FOUND, "file \udc80")

    call = await outcome(handler)
    assert call.status is not None
    assert call.status.code is StatusCode.NOT_FOUND
    assert call.status.message.startswith("file ")


# How it ends.


async def test_what_was_sent_before_the_end_arrives_before_the_status() -> None:
    async with both_ends() as ends:
        await ends.server.send(b"1")
        ends.server._finish_ok()
        assert await ends.client.receive() == b"1"
        await settle()
        assert ends.client.status == Status(StatusCode.OK)
        assert ends.server.status == Status(StatusCode.OK)


async def test_an_end_that_was_told_to_the_client_is_not_changed_any_more() -> None:
    async with both_ends() as ends:
        ends.server._finish_with(Status(StatusCode.ABORTED, "first"), End.RAISED)
        await settle()
        ends.server._finish_with(Status(StatusCode.NOT_FOUND, "second"), End.RAISED)
        ends.server._finish_ok()
        ends.server.cancel()
        await settle()
        assert ends.client.status == Status(StatusCode.ABORTED, "first")


async def test_cancelling_in_a_handler_tells_the_client_at_once() -> None:
    async with both_ends() as ends:
        ends.server.cancel()
        with pytest.raises(Cancelled, match="cancelled by the handler"):
            await ends.client.receive()


async def run_until_cancelled(handler: Handler) -> None:
    """Call a handler, and leave when it runs."""
    async with connected(fallback=handler) as channel:
        async with channel.stream("/a.B/C"):
            await settle()
        await settle()
        (connection,) = channel.server._core.connections
        assert connection.calls == set()


async def test_a_handler_that_waits_for_something_else_is_cancelled_when_its_client_leaves() -> None:
    ended: list[str] = []

    async def handler(_stream: ServerStream[bytes, bytes]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    await run_until_cancelled(handler)
    assert ended == ["cancelled"]


async def test_a_handler_that_waits_on_its_stream_is_told_and_not_cancelled() -> None:
    ended: list[str] = []

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        try:
            await stream.receive()
        except RpcError as error:
            ended.append(error.code.name)
            await asyncio.sleep(0)
            ended.append("cleaned up")

    await run_until_cancelled(handler)
    assert ended == ["CANCELLED", "cleaned up"]


async def test_a_handler_that_goes_on_after_it_was_told_is_cancelled_later() -> None:
    ended = asyncio.Event()

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        try:
            await stream.receive()
        except RpcError:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    loop = asyncio.get_running_loop()
    async with connected(fallback=handler) as channel:
        async with channel.stream("/a.B/C"):
            await settle()
        left = loop.time()
        await ended.wait()
        assert loop.time() - left >= NOTICE_SECONDS / 2


async def test_a_task_of_a_handler_that_was_told_first_may_end_the_handler() -> None:
    ended: list[str] = []

    async def read(stream: ServerStream[bytes, bytes]) -> None:
        await stream.receive()

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(read(stream))
        except* Cancelled:
            ended.append("told")

    await run_until_cancelled(handler)
    assert ended == ["told"]


async def test_the_deadline_of_the_client_ends_the_call_on_the_server_too() -> None:
    async with both_ends(timeout=0.25) as ends:
        ends.channel.wires[0].hold()
        with pytest.raises(TimeoutError):
            await ends.server.receive()
        assert ends.server.status is not None
        assert ends.server.status.code is StatusCode.DEADLINE_EXCEEDED
        ends.channel.wires[0].release()


async def test_a_call_that_is_over_is_freed_without_a_garbage_collection() -> None:
    seen: list[weakref.ref[object]] = []

    async def waiting(stream: ServerStream[bytes, bytes]) -> None:
        seen.append(weakref.ref(stream))
        await asyncio.Event().wait()

    async def reading(stream: ServerStream[bytes, bytes]) -> None:
        seen.append(weakref.ref(stream))
        async for _message in stream:
            pass

    gc.collect()
    gc.disable()
    try:
        for handler in (waiting, reading):
            await run_until_cancelled(handler)
        await settle()
        assert [reference() for reference in seen] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("turns", range(8))
async def test_a_handler_that_runs_when_the_call_ends_is_not_cancelled_in_its_cleanup(turns: int) -> None:
    story: list[str] = []

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        try:
            while True:
                await stream.send(b"")
                await asyncio.sleep(0)
        except Cancelled:
            story.append("told")
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            story.append("cleaned up")

    async with connected(fallback=handler) as channel, channel.stream("/a.B/C") as stream:
        await stream.receive()
        for _ in range(turns):
            await asyncio.sleep(0)
        stream.cancel()
        await settle()
        assert story[-1] == "cleaned up"


async def test_what_passes_every_except_after_the_end_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    class PassingError(BaseException):
        """Like GeneratorExit, no Exception."""

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        try:
            await stream.receive()
        except Cancelled:
            raise PassingError from None

    async with connected(fallback=handler) as channel:
        async with channel.stream("/a.B/C"):
            await settle()
        await settle()
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == "/a.B/C from memory:1: the handler raised an exception after the end, PEER_CANCELLED"
    caplog.clear()
