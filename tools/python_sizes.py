"""The length of the functions of a Python file."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Body(NamedTuple):
    """The body of one function."""

    name: str
    """With its class: Channel.close."""
    line: int
    lines: int
    """Lines of code: no blank lines, comments or docstring."""


def bodies(tree: ast.AST, text: list[str], prefix: str = "") -> Iterator[Body]:
    """Give every function of a file, inner ones too; the lines of these count for the outer one as well."""
    for node in ast.iter_child_nodes(tree):
        name = prefix
        if isinstance(node, ast.ClassDef | Function):
            name = f"{prefix}{node.name}."
        if isinstance(node, Function):
            yield Body(name.rstrip("."), node.lineno, _code_lines(node, text))
        yield from bodies(node, text, name)


def _code_lines(function: Function, text: list[str]) -> int:
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    if not body:
        return 0
    part = text[body[0].lineno - 1 : body[-1].end_lineno]
    return sum(1 for line in part if line.strip() and not line.lstrip().startswith("#"))
