"""How generated code names a message: the module protoc writes for it, and the path inside that module."""

import keyword
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from penstock.codegen.modules import Import, as_variable, module_alias, module_name, needs_importlib, parent_package

__all__ = ["Message", "MessageNames", "index_messages"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message type and where protoc puts its class."""

    proto_path: str
    """The .proto file that declares it."""
    path: Sequence[str]
    """Its name inside the file, outermost message first."""


def index_messages(files: Iterable[FileDescriptorProto]) -> Mapping[str, Message]:
    """Find every message of some files, nested ones too.

    Returns:
        Full name as descriptors write it (`.package.Outer.Inner`) -> message.
    """
    return {
        f".{file.package}.{name}" if file.package else f".{name}": Message(file.name, path)
        for file in files
        for path in _paths(file.message_type, ())
        for name in [".".join(path)]
    }


def _paths(messages: Iterable[DescriptorProto], outer: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for message in messages:
        path = (*outer, message.name)
        yield path
        yield from _paths(message.nested_type, path)


class MessageNames:
    """Names the messages that one generated file mentions, and so learns what the file must import."""

    def __init__(self, proto_path: str, messages: Mapping[str, Message], relative: Collection[str]) -> None:
        """Start with nothing imported.

        Args:
            proto_path: The .proto the file is generated for.
            messages: What `index_messages` found in it and in everything it imports.
            relative: The .proto files whose modules are imported relatively, from the package of the file.
        """
        self._proto_path = proto_path
        self._messages = messages
        self._relative = relative
        self._mentioned: set[str] = set()
        others = {message.proto_path for message in messages.values()} - {proto_path}
        self._taken = {module_alias(module_name(path)) for path in others}

    def annotation(self, full_name: str) -> str:
        """Give what stands for the message in a type annotation.

        `Any` where a keyword in its name or module leaves no expression that a type checker understands.
        """
        message = self._messages[full_name]
        if needs_importlib(module_name(message.proto_path)) or any(map(keyword.iskeyword, message.path)):
            return "Any"
        return self.expression(full_name)

    def expression(self, full_name: str) -> str:
        """Give the expression whose value is the class of the message."""
        message = self._messages[full_name]
        self._mentioned.add(message.proto_path)
        text = self._variable(message.proto_path)
        for part in message.path:
            text = f'getattr({text}, "{part}")' if keyword.iskeyword(part) else f"{text}.{part}"
        return text

    def variables(self) -> frozenset[str]:
        """Give the variables that hold the modules mentioned so far."""
        return frozenset(map(self._variable, self._mentioned))

    def imports(self) -> Sequence[Import]:
        """Give the imports that bind those variables: absolute ones first, each kind in isort's order."""
        package = parent_package(module_name(self._proto_path))
        found = [
            Import(module_name(path), self._variable(path), importer=package if path in self._relative else None)
            for path in self._mentioned
        ]
        return sorted(found, key=Import.sort_key)

    def _variable(self, proto_path: str) -> str:
        module = module_name(proto_path)
        # The file's own messages are most of what it says: they get the plain name, if no other module has it.
        plain = as_variable(module.rpartition(".")[2])
        return plain if proto_path == self._proto_path and plain not in self._taken else module_alias(module)
