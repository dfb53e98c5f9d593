# ruff: noqa: D102, N802 - names are those of the .proto, and it says what they do
"""The server."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.bench_pb2_grpc import BenchServicer, add_BenchServicer_to_server
from benchmarks.peers.grpcio_aio.options import OPTIONS
from benchmarks.programs import Own, server_options
from benchmarks.work import CONCURRENT_CALLS, RAW, RAW_MESSAGE, TEXT, announce, check

__all__ = ["Bench", "main"]

THREADS = CONCURRENT_CALLS
"""So that none of the calls made at once waits for one."""


class Bench(BenchServicer):
    """Handlers as generators."""

    def Unary(self, request: Request, context: grpc.ServicerContext) -> Reply:
        del context
        return Reply(text=request.text, blob=request.blob)

    def ServerStream(self, request: Request, context: grpc.ServicerContext) -> Iterator[Reply]:
        del context
        if request.blob_bytes:
            blob = bytes(request.blob_bytes)
            for _ in range(request.count):
                yield Reply(blob=blob)
        else:
            text = request.text
            for _ in range(request.count):
                yield Reply(text=text)

    def ClientStream(self, requests: Iterator[Request], context: grpc.ServicerContext) -> Reply:
        del context
        count = 0
        for request in requests:
            if request.text != TEXT and not request.blob:
                check("request", request.text, TEXT)
            count += 1
        return Reply(count=count)

    def BothStream(self, requests: Iterator[Request], context: grpc.ServicerContext) -> Iterator[Reply]:
        del context
        for request in requests:
            yield Reply(text=request.text, blob=request.blob)


def _raw_server_stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    del context
    for _ in range(int(request)):
        yield RAW_MESSAGE


def _raw_client_stream(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    del context
    count = 0
    for request in requests:
        if request != RAW_MESSAGE:
            check("request", request, RAW_MESSAGE)
        count += 1
    return b"%d" % count


def add_handlers(server: grpc.Server) -> None:
    """Let it serve both services."""
    add_BenchServicer_to_server(Bench(), server)
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "ServerStream": grpc.unary_stream_rpc_method_handler(_raw_server_stream),
        "ClientStream": grpc.stream_unary_rpc_method_handler(_raw_client_stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(RAW, handlers),))


def main(own: Own | None) -> None:
    """Serve until told to stop."""
    server = grpc.server(ThreadPoolExecutor(THREADS), options=OPTIONS)
    add_handlers(server)
    if own:
        credentials = grpc.ssl_server_credentials([(own.key.read_bytes(), own.certificate.read_bytes())])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    announce(f"127.0.0.1:{port}")
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main(server_options().own)
