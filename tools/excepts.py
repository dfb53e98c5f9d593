"""A cancellation is never swallowed or turned into something else.

In src, a handler that catches BaseException, CancelledError or everything must raise again what it caught: a bare
`raise`, or `raise` of the name it gave it. Where the end of a task really belongs here, its `except` line says why:
`# kept: <reason>`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools import source
from tools.source import Finding

TOO_WIDE = {"BaseException", "CancelledError"}
KEPT = re.compile(r"# kept: \S")


def find(root: Path) -> Iterator[Finding]:
    """Give the handlers, and the `suppress` calls, in src that keep a cancellation."""
    for path in source.files(root, "src", ".py"):
        text = source.lines(root, path)
        for node in ast.walk(source.tree(root, path)):
            if isinstance(node, ast.ExceptHandler | ast.Call):
                caught = _swallowed(node)
                if caught and not KEPT.search(text[node.lineno - 1]):
                    yield Finding(path, node.lineno, f"{caught} is caught and not raised again")


def _swallowed(node: ast.ExceptHandler | ast.Call) -> str:
    if isinstance(node, ast.ExceptHandler):
        return "" if _raises_again(node) else _too_wide(node.type)
    if _last_name(node.func) == "suppress":
        return next(filter(None, map(_too_wide, node.args)), "")
    return ""


def _too_wide(caught: ast.expr | None) -> str:
    if caught is None:
        return "everything"
    options = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return next((name for name in map(_last_name, options) if name in TOO_WIDE), "")


def _last_name(expression: ast.expr) -> str:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def _raises_again(handler: ast.ExceptHandler) -> bool:
    raises = [node for node in _own_nodes(handler) if isinstance(node, ast.Raise)]
    return any(node.exc is None or (isinstance(node.exc, ast.Name) and node.exc.id == handler.name) for node in raises)


def _own_nodes(parent: ast.AST) -> Iterator[ast.AST]:
    """Walk without going into functions that are only defined there, nor into inner handlers' own `raise`."""
    for child in ast.iter_child_nodes(parent):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ExceptHandler)):
            yield child
            yield from _own_nodes(child)
