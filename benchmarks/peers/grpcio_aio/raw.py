"""The handlers of the service of bytes: nothing is encoded or decoded where grpcio is given no serializer."""

from collections.abc import AsyncIterator

import grpc

from benchmarks.work import RAW, RAW_MESSAGE, check

__all__ = ["raw_handlers"]

Context = grpc.aio.ServicerContext[bytes, bytes]


async def _server_stream(request: bytes, context: Context) -> AsyncIterator[bytes]:
    del context
    for _ in range(int(request)):
        yield RAW_MESSAGE


async def _client_stream(requests: AsyncIterator[bytes], context: Context) -> bytes:
    del context
    count = 0
    async for request in requests:
        if request != RAW_MESSAGE:
            check("request", request, RAW_MESSAGE)
        count += 1
    return b"%d" % count


def raw_handlers() -> grpc.GenericRpcHandler:
    """Give what a server takes beside its services."""
    return grpc.method_handlers_generic_handler(
        RAW,
        {
            "ServerStream": grpc.unary_stream_rpc_method_handler(_server_stream),
            "ClientStream": grpc.stream_unary_rpc_method_handler(_client_stream),
        },
    )
