"""The descriptor pool of the standard services' messages.

Each implementation of gRPC ships these .proto files, in the release of its day. In the pool that a process shares, two
releases would be two definitions of one name, which is an error at import. In a pool of our own they meet nobody:
`grpc_health`, `grpc_reflection` and `grpc_channelz` of any release can be imported beside them.
"""

from google.protobuf import any_pb2, duration_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pool import DescriptorPool

__all__ = ["POOL"]


def _with_imports() -> DescriptorPool:
    pool = DescriptorPool()
    for module in (any_pb2, duration_pb2, timestamp_pb2, wrappers_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


POOL = _with_imports()
"""Holds the files of `proto/grpc` whose modules were imported, and what they import themselves."""
