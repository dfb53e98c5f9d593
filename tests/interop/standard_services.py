"""Imports our modules of the standard services and grpcio's in one process, and has each read what the other wrote.

`python -m tests.interop.standard_services ours theirs` or the other way round; it prints what it compared.
"""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

MODULES = ("grpc_health.v1.health_pb2", "grpc_reflection.v1alpha.reflection_pb2", "grpc_channelz.v1.channelz_pb2")
PREFIXES = {"ours": "penstock.services.", "theirs": ""}


def main(order: list[str]) -> None:
    """Import in this order, then compare."""
    modules = {side: [importlib.import_module(PREFIXES[side] + name) for name in MODULES] for side in order}
    for ours, theirs in zip(modules["ours"], modules["theirs"], strict=True):
        fields = [(message, field) for message in _messages(ours) for field in message.fields]
        for mine, field in fields:
            _read_each_other(mine, field, theirs)
        _same_methods(ours, theirs)
        sys.stdout.write(f"{ours.DESCRIPTOR.name}: {len(fields)} fields\n")


def _messages(module: ModuleType) -> Iterator[Descriptor]:
    for message in module.DESCRIPTOR.message_types_by_name.values():
        yield message
        yield from (nested for nested in message.nested_types if not nested.GetOptions().map_entry)


def _read_each_other(mine: Descriptor, field: FieldDescriptor, theirs: ModuleType) -> None:
    """Write a message with this field alone, and let it go to their class and back."""
    written = _filled(mine, field)
    read = GetMessageClass(theirs.DESCRIPTOR.pool.FindMessageTypeByName(mine.full_name)).FromString(
        written.SerializeToString()
    )
    # A field that they do not know would be kept, but not listed.
    assert [found.name for found, _ in read.ListFields()] == [field.name], field.full_name
    assert GetMessageClass(mine).FromString(read.SerializeToString()) == written, field.full_name


def _filled(mine: Descriptor, field: FieldDescriptor) -> Message:
    message = GetMessageClass(mine)()
    if field.message_type is None:
        value = _value(field)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    elif field.message_type.GetOptions().map_entry:
        getattr(message, field.name)["key"].SetInParent()
    elif field.is_repeated:
        getattr(message, field.name).add()
    else:
        getattr(message, field.name).SetInParent()
    return message


def _value(field: FieldDescriptor) -> object:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return b"x" if field.type == FieldDescriptor.TYPE_BYTES else "x"
    return 1


def _same_methods(ours: ModuleType, theirs: ModuleType) -> None:
    for service in ours.DESCRIPTOR.services_by_name.values():
        other = theirs.DESCRIPTOR.services_by_name[service.name]
        mine, their = (
            {
                (
                    method.full_name,
                    method.input_type.full_name,
                    method.output_type.full_name,
                    method.client_streaming,
                    method.server_streaming,
                )
                for method in one.methods
            }
            for one in (service, other)
        )
        assert mine == their, service.full_name


if __name__ == "__main__":
    main(sys.argv[1:])
