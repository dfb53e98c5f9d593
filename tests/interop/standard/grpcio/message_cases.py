"""Cases about messages: their sizes, their number, their order."""

from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from tests.interop.standard.messages import (
    ECHO_INITIAL,
    ECHO_TRAILING,
    INITIAL_VALUE,
    LARGE_RESPONSE_BYTES,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    TRAILING_VALUE,
    input_request,
    large_request,
    output_request,
    ping,
)
from tests.protos.grpc_testing_pb2 import Empty, StreamingOutputCallResponse
from tests.protos.grpc_testing_pb2_grpc import TestServiceStub


async def empty_unary(channel: grpc.aio.Channel) -> None:
    """Nothing there, nothing back."""
    assert await TestServiceStub(channel).EmptyCall(Empty()) == Empty()


async def large_unary(channel: grpc.aio.Channel) -> None:
    """A large request, a larger reply."""
    reply = await TestServiceStub(channel).UnaryCall(large_request())
    assert reply.payload.body == bytes(LARGE_RESPONSE_BYTES)


async def client_streaming(channel: grpc.aio.Channel) -> None:
    """Several requests, one reply."""
    reply = await TestServiceStub(channel).StreamingInputCall(input_request(size) for size in REQUEST_BYTES)
    assert reply.aggregated_payload_size == 74_922


async def server_streaming(channel: grpc.aio.Channel) -> None:
    """One request, several replies, in the order they were asked for."""
    call = TestServiceStub(channel).StreamingOutputCall(output_request(RESPONSE_BYTES))
    assert _sizes([reply async for reply in call]) == RESPONSE_BYTES


async def ping_pong(channel: grpc.aio.Channel) -> None:
    """Each request goes out when the reply before it is there."""
    call = TestServiceStub(channel).FullDuplexCall()
    replies = []
    for request_bytes, response_bytes in zip(REQUEST_BYTES, RESPONSE_BYTES, strict=True):
        await call.write(ping(request_bytes, response_bytes))
        replies.append(await call.read())
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert _sizes(replies) == RESPONSE_BYTES
    assert await call.code() == grpc.StatusCode.OK


async def empty_stream(channel: grpc.aio.Channel) -> None:
    """A call of no messages at all."""
    call = TestServiceStub(channel).FullDuplexCall()
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


async def custom_metadata(channel: grpc.aio.Channel) -> None:
    """One pair comes back before the messages, the other one, of bytes, after them."""
    stub = TestServiceStub(channel)
    metadata = ((ECHO_INITIAL, INITIAL_VALUE), (ECHO_TRAILING, TRAILING_VALUE))

    unary = stub.UnaryCall(large_request(), metadata=metadata)
    assert len((await unary).payload.body) == LARGE_RESPONSE_BYTES
    await _check_echoed(unary)

    both = stub.FullDuplexCall(metadata=metadata)
    await both.write(ping(271_828, LARGE_RESPONSE_BYTES))
    assert len((await both.read()).payload.body) == LARGE_RESPONSE_BYTES
    await both.done_writing()
    assert await both.read() is grpc.aio.EOF
    await _check_echoed(both)


def _sizes(replies: Sequence[StreamingOutputCallResponse]) -> tuple[int, ...]:
    return tuple(len(reply.payload.body) for reply in replies)


async def _check_echoed(call: Any) -> None:
    assert await call.code() == grpc.StatusCode.OK
    assert _values(await call.initial_metadata(), ECHO_INITIAL) == [INITIAL_VALUE]
    assert _values(await call.trailing_metadata(), ECHO_TRAILING) == [TRAILING_VALUE]


def _values(metadata: Iterable[tuple[str, Any]], key: str) -> list[Any]:
    return [value for name, value in metadata if name == key]
