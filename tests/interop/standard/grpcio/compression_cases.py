"""The compressed cases. Their channel leaves messages as they came (flags.py)."""

import os
from collections.abc import Sequence

import grpc
import pytest

from tests.interop.standard.grpcio.flags import Received, reader
from tests.interop.standard.messages import (
    FALSE,
    LARGE_RESPONSE_BYTES,
    TRUE,
    input_request,
    large_request,
    output_request,
)
from tests.protos.grpc_testing_pb2 import (
    Payload,
    SimpleRequest,
    SimpleResponse,
    StreamingInputCallRequest,
    StreamingInputCallResponse,
    StreamingOutputCallRequest,
    StreamingOutputCallResponse,
)

GZIP = grpc.Compression.Gzip


async def client_compressed_unary(channel: grpc.aio.Channel) -> None:
    """The server sees whether a request was compressed; the probe shows that it looks."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _unary(channel, large_request(expect_compressed=TRUE))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    await client_compressed_unary_noprobe(channel)


async def client_compressed_unary_noprobe(channel: grpc.aio.Channel) -> None:
    """The server need not look: it understands either."""
    await _unary(channel, large_request(expect_compressed=TRUE), GZIP)
    await _unary(channel, large_request(expect_compressed=FALSE))


async def server_compressed_unary(channel: grpc.aio.Channel) -> None:
    """A reply comes as it was asked for."""
    assert (await _unary(channel, large_request(response_compressed=TRUE))).compressed
    assert not (await _unary(channel, large_request(response_compressed=FALSE))).compressed


async def client_compressed_streaming(channel: grpc.aio.Channel) -> None:
    """Compressed and uncompressed requests of one call."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _upload(channel, [input_request(27_182, expect_compressed=TRUE)], None)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    await client_compressed_streaming_noprobe(channel)


async def client_compressed_streaming_noprobe(channel: grpc.aio.Channel) -> None:
    """The server need not look: it understands either."""
    compressed = input_request(27_182, expect_compressed=TRUE)
    # grpcio has no switch for a single request, but sends what does not get smaller as it is.
    plain = StreamingInputCallRequest(payload=Payload(body=os.urandom(45_904)), expect_compressed=FALSE)
    assert (await _upload(channel, [compressed, plain], GZIP)).aggregated_payload_size == 73_086


async def server_compressed_streaming(channel: grpc.aio.Channel) -> None:
    """Compressed and uncompressed replies of one call."""
    method = channel.unary_stream(
        "/grpc.testing.TestService/StreamingOutputCall",
        StreamingOutputCallRequest.SerializeToString,
        reader(StreamingOutputCallResponse.FromString),
    )
    replies = [reply async for reply in method(output_request([31_415, 92_653], compressed=[TRUE, FALSE]))]
    assert [(len(reply.message.payload.body), reply.compressed) for reply in replies] == [
        (31_415, True),
        (92_653, False),
    ]


async def _unary(
    channel: grpc.aio.Channel, request: SimpleRequest, compression: grpc.Compression | None = None
) -> Received[SimpleResponse]:
    method = channel.unary_unary(
        "/grpc.testing.TestService/UnaryCall", SimpleRequest.SerializeToString, reader(SimpleResponse.FromString)
    )
    reply: Received[SimpleResponse] = await method(request, compression=compression)
    assert len(reply.message.payload.body) == LARGE_RESPONSE_BYTES
    return reply


async def _upload(
    channel: grpc.aio.Channel, requests: Sequence[StreamingInputCallRequest], compression: grpc.Compression | None
) -> StreamingInputCallResponse:
    method = channel.stream_unary(
        "/grpc.testing.TestService/StreamingInputCall",
        StreamingInputCallRequest.SerializeToString,
        StreamingInputCallResponse.FromString,
    )
    reply: StreamingInputCallResponse = await method(iter(requests), compression=compression)
    return reply
