"""The name of a setting carries its unit: timeout_seconds, window_bytes, queue_limit_messages.

`timeout` alone, the parameter of a call, is seconds as in asyncio and grpc.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools import source
from tools.source import Finding

NO_UNIT = re.compile(r"(?:^|_)(?:timeout|interval|size|limit)$")
FROZEN_BY = {"dataclass", "NamedTuple"}


def find(root: Path) -> Iterator[Finding]:
    """Give the parameters, and the fields of dataclasses and named tuples, in src that lack a unit."""
    for path in source.files(root, "src", ".py"):
        for node in ast.walk(source.tree(root, path)):
            for line, name in _names(node):
                if NO_UNIT.search(name):
                    yield Finding(path, line, f"{name} has no unit in its name (_seconds, _bytes, _messages, ...)")


def _names(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.ClassDef) and _holds_fields(node):
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                yield part.lineno, part.target.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = node.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            if argument.arg != "timeout":
                yield argument.lineno, argument.arg


def _holds_fields(definition: ast.ClassDef) -> bool:
    marks = [mark.func if isinstance(mark, ast.Call) else mark for mark in definition.decorator_list]
    for mark in [*marks, *definition.bases]:
        name = mark.attr if isinstance(mark, ast.Attribute) else getattr(mark, "id", "")
        if name in FROZEN_BY:
            return True
    return False
