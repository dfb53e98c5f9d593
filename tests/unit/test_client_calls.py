"""The four kinds of call, as a client makes them."""

import asyncio
from collections.abc import Callable
from typing import Any, Never

import pytest

from penstock import (
    BothStreamCall,
    Cancelled,
    ClientStreamCall,
    ClosedError,
    DeadlineExceeded,
    EndOfStream,
    RpcError,
    ServerCall,
    ServerStream,
    ServerStreamCall,
    StatusCode,
    UnfinishedCall,
    UsageError,
)
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient
from tests.unit.echo import Echo, echoing
from tests.unit.memory import connected, settle

NOTE = Note(text="a", number=2)
StreamCall = ServerStreamCall[Note] | ClientStreamCall[Note, Note] | BothStreamCall[Note, Note]
Opening = Callable[[EchoClient], StreamCall]

streaming = pytest.mark.parametrize(
    "opening",
    [
        lambda client: client.server_stream(NOTE),
        lambda client: client.client_stream(),
        lambda client: client.both_stream(),
    ],
    ids=["server stream", "client stream", "both ways"],
)


class Waiting(EchoBase):
    """Answers nothing until `go_on`; counts the handlers that run."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.running = 0

    async def _wait(self) -> None:
        self.running += 1
        try:
            await self.go_on.wait()
        finally:
            self.running -= 1

    async def unary(self, request: Note, call: ServerCall) -> Note:
        del call
        await self._wait()
        return request

    async def server_stream(self, request: Note, stream: ServerStream[Never, Note]) -> None:
        del request, stream
        await self._wait()

    async def client_stream(self, stream: ServerStream[Note, Never]) -> Note:
        del stream
        await self._wait()
        return NOTE

    async def both_stream(self, stream: ServerStream[Note, Note]) -> None:
        del stream
        await self._wait()


# One → one.


async def test_a_unary_call_gives_its_reply_and_keeps_what_came_with_it() -> None:
    async with echoing() as (client, _channel):
        call = client.unary(NOTE)
        assert (call.status, call.trailing_metadata, call.peer) == (None, None, None)
        assert await call == NOTE
        assert call.status is not None
        assert call.status.code is StatusCode.OK
        assert call.trailing_metadata == {"text": "a"}
        assert call.peer == "memory:1"


async def test_a_unary_call_that_is_not_awaited_never_begins() -> None:
    async with echoing() as (client, channel):
        client.unary(NOTE)
        await settle()
        assert channel.connector.wires == []


async def test_a_request_is_encoded_when_the_call_is_made() -> None:
    async with echoing() as (client, _channel):
        note = Note(text="before")
        call = client.unary(note)
        note.text = "after"
        assert (await call).text == "before"


async def test_a_request_of_another_type_is_refused_when_the_call_is_made() -> None:
    async with echoing() as (client, _channel):
        with pytest.raises(UsageError, match="this call sends Note, not str"):
            client.unary("text")  # type: ignore[arg-type]  # what mypy refuses


async def test_a_call_is_used_once() -> None:
    async with echoing() as (client, _channel):
        call = client.unary(NOTE)
        await call
        with pytest.raises(UsageError, match="a call is used once; make another one"):
            await call
        assert call.status is not None
        assert call.status.code is StatusCode.OK


async def test_cancelling_the_task_cancels_a_unary_call_on_both_sides() -> None:
    service = Waiting()
    async with echoing(service) as (client, _channel):
        call = client.unary(NOTE)
        task = asyncio.ensure_future(call)
        await settle()
        assert service.running == 1
        task.cancel()
        await settle()
        assert task.cancelled()
        assert call.status is not None
        assert call.status.code is StatusCode.CANCELLED
        assert service.running == 0


@pytest.mark.parametrize("replies", [0, 2])
async def test_a_server_that_sends_not_exactly_one_reply_is_an_error(replies: int) -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send_many([b""] * replies)

    async with connected(fallback=handler) as channel:
        call = EchoClient(channel).unary(NOTE)
        count = "more than one" if replies else "no"
        with pytest.raises(RpcError, match=f"UNIMPLEMENTED: the server sent {count} reply"):
            await call
        assert call.status is not None
        assert call.status.code is StatusCode.UNIMPLEMENTED


async def test_a_reply_before_an_error_is_an_error() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send(b"")
        raise RpcError(StatusCode.ABORTED, "after all")

    async with connected(fallback=handler) as channel:
        with pytest.raises(RpcError, match="ABORTED: after all"):
            await EchoClient(channel).unary(NOTE)


async def test_a_reply_that_cannot_be_read_ends_the_call_with_internal() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send(b"\xff")

    async with connected(fallback=handler) as channel:
        with pytest.raises(RpcError, match="INTERNAL: a message could not be decoded") as caught:
            await EchoClient(channel).unary(NOTE)
        assert caught.value.__cause__ is not None


# The block of a streaming call.


@streaming
async def test_a_streaming_call_is_used_in_its_block(opening: Opening) -> None:
    async with echoing() as (client, channel):
        call = opening(client)
        uses: list[Callable[[], Any]] = [call.receive, call.end_sending, call.initial_metadata, call.receive_many]
        for use in uses:
            with pytest.raises(
                UsageError, match=r"write `async with client\.\w+\(\.\.\.\) as stream:` and use it inside"
            ):
                await use()
        assert channel.connector.wires == []


@streaming
async def test_a_streaming_call_is_entered_once(opening: Opening) -> None:
    async with echoing() as (client, _channel):
        call = opening(client)
        async with call:
            with pytest.raises(UsageError, match="a call is used once"):
                await call.__aenter__()
            call.cancel()


@streaming
@pytest.mark.filterwarnings("ignore::penstock.UnfinishedCall")
async def test_leaving_the_block_ends_the_call_and_its_handler(opening: Opening) -> None:
    service = Waiting()
    async with echoing(service) as (client, channel):
        call = opening(client)
        async with call:
            await settle()
            assert (service.running, call.status) == (1, None)
        await settle()
        assert service.running == 0
        assert call.status is not None
        assert call.status.code is StatusCode.CANCELLED
        connection = channel.connector.current()
        assert connection is not None
        assert connection.calls == set()


@streaming
async def test_an_exception_in_the_block_ends_the_call_and_goes_on(opening: Opening) -> None:
    service = Waiting()

    async def use(client: EchoClient) -> None:
        async with opening(client):
            await settle()
            raise LookupError("mine")

    async with echoing(service) as (client, _channel):
        with pytest.raises(LookupError, match="mine"):
            await use(client)
        await settle()
        assert service.running == 0


async def test_a_reader_that_leaves_early_is_no_mistake_and_an_upload_that_does_is_warned_of() -> None:
    async with echoing() as (client, _channel):
        async with client.server_stream(NOTE) as replies:
            await replies.receive()
        async with client.both_stream() as stream:
            await stream.send(NOTE)
        with pytest.warns(UnfinishedCall, match=r"ClientStream: .* left without finish\(\) or cancel\(\)"):
            async with client.client_stream() as upload:
                await upload.send(NOTE)
        assert upload.status is not None
        assert upload.status.code is StatusCode.CANCELLED


async def test_an_upload_that_was_cancelled_or_finished_or_broken_is_not_warned_of() -> None:
    async with echoing() as (client, _channel):
        async with client.client_stream() as upload:
            upload.cancel()
        async with client.client_stream() as upload:
            await upload.finish()
        with pytest.raises(LookupError):
            async with client.client_stream() as upload:
                raise LookupError


async def test_a_call_that_cannot_begin_leaves_nothing_open() -> None:
    async with echoing() as (client, channel):
        for metadata in ({"k": "new\nline"}, {"grpc-status": "0"}):
            with pytest.raises(UsageError):
                async with client.both_stream(metadata=metadata):
                    pass
            with pytest.raises(UsageError):
                await client.unary(NOTE, metadata=metadata)
        connection = channel.connector.current()
        assert connection is not None
        assert (connection.calls, connection.engine.open_calls) == (set(), 0)


# Streams.


async def test_a_server_stream_gives_its_replies_and_then_its_status() -> None:
    async with echoing() as (client, _channel), client.server_stream(NOTE) as stream:
        assert [note.number async for note in stream] == [0, 1]
        assert stream.status is not None
        assert stream.trailing_metadata == {"text": "a"}


async def test_a_server_stream_has_nothing_more_to_send() -> None:
    async with echoing() as (client, _channel), client.server_stream(NOTE) as stream:
        with pytest.raises(ClosedError):
            await stream.send(NOTE)  # type: ignore[arg-type]  # what mypy refuses


async def test_a_client_stream_gives_its_reply_when_it_is_finished_and_again() -> None:
    async with echoing() as (client, _channel), client.client_stream() as stream:
        await stream.send_many([Note(text="a"), Note(text="b")])
        assert await stream.finish() == Note(text="ab", number=2)
        assert await stream.finish() == Note(text="ab", number=2)


async def test_cancelling_finish_leaves_the_call_open_and_it_may_be_called_again() -> None:
    service = Waiting()
    async with echoing(service) as (client, _channel), client.client_stream() as stream:
        task = asyncio.create_task(stream.finish())
        await settle()
        task.cancel()
        await settle()
        assert (task.cancelled(), stream.status) == (True, None)
        service.go_on.set()
        assert await stream.finish() == NOTE


async def test_finish_drops_the_replies_of_a_stream_both_ways() -> None:
    async with echoing() as (client, _channel), client.both_stream() as stream:
        await stream.send_many([NOTE] * 3)
        await stream.finish()
        assert stream.status is not None
        assert stream.status.code is StatusCode.OK
        with pytest.raises(EndOfStream):
            await stream.receive()


async def test_finish_raises_how_the_call_ended() -> None:
    class Refusing(EchoBase):
        async def client_stream(self, stream: ServerStream[Note, Never]) -> Note:
            del stream
            raise RpcError(StatusCode.NOT_FOUND, "no such room")

        async def both_stream(self, stream: ServerStream[Note, Note]) -> None:
            del stream
            raise RpcError(StatusCode.NOT_FOUND, "no such room")

    async with echoing(Refusing()) as (client, _channel):
        openings: list[ClientStreamCall[Note, Note] | BothStreamCall[Note, Note]] = [
            client.client_stream(),
            client.both_stream(),
        ]
        for call in openings:
            async with call:
                with pytest.raises(RpcError, match="NOT_FOUND: no such room"):
                    await call.finish()


async def test_end_sending_may_be_repeated() -> None:
    async with echoing() as (client, _channel), client.both_stream() as stream:
        await stream.end_sending()
        await stream.end_sending()
        assert [note async for note in stream] == []


# What comes before the first message.


async def test_initial_metadata_is_there_as_soon_as_the_response_begins() -> None:
    go_on = asyncio.Event()

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send_initial_metadata({"k": "v"})
        await go_on.wait()

    async with connected(fallback=handler) as channel, channel.stream("/a.B/C") as call:
        assert await call.initial_metadata() == {"k": "v"}
        assert call.status is None
        go_on.set()
        await call.finish()
        assert await call.initial_metadata() == {"k": "v"}


async def test_initial_metadata_of_a_response_without_any_is_empty() -> None:
    async with echoing() as (client, _channel), client.both_stream() as stream:
        await stream.finish()
        assert await stream.initial_metadata() == {}


async def test_initial_metadata_of_a_call_that_failed_is_its_error() -> None:
    async with connected() as channel, channel.stream("/no.Such/Method") as call:
        with pytest.raises(RpcError, match="UNIMPLEMENTED"):
            await call.initial_metadata()


async def test_several_tasks_may_wait_for_initial_metadata_and_one_may_be_cancelled() -> None:
    go_on = asyncio.Event()

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await go_on.wait()
        await stream.send_initial_metadata({"k": "v"})

    async with connected(fallback=handler) as channel, channel.stream("/a.B/C") as call:
        tasks = [asyncio.create_task(call.initial_metadata()) for _ in range(3)]
        await settle()
        tasks[0].cancel()
        go_on.set()
        assert [await task for task in tasks[1:]] == [{"k": "v"}] * 2
        await settle()
        assert tasks[0].cancelled()


# Deadlines.


async def test_a_call_without_time_never_leaves() -> None:
    async with echoing() as (client, channel):
        await channel.ready()
        written = len(channel.wires[0].written)
        uses: list[Callable[[], Any]] = [
            lambda: client.unary(NOTE, timeout=0),
            lambda: client.server_stream(NOTE, timeout=0).__aenter__(),
            lambda: client.client_stream(timeout=0).__aenter__(),
            lambda: client.both_stream(timeout=0).__aenter__(),
        ]
        for use in uses:
            with pytest.raises(DeadlineExceeded, match="the call did not end within 0 s"):
                await use()
        await settle()
        assert len(channel.wires[0].written) == written


async def test_the_deadline_ends_the_call_on_both_sides_and_its_handler() -> None:
    service = Waiting()
    async with echoing(service) as (client, channel):
        with pytest.raises(DeadlineExceeded, match=r"the call did not end within 0\.01 s"):
            await client.unary(NOTE, timeout=0.01)
        await settle()
        assert service.running == 0
        assert len(channel._timers) == 0


async def test_a_call_that_ends_in_time_leaves_no_deadline_behind() -> None:
    async with echoing() as (client, channel):
        await client.unary(NOTE, timeout=60)
        async with client.both_stream(timeout=60):
            assert len(channel._timers) == 1
        assert len(channel._timers) == 0


async def test_the_deadline_reaches_a_call_that_waits_for_a_connection() -> None:
    async with echoing() as (client, channel):
        channel.connector.failures.extend(ConnectionRefusedError("refused") for _ in range(100))
        with pytest.raises(DeadlineExceeded):
            await client.unary(NOTE, timeout=0.01, wait_for_ready=True)


async def test_a_connection_that_cannot_be_made_fails_the_call_at_once() -> None:
    async with echoing() as (client, channel):
        channel.connector.failures.append(ConnectionRefusedError("refused"))
        call = client.unary(NOTE)
        with pytest.raises(RpcError, match="UNAVAILABLE: cannot connect to memory:1: refused") as caught:
            await call
        assert caught.value.retryable
        assert call.status is not None
        assert call.status.code is StatusCode.UNAVAILABLE


async def test_inside_a_handler_a_call_has_no_more_time_than_its_caller() -> None:
    left: list[float | None] = []

    class Inner(Echo):
        async def unary(self, request: Note, call: ServerCall) -> Note:
            left.append(call.time_remaining)
            return request

    class Outer(EchoBase):
        def __init__(self, inner: EchoClient) -> None:
            self.inner = inner

        async def unary(self, request: Note, call: ServerCall) -> Note:
            del call
            return await self.inner.unary(request, timeout=1000)

    async with echoing(Inner()) as (inner, _inner_channel), echoing(Outer(inner)) as (outer, _outer_channel):
        await outer.unary(NOTE, timeout=50)
        await inner.unary(NOTE, timeout=1000)
    assert left[0] is not None
    assert left[1] is not None
    assert left[0] <= 50 < left[1]


# Cancelling a call that has not begun.


async def test_a_call_that_was_cancelled_before_it_began_never_begins() -> None:
    async with echoing() as (client, channel):
        call = client.unary(NOTE)
        call.cancel()
        with pytest.raises(Cancelled):
            await call
        stream = client.both_stream()
        stream.cancel()
        with pytest.raises(Cancelled):
            await stream.__aenter__()
        assert channel.connector.wires == []


async def test_a_call_can_be_cancelled_while_it_waits_for_a_connection() -> None:
    async with echoing() as (client, channel):
        channel.connector.failures.extend(ConnectionRefusedError("refused") for _ in range(100))
        call = client.unary(NOTE, wait_for_ready=True)
        task = asyncio.ensure_future(call)
        await settle()
        call.cancel()
        with pytest.raises(Cancelled, match="cancelled by this side"):
            await task


async def test_a_client_that_leaves_while_the_answer_is_on_its_way_is_harmless() -> None:
    async with echoing() as (client, channel):
        async with client.server_stream(Note(number=1000)) as stream:
            await stream.receive()
        await settle()
        assert await client.unary(NOTE) == NOTE
        connection = channel.connector.current()
        assert connection is not None
        assert connection.engine.open_calls == 0
