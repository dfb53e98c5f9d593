"""What the four kinds of call of a client share."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from penstock import (
    Cancelled,
    DeadlineExceeded,
    RpcError,
    ServerCall,
    ServerStream,
    StatusCode,
    UsageError,
)
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient
from tests.unit.echo import NOTE, Echo, Waiting, echoing
from tests.unit.memory import connected, settle

# What it is made with.


@pytest.mark.parametrize("options", [{}, {"compression": None}, 5])
async def test_options_of_another_kind_are_a_mistake_at_once(options: Any) -> None:
    async with echoing() as (client, channel):
        for call in (
            client.both_stream,
            lambda **wrong: client.unary(NOTE, **wrong),
            partial(channel.stream, "/a.B/C"),
        ):
            with pytest.raises(UsageError) as caught:
                call(options=options)
            assert str(caught.value) == f"options is penstock.CallOptions(...), not {options!r}"


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
        channel.failures.extend(ConnectionRefusedError("refused") for _ in range(100))
        with pytest.raises(DeadlineExceeded):
            await client.unary(NOTE, timeout=0.01, wait_for_ready=True)


async def test_a_connection_that_cannot_be_made_fails_the_call_at_once() -> None:
    async with echoing() as (client, channel):
        channel.failures.append(ConnectionRefusedError("refused"))
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
        assert channel.links == []


async def test_a_call_can_be_cancelled_while_it_waits_for_a_connection() -> None:
    async with echoing() as (client, channel):
        channel.failures.extend(ConnectionRefusedError("refused") for _ in range(100))
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
