"""Cases about messages: their sizes, their number, their order."""

from collections.abc import Sequence

import penstock
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
from tests.protos.grpc_testing_penstock import TestServiceClient


async def empty_unary(channel: penstock.Channel) -> None:
    """Nothing there, nothing back."""
    assert await TestServiceClient(channel).empty_call(Empty()) == Empty()


async def large_unary(channel: penstock.Channel) -> None:
    """A large request, a larger reply."""
    reply = await TestServiceClient(channel).unary_call(large_request())
    assert reply.payload.body == bytes(LARGE_RESPONSE_BYTES)


async def client_streaming(channel: penstock.Channel) -> None:
    """Several requests, one reply."""
    async with TestServiceClient(channel).streaming_input_call() as stream:
        for size in REQUEST_BYTES:
            await stream.send(input_request(size))
        reply = await stream.finish()
    assert reply.aggregated_payload_size == 74_922


async def server_streaming(channel: penstock.Channel) -> None:
    """One request, several replies, in the order they were asked for."""
    async with TestServiceClient(channel).streaming_output_call(output_request(RESPONSE_BYTES)) as stream:
        replies = [reply async for reply in stream]
    assert _sizes(replies) == RESPONSE_BYTES


async def ping_pong(channel: penstock.Channel) -> None:
    """Each request goes out when the reply before it is there."""
    replies = []
    async with TestServiceClient(channel).full_duplex_call() as stream:
        for request_bytes, response_bytes in zip(REQUEST_BYTES, RESPONSE_BYTES, strict=True):
            await stream.send(ping(request_bytes, response_bytes))
            replies.append(await stream.receive())
        await stream.end_sending()
        assert [late async for late in stream] == []
    assert _sizes(replies) == RESPONSE_BYTES
    assert stream.status is not None
    assert stream.status.code == penstock.StatusCode.OK


async def empty_stream(channel: penstock.Channel) -> None:
    """A call of no messages at all."""
    async with TestServiceClient(channel).full_duplex_call() as stream:
        await stream.end_sending()
        assert [reply async for reply in stream] == []
    assert stream.status is not None
    assert stream.status.code == penstock.StatusCode.OK


async def custom_metadata(channel: penstock.Channel) -> None:
    """One pair comes back before the messages, the other one, of bytes, after them."""
    client = TestServiceClient(channel)
    metadata: penstock.MetadataLike = {ECHO_INITIAL: INITIAL_VALUE, ECHO_TRAILING: TRAILING_VALUE}

    call = client.unary_call(large_request(), metadata=metadata)
    assert len((await call).payload.body) == LARGE_RESPONSE_BYTES
    _check_echoed(await call.initial_metadata(), call.trailing_metadata)

    async with client.full_duplex_call(metadata=metadata) as stream:
        await stream.send(ping(271_828, LARGE_RESPONSE_BYTES))
        initial = await stream.initial_metadata()
        assert len((await stream.receive()).payload.body) == LARGE_RESPONSE_BYTES
        await stream.finish()
    _check_echoed(initial, stream.trailing_metadata)


def _sizes(replies: Sequence[StreamingOutputCallResponse]) -> tuple[int, ...]:
    return tuple(len(reply.payload.body) for reply in replies)


def _check_echoed(initial: penstock.Metadata, trailing: penstock.Metadata | None) -> None:
    assert initial.get_all(ECHO_INITIAL) == [INITIAL_VALUE]
    assert trailing is not None
    assert trailing.get_all(ECHO_TRAILING) == [TRAILING_VALUE]
