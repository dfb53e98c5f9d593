"""What is sent in the standard cases: sizes, values and requests. Source: gRPC interop-test-descriptions.md."""

from collections.abc import Sequence
from typing import Any

from tests.protos.grpc_testing_pb2 import (
    BoolValue,
    EchoStatus,
    Payload,
    ResponseParameters,
    SimpleRequest,
    StreamingInputCallRequest,
    StreamingOutputCallRequest,
)

LARGE_REQUEST_BYTES = 271_828
LARGE_RESPONSE_BYTES = 314_159

REQUEST_BYTES = (27_182, 8, 1_828, 45_904)
RESPONSE_BYTES = (31_415, 9, 2_653, 58_979)

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"
INITIAL_VALUE = "test_initial_metadata_value"
TRAILING_VALUE = b"\xab\xab\xab"

STATUS = EchoStatus(code=2, message="test status message")
SPECIAL_STATUS = EchoStatus(
    code=2, message="\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
)

TRUE, FALSE = BoolValue(value=True), BoolValue(value=False)


def payload(size: int) -> Payload:
    """Make a payload of zeros."""
    return Payload(body=bytes(size))


def large_request(**fields: Any) -> SimpleRequest:
    """Make the request of `large_unary` and its relatives."""
    return SimpleRequest(response_size=LARGE_RESPONSE_BYTES, payload=payload(LARGE_REQUEST_BYTES), **fields)


def input_request(size: int, **fields: Any) -> StreamingInputCallRequest:
    """Make a request of which the server counts the bytes."""
    return StreamingInputCallRequest(payload=payload(size), **fields)


def output_request(
    sizes: Sequence[int] = (), *, compressed: Sequence[BoolValue | None] | None = None, **fields: Any
) -> StreamingOutputCallRequest:
    """Make a request for responses of these sizes."""
    parameters = [
        ResponseParameters(size=size, compressed=flag)
        for size, flag in zip(sizes, compressed or [None] * len(sizes), strict=True)
    ]
    return StreamingOutputCallRequest(response_parameters=parameters, **fields)


def ping(request_bytes: int, response_bytes: int) -> StreamingOutputCallRequest:
    """Make a request of one size for a response of another."""
    return output_request([response_bytes], payload=payload(request_bytes))
