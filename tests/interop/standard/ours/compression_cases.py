"""The compressed cases."""

import pytest

import penstock
from penstock import CallOptions, Compression, StatusCode
from tests.interop.standard.messages import (
    FALSE,
    LARGE_RESPONSE_BYTES,
    TRUE,
    input_request,
    large_request,
    output_request,
)
from tests.protos.grpc_testing_pb2 import SimpleRequest
from tests.protos.grpc_testing_penstock import TestServiceClient

GZIP = CallOptions(compression=Compression.GZIP)


async def client_compressed_unary(channel: penstock.Channel) -> None:
    """The server sees whether a request was compressed; the probe shows that it looks."""
    with pytest.raises(penstock.RpcError) as caught:
        await TestServiceClient(channel).unary_call(large_request(expect_compressed=TRUE))
    assert caught.value.code == StatusCode.INVALID_ARGUMENT
    await client_compressed_unary_noprobe(channel)


async def client_compressed_unary_noprobe(channel: penstock.Channel) -> None:
    """The server need not look: it understands either."""
    client = TestServiceClient(channel)
    reply = await client.unary_call(large_request(expect_compressed=TRUE), options=GZIP)
    assert len(reply.payload.body) == LARGE_RESPONSE_BYTES
    reply = await client.unary_call(large_request(expect_compressed=FALSE))
    assert len(reply.payload.body) == LARGE_RESPONSE_BYTES


async def server_compressed_unary(channel: penstock.Channel) -> None:
    """A reply comes as it was asked for."""
    assert await _reply_is_compressed(channel, large_request(response_compressed=TRUE))
    assert not await _reply_is_compressed(channel, large_request(response_compressed=FALSE))


async def client_compressed_streaming(channel: penstock.Channel) -> None:
    """Compressed and uncompressed requests of one call."""
    async with TestServiceClient(channel).streaming_input_call() as stream:
        await stream.send(input_request(27_182, expect_compressed=TRUE))
        with pytest.raises(penstock.RpcError) as caught:
            await stream.finish()
    assert caught.value.code == StatusCode.INVALID_ARGUMENT
    await client_compressed_streaming_noprobe(channel)


async def client_compressed_streaming_noprobe(channel: penstock.Channel) -> None:
    """The server need not look: it understands either."""
    async with TestServiceClient(channel).streaming_input_call(options=GZIP) as stream:
        await stream.send(input_request(27_182, expect_compressed=TRUE))
        await stream.send(input_request(45_904, expect_compressed=FALSE), compress=False)
        assert (await stream.finish()).aggregated_payload_size == 73_086


async def server_compressed_streaming(channel: penstock.Channel) -> None:
    """Compressed and uncompressed replies of one call."""
    request = output_request([31_415, 92_653], compressed=[TRUE, FALSE])
    async with TestServiceClient(channel).streaming_output_call(request) as stream:
        replies = [(len(reply.payload.body), stream.came_compressed) async for reply in stream]
    assert replies == [(31_415, True), (92_653, False)]


async def _reply_is_compressed(channel: penstock.Channel, request: SimpleRequest) -> bool:
    call = TestServiceClient(channel).unary_call(request)
    assert len((await call).payload.body) == LARGE_RESPONSE_BYTES
    return call.came_compressed
