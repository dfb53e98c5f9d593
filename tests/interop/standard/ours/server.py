"""The test service on our server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Never

import penstock
from tests.interop.standard.messages import ECHO_INITIAL, ECHO_TRAILING, payload
from tests.interop.standard.target import Certificates, Target
from tests.protos.grpc_testing_pb2 import (
    COMPRESSABLE,
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
from tests.protos.grpc_testing_penstock import TestServiceBase

CLOSING_SECONDS = 5.0
"""What the server gets to hear that a client has left its last call."""


class TestService(TestServiceBase):
    """What a client asks for is done; `unimplemented_call` stays as it was generated."""

    async def empty_call(self, request: Empty, call: penstock.ServerCall) -> Empty:
        """Answer nothing with nothing."""
        return Empty()

    async def unary_call(self, request: SimpleRequest, call: penstock.ServerCall) -> SimpleResponse:
        """Answer one payload with another."""
        if request.response_compressed.value:
            call.set_compression(penstock.Compression.GZIP)
        await _echo_metadata(call)
        _check_supported(request.response_type)
        if request.HasField("expect_compressed"):
            _check_compressed(call, request.expect_compressed)
        _end_as_asked(request.response_status)
        return SimpleResponse(payload=payload(request.response_size))

    async def cacheable_unary_call(self, request: SimpleRequest, call: penstock.ServerCall) -> SimpleResponse:
        """Nothing is cached here."""
        return await self.unary_call(request, call)

    async def streaming_output_call(
        self,
        request: StreamingOutputCallRequest,
        stream: penstock.ServerStream[Never, StreamingOutputCallResponse],
    ) -> None:
        """Answer with a payload for each of the parameters."""
        _check_supported(request.response_type)
        _end_as_asked(request.response_status)
        await _send_payloads(stream, request.response_parameters)

    async def streaming_input_call(
        self, stream: penstock.ServerStream[StreamingInputCallRequest, Never]
    ) -> StreamingInputCallResponse:
        """Count the bytes."""
        total = 0
        async for request in stream:
            if request.HasField("expect_compressed"):
                _check_compressed(stream, request.expect_compressed)
            total += len(request.payload.body)
        return StreamingInputCallResponse(aggregated_payload_size=total)

    async def full_duplex_call(
        self, stream: penstock.ServerStream[StreamingOutputCallRequest, StreamingOutputCallResponse]
    ) -> None:
        """Answer each request as it comes."""
        await _echo_metadata(stream)
        async for request in stream:
            _check_supported(request.response_type)
            _end_as_asked(request.response_status)
            await _send_payloads(stream, request.response_parameters)

    async def half_duplex_call(
        self, stream: penstock.ServerStream[StreamingOutputCallRequest, StreamingOutputCallResponse]
    ) -> None:
        """Answer all requests after the last one."""
        for request in [request async for request in stream]:
            await _send_payloads(stream, request.response_parameters)


async def _echo_metadata(call: penstock.ServerStream[Any, Any]) -> None:
    if initial := call.metadata.get_all(ECHO_INITIAL):
        await call.send_initial_metadata([(ECHO_INITIAL, value) for value in initial])
    for value in call.metadata.get_all(ECHO_TRAILING):
        call.trailing_metadata.add(ECHO_TRAILING, value)


def _check_supported(response_type: int) -> None:
    if response_type != COMPRESSABLE:
        raise penstock.RpcError(penstock.StatusCode.INVALID_ARGUMENT, f"there is no payload of type {response_type}")


def _check_compressed(call: penstock.ServerStream[Any, Any], expected: BoolValue) -> None:
    if call.came_compressed != expected.value:
        raise penstock.RpcError(penstock.StatusCode.INVALID_ARGUMENT, f"compressed: {call.came_compressed}")


def _end_as_asked(status: EchoStatus) -> None:
    if status.code:
        raise penstock.RpcError(penstock.StatusCode(status.code), status.message)


async def _send_payloads(
    stream: penstock.ServerStream[Any, StreamingOutputCallResponse], parameters: Sequence[ResponseParameters]
) -> None:
    if any(wanted.compressed.value for wanted in parameters):
        stream.set_compression(penstock.Compression.GZIP)
    for wanted in parameters:
        if wanted.interval_us:
            await asyncio.sleep(wanted.interval_us / 1e6)  # real time: a pause is what the client asked for
        await stream.send(StreamingOutputCallResponse(payload=payload(wanted.size)), compress=wanted.compressed.value)


@asynccontextmanager
async def serving(certificates: Certificates | None) -> AsyncIterator[Target]:
    """Serve on a free port."""
    async with listening(penstock.Server([TestService()]), certificates) as target:
        yield target


@asynccontextmanager
async def listening(server: penstock.Server, certificates: Certificates | None) -> AsyncIterator[Target]:
    """Listen on a free port; in the end the server must hold no call any more."""
    tls = None if certificates is None else penstock.tls.server_context(certificates.chain, certificates.key)
    async with server.listening("127.0.0.1:0", tls=tls) as address:
        yield Target(address, certificates)
        async with asyncio.timeout(CLOSING_SECONDS):
            while any(connection.calls or connection.engine.open_calls for connection in server._core.connections):  # noqa: ASYNC110 - nobody sets an event
                await asyncio.sleep(0.001)  # real time: so the counts are looked at again
