"""What both of grpcio's servers share."""

from collections.abc import Callable
from typing import Any

import grpc

from examples.leak.feed import KEEPALIVE_SECONDS
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp


def methods(handler: Callable[..., Any]) -> grpc.GenericRpcHandler:
    """Register a handler of the tutorial's `ServerStream`, as generated code does."""
    return grpc.method_handlers_generic_handler(
        "helloworld.ServerStreamServer",
        {
            "ServerStream": grpc.unary_stream_rpc_method_handler(
                handler,
                request_deserializer=ServerStreamReq.FromString,
                response_serializer=ServerStreamResp.SerializeToString,
            )
        },
    )


def keepalive() -> list[tuple[str, int]]:
    """Give the options of a server that looks for silent peers."""
    milliseconds = round(KEEPALIVE_SECONDS * 1000)
    return [
        ("grpc.keepalive_time_ms", milliseconds),
        ("grpc.keepalive_timeout_ms", milliseconds),
        # What grpcio 1.85.1 really waits for the answer, a minute unless told; the line above alone changes nothing.
        ("grpc.http2.ping_timeout_ms", milliseconds),
        ("grpc.http2.max_pings_without_data", 0),
    ]
