"""Written by hand: grpcio-tools writes no types. It has what the benchmarks use."""

import grpc

from benchmarks.bench_pb2 import Reply, Request

class BenchStub:
    Unary: grpc.aio.UnaryUnaryMultiCallable[Request, Reply]
    ServerStream: grpc.aio.UnaryStreamMultiCallable[Request, Reply]
    ClientStream: grpc.aio.StreamUnaryMultiCallable[Request, Reply]
    BothStream: grpc.aio.StreamStreamMultiCallable[Request, Reply]
    Subscribe: grpc.aio.UnaryStreamMultiCallable[Request, Reply]
    Publish: grpc.aio.UnaryUnaryMultiCallable[Request, Reply]

    def __init__(self, channel: grpc.aio.Channel | grpc.Channel) -> None: ...

class BenchServicer: ...

def add_BenchServicer_to_server(servicer: BenchServicer, server: grpc.aio.Server | grpc.Server) -> None: ...  # noqa: N802 - generated name
