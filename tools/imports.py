"""Imports point inwards only.

- topics, services, cli, transfer and sessions of src/penstock stand on public names of penstock alone;
- testing stands in for sockets and clocks, below the public names: it may use private ones;
- nothing else in src/penstock imports from any of these;
- only engine/python knows Python: no other crate uses pyo3;
- engine/core/src/wire takes bytes and gives values: no HTTP/2, no runtime, no clock, no lock, no chance.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tools import source
from tools.source import Finding

PACKAGE = Path("src/penstock")
OUTER = {"topics", "services", "cli", "transfer", "sessions"}
NOT_FOR_THE_INNER = OUTER | {"testing"}
WIRE = Path("engine/core/src/wire")
NOT_IN_WIRE = re.compile(r"\b(?:tokio|h2|Instant|SystemTime|Mutex|RwLock|rand)\b")
PYO3 = re.compile(r"\bpyo3\b")


def find(root: Path) -> Iterator[Finding]:
    """Give the imports, and in Rust the uses, that point outwards."""
    for path in source.files(root, PACKAGE.as_posix(), ".py"):
        for line, name in imported_names(source.tree(root, path), path):
            yield from _judge(path, line, name)
    for suffix in (".rs", "Cargo.toml"):
        for path in source.files(root, "engine", suffix):
            yield from _rust(root, path)


def imported_names(tree: ast.Module, path: Path) -> Iterator[tuple[int, str]]:
    """Give line and full name of everything a module of src imports: penstock.stream.Stream."""
    package = path.relative_to("src").parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def _judge(path: Path, line: int, name: str) -> Iterator[Finding]:
    own = path.relative_to(PACKAGE).parts[0]
    package, *parts = name.split(".")
    if package != "penstock" or not parts or parts[0] == own:
        return
    if own in OUTER and any(_is_private(part) for part in parts):
        yield Finding(path, line, f"{own} imports the private name {name}")
    if own not in NOT_FOR_THE_INNER and parts[0] in NOT_FOR_THE_INNER:
        yield Finding(path, line, f"{name} is imported from further inside: imports point inwards only")


def _is_private(part: str) -> bool:
    return part.startswith("_") and not part.endswith("__")


def _rust(root: Path, path: Path) -> Iterator[Finding]:
    comment = "#" if path.suffix == ".toml" else "//"
    for number, line in enumerate(source.lines(root, path), 1):
        code = line.partition(comment)[0]
        if path.parts[1] != "python" and PYO3.search(code):
            yield Finding(path, number, "pyo3 outside engine/python")
        if path.is_relative_to(WIRE) and (used := NOT_IN_WIRE.search(code)):
            yield Finding(path, number, f"{used.group()} in wire/, which takes bytes and gives values")
