"""Details of a status: `google.rpc.Status` in `grpc-status-details-bin`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

    from penstock.status import StatusCode

KEY = "grpc-status-details-bin"


def _make_status_class() -> type[Any]:
    # Wire-compatible with google.rpc.Status, in a pool of its own: the name stays free for packages that bring it.
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="penstock/status.proto", package="penstock", syntax="proto3")
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    status.field.add(name="details", number=3, type=field.TYPE_BYTES, label=field.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("penstock.Status"))


_Status = _make_status_class()


def pack(code: StatusCode, message: str, details: Iterable[Message]) -> bytes:
    """Serialize; a message that is no `Any` is packed into one."""
    packed = []
    for detail in details:
        if isinstance(detail, any_pb2.Any):
            packed.append(detail.SerializeToString())
        else:
            wrapped = any_pb2.Any()
            wrapped.Pack(detail)
            packed.append(wrapped.SerializeToString())
    data: bytes = _Status(code=int(code), message=message, details=packed).SerializeToString()
    return data


def unpack(data: bytes) -> tuple[any_pb2.Any, ...]:
    """The details in `data`; none if it is no `google.rpc.Status` (the status itself stands in its own headers)."""
    try:
        return tuple(any_pb2.Any.FromString(detail) for detail in _Status.FromString(data).details)
    except DecodeError:
        return ()
