"""Modules that protoc writes for .proto files, and the statements that import them."""

import keyword
import re
from dataclasses import dataclass

__all__ = [
    "Import",
    "as_variable",
    "module_alias",
    "module_name",
    "needs_importlib",
    "parent_package",
    "relative_package",
]

_NOT_IN_NAMES = re.compile(r"\W")


def module_name(proto_path: str, suffix: str = "_pb2") -> str:
    """Give the module protoc writes for a .proto: a/b-c.proto becomes a.b_c_pb2.

    Args:
        proto_path: As protoc knows it: relative to the proto path, with slashes.
        suffix: `_pb2` for messages, `_penstock` for services.

    Source: protobuf, src/google/protobuf/compiler/python/helpers.cc, ModuleName.
    """
    stem = proto_path.removesuffix(".proto").removesuffix(".protodevel")
    return stem.replace("-", "_").replace("/", ".") + suffix


def module_alias(module: str) -> str:
    """Give the name protoc binds an imported module to: a.b_c_pb2 becomes a_dot_b__c__pb2.

    What no name can hold, such as a space or a digit at the front, becomes an underscore or gets one: there protoc's
    own name is no Python.

    Source: protobuf, src/google/protobuf/compiler/python/helpers.cc, ModuleAlias.
    """
    return as_variable(module.replace("_", "__").replace(".", "_dot_"))


def as_variable(name: str) -> str:
    """Turn a text into a name that Python accepts; most stay as they are."""
    name = _NOT_IN_NAMES.sub("_", name)
    return name if name.isidentifier() else f"_{name}"


def needs_importlib(module: str) -> bool:
    """Tell whether no import statement can name the module (a folder called `class`, a file called `1st`)."""
    return any(keyword.iskeyword(part) or not part.isidentifier() for part in module.split("."))


def parent_package(module: str) -> str:
    """Give the package a module is in: a.b for a.b.c, empty for a module at the top."""
    return module.rpartition(".")[0]


def relative_package(package: str, importer: str) -> str:
    """Write a package as it is seen from another one: a.b from a.c becomes ..b, a package from itself a dot.

    Both names count from the same folder, the one that the generated files go to.
    """
    target = package.split(".") if package else []
    origin = importer.split(".") if importer else []
    shared = 0
    while shared < min(len(target), len(origin)) and target[shared] == origin[shared]:
        shared += 1
    return "." * (len(origin) - shared + 1) + ".".join(target[shared:])


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a module under a name of our choice."""

    module: str
    """Full name, counted from the folder that the generated files go to."""
    variable: str
    """What the module is bound to."""
    importer: str | None = None
    """The package to import from, relatively; None for an import by full name."""

    def sort_key(self) -> tuple[bool, int, str, str]:
        """Order imports as isort does: by full name, then relative ones, the furthest package first."""
        package, _, name = self.module.rpartition(".")
        if self.importer is None:
            return False, 0, package, name
        package = relative_package(package, self.importer)
        rest = package.lstrip(".")
        return True, len(rest) - len(package), rest, name

    def needs_importlib(self) -> bool:
        """Tell whether the statement calls importlib instead of being an import statement."""
        return needs_importlib(self.module)

    def statement(self) -> str:
        """Give the line of source."""
        package, _, name = self.module.rpartition(".")
        if self.importer is not None:
            package = relative_package(package, self.importer)
        if self.needs_importlib():
            return f"{self.variable} = {self._importlib_call(package, name)}"
        alias = "" if name == self.variable else f" as {self.variable}"
        return f"from {package} import {name}{alias}" if package else f"import {name}{alias}"

    def _importlib_call(self, package: str, name: str) -> str:
        separator = "" if not package or package.endswith(".") else "."
        argument = "" if self.importer is None else ", __package__"
        return f'importlib.import_module("{package}{separator}{name}"{argument})'
