"""The test service on grpcio's asyncio server, which leaves messages as they came (flags.py)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc

from tests.interop.standard.grpcio.flags import AS_IT_CAME, Received, reader
from tests.interop.standard.messages import ECHO_INITIAL, ECHO_TRAILING, payload
from tests.interop.standard.target import Certificates, Target
from tests.protos.grpc_testing_pb2 import (
    BoolValue,
    EchoStatus,
    Empty,
    ResponseParameters,
    SimpleRequest,
    SimpleResponse,
    StreamingInputCallRequest,
    StreamingInputCallResponse,
    StreamingOutputCallRequest,
    StreamingOutputCallResponse,
)

CODES = {code.value[0]: code for code in grpc.StatusCode}


async def empty_call(_request: Received[Empty], _context: Any) -> Empty:
    """Answer nothing with nothing."""
    return Empty()


async def unary_call(received: Received[SimpleRequest], context: Any) -> SimpleResponse:
    """Answer one payload with another."""
    request = received.message
    await _echo_metadata(context)
    if request.response_compressed.value:
        context.set_compression(grpc.Compression.Gzip)
        # Unless it is sent from here, the initial metadata of a unary call says nothing of the compression.
        await context.send_initial_metadata(())
    if request.HasField("expect_compressed"):
        await _check_compressed(received, request.expect_compressed, context)
    await _end_as_asked(request.response_status, context)
    return SimpleResponse(payload=payload(request.response_size))


async def streaming_output_call(
    received: Received[StreamingOutputCallRequest], context: Any
) -> AsyncIterator[StreamingOutputCallResponse]:
    """Answer with a payload for each of the parameters."""
    async for response in _responses(received.message.response_parameters, context):
        yield response


async def streaming_input_call(
    requests: AsyncIterator[Received[StreamingInputCallRequest]], context: Any
) -> StreamingInputCallResponse:
    """Count the bytes."""
    total = 0
    async for received in requests:
        if received.message.HasField("expect_compressed"):
            await _check_compressed(received, received.message.expect_compressed, context)
        total += len(received.message.payload.body)
    return StreamingInputCallResponse(aggregated_payload_size=total)


async def full_duplex_call(
    requests: AsyncIterator[Received[StreamingOutputCallRequest]], context: Any
) -> AsyncIterator[StreamingOutputCallResponse]:
    """Answer each request as it comes."""
    await _echo_metadata(context)
    async for received in requests:
        await _end_as_asked(received.message.response_status, context)
        async for response in _responses(received.message.response_parameters, context):
            yield response


async def _responses(
    parameters: Sequence[ResponseParameters], context: Any
) -> AsyncIterator[StreamingOutputCallResponse]:
    compresses = any(wanted.compressed.value for wanted in parameters)
    if compresses:
        context.set_compression(grpc.Compression.Gzip)
    for wanted in parameters:
        if wanted.interval_us:
            await asyncio.sleep(wanted.interval_us / 1e6)  # real time: a pause is what the client asked for
        if compresses and not wanted.compressed.value:
            context.disable_next_message_compression()
        yield StreamingOutputCallResponse(payload=payload(wanted.size))


async def _echo_metadata(context: Any) -> None:
    given = dict(context.invocation_metadata())
    if ECHO_INITIAL in given:
        await context.send_initial_metadata([(ECHO_INITIAL, given[ECHO_INITIAL])])
    if ECHO_TRAILING in given:
        context.set_trailing_metadata([(ECHO_TRAILING, given[ECHO_TRAILING])])


async def _check_compressed(received: Received[Any], expected: BoolValue, context: Any) -> None:
    if received.compressed != expected.value:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"compressed: {received.compressed}")


async def _end_as_asked(status: EchoStatus, context: Any) -> None:
    if status.code:
        await context.abort(CODES[status.code], status.message)


HANDLERS: dict[str, "grpc.RpcMethodHandler[Any, Any]"] = {
    "EmptyCall": grpc.unary_unary_rpc_method_handler(empty_call, reader(Empty.FromString), Empty.SerializeToString),
    "UnaryCall": grpc.unary_unary_rpc_method_handler(
        unary_call, reader(SimpleRequest.FromString), SimpleResponse.SerializeToString
    ),
    "StreamingOutputCall": grpc.unary_stream_rpc_method_handler(
        streaming_output_call,
        reader(StreamingOutputCallRequest.FromString),
        StreamingOutputCallResponse.SerializeToString,
    ),
    "StreamingInputCall": grpc.stream_unary_rpc_method_handler(
        streaming_input_call,
        reader(StreamingInputCallRequest.FromString),
        StreamingInputCallResponse.SerializeToString,
    ),
    "FullDuplexCall": grpc.stream_stream_rpc_method_handler(
        full_duplex_call,
        reader(StreamingOutputCallRequest.FromString),
        StreamingOutputCallResponse.SerializeToString,
    ),
}


@asynccontextmanager
async def serving(certificates: Certificates | None) -> AsyncIterator[Target]:
    """Serve on a free port."""
    server = grpc.aio.server(options=AS_IT_CAME)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.testing.TestService", HANDLERS)])
    if certificates is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (certificates.key.read_bytes(), certificates.chain.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    try:
        yield Target(f"127.0.0.1:{port}", certificates)
    finally:
        await server.stop(0)
