"""Cases about how calls end: statuses, cancelling, deadlines."""

import pytest

import penstock
from penstock import StatusCode
from tests.interop.standard.messages import SPECIAL_STATUS, STATUS, payload, ping
from tests.protos.grpc_testing_pb2 import EchoStatus, Empty, SimpleRequest, StreamingOutputCallRequest
from tests.protos.grpc_testing_penstock import TestServiceClient, UnimplementedServiceClient


async def status_code_and_message(channel: penstock.Channel) -> None:
    """A status reaches the client as the server said it."""
    client = TestServiceClient(channel)
    with pytest.raises(penstock.RpcError) as caught:
        await client.unary_call(SimpleRequest(response_status=STATUS))
    _check_status(caught.value, STATUS)

    async with client.full_duplex_call() as stream:
        await stream.send(StreamingOutputCallRequest(response_status=STATUS))
        await stream.end_sending()
        with pytest.raises(penstock.RpcError) as caught:
            await stream.receive()
    _check_status(caught.value, STATUS)


async def special_status_message(channel: penstock.Channel) -> None:
    """White space and any script survive in the message."""
    with pytest.raises(penstock.RpcError) as caught:
        await TestServiceClient(channel).unary_call(SimpleRequest(response_status=SPECIAL_STATUS))
    _check_status(caught.value, SPECIAL_STATUS)


async def unimplemented_method(channel: penstock.Channel) -> None:
    """The server knows the service and does not implement the method."""
    with pytest.raises(penstock.RpcError) as caught:
        await TestServiceClient(channel).unimplemented_call(Empty())
    assert caught.value.code == StatusCode.UNIMPLEMENTED


async def unimplemented_service(channel: penstock.Channel) -> None:
    """The server does not know the service."""
    with pytest.raises(penstock.RpcError) as caught:
        await UnimplementedServiceClient(channel).unimplemented_call(Empty())
    assert caught.value.code == StatusCode.UNIMPLEMENTED


async def cancel_after_begin(channel: penstock.Channel) -> None:
    """The call has begun, nothing was sent."""
    async with TestServiceClient(channel).streaming_input_call() as stream:
        stream.cancel()
        with pytest.raises(penstock.Cancelled):
            await stream.finish()
    assert stream.status is not None
    assert stream.status.code == StatusCode.CANCELLED


async def cancel_after_first_response(channel: penstock.Channel) -> None:
    """The call is in full swing."""
    async with TestServiceClient(channel).full_duplex_call() as stream:
        await stream.send(ping(27_182, 31_415))
        assert len((await stream.receive()).payload.body) == 31_415
        stream.cancel()
        with pytest.raises(penstock.Cancelled):
            await stream.receive()
    assert stream.status is not None
    assert stream.status.code == StatusCode.CANCELLED


async def timeout_on_sleeping_server(channel: penstock.Channel) -> None:
    """The server waits for more, the client does not."""
    with pytest.raises(penstock.DeadlineExceeded):
        async with TestServiceClient(channel).full_duplex_call(timeout=0.001) as stream:
            await stream.send(StreamingOutputCallRequest(payload=payload(27_182)))
            await stream.receive()


def _check_status(error: penstock.RpcError, status: EchoStatus) -> None:
    assert (error.code, error.message) == (status.code, status.message)
