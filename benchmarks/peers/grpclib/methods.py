"""What both sides know of the methods: grpclib's own generator writes as much."""

from grpclib.const import Cardinality

__all__ = ["METHODS", "PATH"]

PATH = "/penstock.benchmarks.Bench/"

METHODS = {
    "Unary": Cardinality.UNARY_UNARY,
    "ServerStream": Cardinality.UNARY_STREAM,
    "ClientStream": Cardinality.STREAM_UNARY,
    "BothStream": Cardinality.STREAM_STREAM,
}
