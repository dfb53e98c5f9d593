"""The files that the checks read, and what a check says about them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GENERATED = ("_pb2.py", "_pb2_grpc.py", "_penstock.py")
MADE_BY_TOOLS = {"__pycache__", "build", "node_modules", "target"}


class Finding(NamedTuple):
    """One place that breaks a rule."""

    path: Path
    """Relative to the root of the repository."""
    line: int
    """Counts from 1."""
    what: str
    """The rule, and how this place breaks it."""

    def __str__(self) -> str:
        """Give the form that editors and terminals can open."""
        return f"{self.path.as_posix()}:{self.line}: {self.what}"


def files(root: Path, folder: str, suffix: str) -> Iterator[Path]:
    """Give the hand-written files with this suffix below `root/folder`: relative to root, sorted."""
    for path in sorted((root / folder).rglob(f"*{suffix}")):
        relative = path.relative_to(root)
        if not path.name.endswith(GENERATED) and MADE_BY_TOOLS.isdisjoint(relative.parts):
            yield relative


def lines(root: Path, path: Path) -> list[str]:
    """Read a file as lines without their ends."""
    return (root / path).read_text("utf-8").splitlines()


def tree(root: Path, path: Path) -> ast.Module:
    """Parse a Python file.

    Raises:
        SyntaxError: The file is not Python; the error names it.
    """
    return ast.parse((root / path).read_bytes(), filename=str(path))
