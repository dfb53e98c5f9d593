"""Cases about how calls end: statuses, cancelling, deadlines."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.interop.standard.messages import SPECIAL_STATUS, STATUS, payload, ping
from tests.protos.grpc_testing_pb2 import (
    EchoStatus,
    Empty,
    ResponseParameters,
    SimpleRequest,
    StreamingOutputCallRequest,
    StreamingOutputCallResponse,
)
from tests.protos.grpc_testing_pb2_grpc import TestServiceStub, UnimplementedServiceStub


async def status_code_and_message(channel: grpc.aio.Channel) -> None:
    """A status reaches the client as the server said it."""
    stub = TestServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.UnaryCall(SimpleRequest(response_status=STATUS))
    _check_status(caught.value, STATUS)

    call = stub.FullDuplexCall()
    await call.write(StreamingOutputCallRequest(response_status=STATUS))
    await call.done_writing()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    _check_status(caught.value, STATUS)


async def special_status_message(channel: grpc.aio.Channel) -> None:
    """White space and any script survive in the message."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await TestServiceStub(channel).UnaryCall(SimpleRequest(response_status=SPECIAL_STATUS))
    _check_status(caught.value, SPECIAL_STATUS)


async def unimplemented_method(channel: grpc.aio.Channel) -> None:
    """The server knows the service and does not implement the method."""
    await _check_unimplemented(TestServiceStub(channel))


async def unimplemented_service(channel: grpc.aio.Channel) -> None:
    """The server does not know the service."""
    await _check_unimplemented(UnimplementedServiceStub(channel))


async def cancel_after_begin(channel: grpc.aio.Channel) -> None:
    """The call has begun, nothing was sent."""
    call = TestServiceStub(channel).StreamingInputCall()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await call.code() == grpc.StatusCode.CANCELLED


async def cancel_after_first_response(channel: grpc.aio.Channel) -> None:
    """The call is in full swing."""
    call = TestServiceStub(channel).FullDuplexCall()
    await call.write(ping(27_182, 31_415))
    assert len((await call.read()).payload.body) == 31_415
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    assert await call.code() == grpc.StatusCode.CANCELLED


async def timeout_on_sleeping_server(channel: grpc.aio.Channel) -> None:
    """The server sleeps longer than the client waits."""
    # When a call ends while the asyncio client writes, its status is lost. As a call of one request it writes at once;
    # the server has to sleep then, for it waits for no second request.
    method = channel.unary_stream(
        "/grpc.testing.TestService/FullDuplexCall",
        StreamingOutputCallRequest.SerializeToString,
        StreamingOutputCallResponse.FromString,
    )
    asleep = ResponseParameters(size=1, interval_us=1_000_000)
    request = StreamingOutputCallRequest(payload=payload(27_182), response_parameters=[asleep])
    call = method(request, timeout=0.001)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def _check_unimplemented(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.UnimplementedCall(Empty())
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def _check_status(error: grpc.aio.AioRpcError, status: EchoStatus) -> None:
    assert (error.code().value[0], error.details()) == (status.code, status.message)
