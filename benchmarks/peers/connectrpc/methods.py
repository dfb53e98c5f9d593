"""What both sides know of the methods: connectrpc's own generator writes as much."""

from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType

from benchmarks.bench_pb2 import Reply, Request

__all__ = ["BOTH_STREAM", "CLIENT_STREAM", "SERVER_STREAM", "SERVICE", "UNARY"]

SERVICE = "penstock.benchmarks.Bench"


def _method(name: str, kind: StreamType) -> "MethodInfo[Request, Reply]":
    return MethodInfo(
        name=name,
        service_name=SERVICE,
        input=Request,
        output=Reply,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=kind,
    )


UNARY = _method("Unary", StreamType.UNARY)
SERVER_STREAM = _method("ServerStream", StreamType.SERVER_STREAM)
CLIENT_STREAM = _method("ClientStream", StreamType.CLIENT_STREAM)
BOTH_STREAM = _method("BothStream", StreamType.BIDI_STREAM)
