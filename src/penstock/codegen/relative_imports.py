"""Package-relative imports in what protoc wrote.

protoc's Python modules import each other by full name, counted from the output folder: `import a_pb2`. That works
only when the output folder itself is on `sys.path`. Generated code inside a package needs `from . import a_pb2`.
"""

import re
from collections.abc import Collection

from penstock.codegen.modules import Import, parent_package, relative_package

__all__ = ["make_relative"]

_STATEMENT = re.compile(
    r"^(?:"
    r"import (?P<top>\w+) as (?P<top_variable>\w+)"
    r"|from (?P<package>[\w.]+) import (?P<name>\w+) as (?P<variable>\w+)"
    r"|(?P<call_variable>\w+) = importlib\.import_module\(['\"](?P<called>[\w.]+)['\"]\)"
    r"|from (?P<public>[\w.]+) import (?P<names>.+)"  # `import public`
    r")$",
    re.MULTILINE,
)

_CLASSES_OF = re.compile(r"^(_builder\.BuildTopDescriptorsAndMessages\(DESCRIPTOR, )'[^']*'", re.MULTILINE)


def make_relative(source: str, module: str, modules: Collection[str]) -> str:
    """Rewrite a module that protoc wrote, for a place inside a package.

    Its imports become relative, and its message classes say the module they are really in, which pickle needs.

    Args:
        source: Text of a `_pb2.py`, `_pb2.pyi` or `_pb2_grpc.py`.
        module: Its own full name, counted from the output folder.
        modules: Full names of the modules to import relatively; all other imports stay.
    """
    importer = parent_package(module)

    def rewrite(match: re.Match[str]) -> str:
        package, name = match["package"], match["name"]
        imported = match["top"] or match["called"] or (f"{package}.{name}" if package else "")
        if imported in modules:
            variable = match["top_variable"] or match["call_variable"] or match["variable"]
            return Import(imported, variable, importer).statement()
        # `from a_pb2 import B as B` fits the second form too, with the module where a package is expected.
        public = match["public"] or package
        if public in modules:
            return match[0].replace(f"from {public} ", f"from {_relative_module(public, importer)} ", 1)
        return match[0]

    return _CLASSES_OF.sub(r"\1__name__", _STATEMENT.sub(rewrite, source))


def _relative_module(module: str, importer: str) -> str:
    package, _, name = module.rpartition(".")
    package = relative_package(package, importer)
    return f"{package}{name}" if package.endswith(".") else f"{package}.{name}"
