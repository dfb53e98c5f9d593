"""A test waits for a condition, never for time to pass.

`sleep(0)`, one turn of the loop, is no waiting. Where real time is unavoidable the line says why:
`# real time: <reason>` (`//` in Rust). A sleep that a ManualClock ends says `# manual time`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools import source
from tools.source import Finding

EXCUSED = re.compile(r"(#|//) real time: \S|# manual time\b")
RUST_SLEEP = re.compile(r"\bsleep\(")
WHAT = "sleep in a test: wait for a condition, or say `real time: <reason>` in a comment on the line"


def find(root: Path) -> Iterator[Finding]:
    """Give the sleeps in the tests of both languages."""
    for path in source.files(root, "tests", ".py"):
        yield from _python(root, path)
    for path in source.files(root, "engine", ".rs"):
        if "tests" in path.parts:
            yield from _rust(root, path)


def _python(root: Path, path: Path) -> Iterator[Finding]:
    text = source.lines(root, path)
    for node in ast.walk(source.tree(root, path)):
        if isinstance(node, ast.Call) and _is_sleep(node) and not _is_zero(node):
            excused = any(EXCUSED.search(line) for line in text[node.lineno - 1 : node.end_lineno])
            if not excused:
                yield Finding(path, node.lineno, WHAT)


def _is_sleep(call: ast.Call) -> bool:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "sleep"


def _is_zero(call: ast.Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def _rust(root: Path, path: Path) -> Iterator[Finding]:
    for number, line in enumerate(source.lines(root, path), 1):
        if RUST_SLEEP.search(line) and not EXCUSED.search(line):
            yield Finding(path, number, WHAT)
