"""What the generated code says, without its wording: services and rpcs with their Python names chosen."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto

from penstock.codegen.comments import Comments
from penstock.codegen.errors import GeneratorError
from penstock.codegen.messages import MessageNames
from penstock.codegen.names import constant_name, method_name, snake_case

__all__ = ["RESERVED_METHOD_NAMES", "Cardinality", "MethodSchema", "ServiceSchema", "read_services"]

RESERVED_METHOD_NAMES = frozenset({"bool", "float", "penstock"})
"""Names that the annotations in a generated class use: a method of that name would hide them from type checkers.

Names in capitals or with a leading underscore (`METHODS`, `_channel`) need no place here: no rpc gets one.
"""


class Cardinality(Enum):
    """How many messages go each way; the value names the member of `penstock.Kind`."""

    UNARY = "UNARY"
    SERVER_STREAM = "SERVER_STREAM"
    CLIENT_STREAM = "CLIENT_STREAM"
    BOTH_STREAM = "BOTH_STREAM"

    @classmethod
    def of(cls, rpc: MethodDescriptorProto) -> "Cardinality":
        """Read it from the `stream` words of an rpc."""
        if rpc.client_streaming:
            return cls.BOTH_STREAM if rpc.server_streaming else cls.CLIENT_STREAM
        return cls.SERVER_STREAM if rpc.server_streaming else cls.UNARY


@dataclass(frozen=True, slots=True)
class MethodSchema:
    """One rpc."""

    name: str
    """Python name."""
    constant: str
    """The constant of the file that holds its `penstock.Method`."""
    path: str
    """`:path` on the wire: /package.Service/Method."""
    cardinality: Cardinality
    request: str
    """Annotation of the request."""
    reply: str
    """Annotation of the reply."""
    request_class: str
    """Expression for the class of the request."""
    reply_class: str
    """Expression for the class of the reply."""
    comment: str
    """Text of the .proto, or empty."""


@dataclass(frozen=True, slots=True)
class ServiceSchema:
    """One service."""

    name: str
    """As the .proto has it, without its package."""
    full_name: str
    """With its package."""
    methods: Sequence[MethodSchema]
    """In the order of the .proto."""
    comment: str
    """Text of the .proto, or empty."""


def read_services(file: FileDescriptorProto, names: MessageNames) -> Sequence[ServiceSchema]:
    """Read the services of a file.

    Args:
        file: Descriptor with source_code_info, if there are to be comments.
        names: Learns every message mentioned.

    Raises:
        GeneratorError: Two rpcs of a service get the same Python name.
    """
    for service in file.service:
        for rpc in service.method:
            names.expression(rpc.input_type)
            names.expression(rpc.output_type)
    reserved = RESERVED_METHOD_NAMES | names.variables()
    python_names = [_method_names(file.name, service, reserved) for service in file.service]
    constants = _constants([service.name for service in file.service], python_names)
    comments = Comments(file)
    return [
        ServiceSchema(
            name=service.name,
            full_name=_full_name(file, service),
            methods=[
                _method(rpc, _full_name(file, service), names, name, constants[index, name], comment)
                for number, (rpc, name) in enumerate(zip(service.method, python_names[index], strict=True))
                for comment in [comments.method(index, number)]
            ],
            comment=comments.service(index),
        )
        for index, service in enumerate(file.service)
    ]


def _method(
    rpc: MethodDescriptorProto, service: str, names: MessageNames, name: str, constant: str, comment: str
) -> MethodSchema:
    return MethodSchema(
        name=name,
        constant=constant,
        path=f"/{service}/{rpc.name}",
        cardinality=Cardinality.of(rpc),
        request=names.annotation(rpc.input_type),
        reply=names.annotation(rpc.output_type),
        request_class=names.expression(rpc.input_type),
        reply_class=names.expression(rpc.output_type),
        comment=comment,
    )


def _full_name(file: FileDescriptorProto, service: ServiceDescriptorProto) -> str:
    return f"{file.package}.{service.name}" if file.package else service.name


def _method_names(proto_path: str, service: ServiceDescriptorProto, reserved: Collection[str]) -> Sequence[str]:
    rpc_names: dict[str, str] = {}
    for rpc in service.method:
        name = method_name(rpc.name, reserved)
        if name in rpc_names:
            both = f"{proto_path}: service {service.name}: rpc {rpc_names[name]} and rpc {rpc.name}"
            raise GeneratorError(f"{both} would both be the Python method {name}; rename one of them")
        rpc_names[name] = rpc.name
    return list(rpc_names)


def _constants(services: Sequence[str], python_names: Sequence[Sequence[str]]) -> dict[tuple[int, str], str]:
    """Choose a constant for each rpc: its own name where one rpc of the file has it, else with its service's before it.

    Returns:
        (index of the service, Python name) -> constant.
    """
    places = [(index, name) for index, names in enumerate(python_names) for name in names]
    uses = Counter(constant_name(name) for _, name in places)
    chosen = {place: constant_name(place[1]) for place in places if uses[constant_name(place[1])] == 1}
    for index, name in places:
        if (index, name) not in chosen:
            constant = constant_name(snake_case(services[index]), name)
            while constant in chosen.values():
                constant += "_"
            chosen[index, name] = constant
    return chosen
