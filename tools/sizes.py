"""Files and functions stay small enough to be read at one go.

A file has at most 400 lines, a file of tests 600, the body of a function 50 lines of code (no blank lines, comments or
docstring). Exceptions stand in size_budget.toml, each with its own bound and its reason; one that is not needed any
more is a finding too.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import python_sizes, rust_sizes, source
from tools.source import Finding

BUDGET = Path("tools/size_budget.toml")
MAX_FILE_LINES = 400
MAX_TEST_FILE_LINES = 600
MAX_BODY_LINES = 50
FOLDERS = ("benchmarks", "engine", "examples", "src", "tests", "tools")


@dataclass(frozen=True)
class Allowed:
    """One entry of the budget."""

    path: str
    reason: str
    lines: int
    function: str = ""
    """Empty: the entry is about the length of the file."""


@dataclass(frozen=True)
class Measured:
    """One thing that has a size."""

    path: Path
    line: int
    lines: int
    bound: int
    function: str = ""
    """Empty: the file as a whole."""

    def what(self) -> str:
        """Say what is too long."""
        thing = f"the body of {self.function}" if self.function else "the file"
        unit = "lines of code" if self.function else "lines"
        return f"{thing} has {self.lines} {unit}, more than {self.bound}"


def find(root: Path) -> Iterator[Finding]:
    """Give what is over its bound, and the entries of the budget that are stale or have no reason."""
    allowed = read_budget(root / BUDGET)
    needed = set()
    for measured in _measure_all(root):
        if measured.lines <= measured.bound:
            continue
        entry = allowed.get((measured.path.as_posix(), measured.function))
        needed.add(entry)
        if entry is None or measured.lines > entry.lines:
            yield Finding(measured.path, measured.line, measured.what())
    for entry in allowed.values():
        name = f"{entry.path} {entry.function}".rstrip()
        if entry not in needed:
            yield Finding(BUDGET, 1, f"{name} needs no exception")
        if not entry.reason.strip():
            yield Finding(BUDGET, 1, f"{name} has no reason")


def read_budget(path: Path) -> dict[tuple[str, str], Allowed]:
    """Read the exceptions, by path and function.

    Raises:
        TypeError: An entry lacks `path`, `lines` or `reason`, or has a key that means nothing.
    """
    entries = [Allowed(**entry) for entry in tomllib.loads(path.read_text("utf-8")).get("exception", [])]
    return {(entry.path, entry.function): entry for entry in entries}


def _measure_all(root: Path) -> Iterator[Measured]:
    for folder in FOLDERS:
        for path in source.files(root, folder, ".py"):
            yield _measure_file(root, path)
            for body in python_sizes.bodies(source.tree(root, path), source.lines(root, path)):
                yield Measured(path, body.line, body.lines, MAX_BODY_LINES, body.name)
        for path in source.files(root, folder, ".rs"):
            yield _measure_file(root, path)
            for body in rust_sizes.bodies((root / path).read_text("utf-8")):
                yield Measured(path, body.line, body.lines, MAX_BODY_LINES, body.name)


def _measure_file(root: Path, path: Path) -> Measured:
    bound = MAX_TEST_FILE_LINES if "tests" in path.parts else MAX_FILE_LINES
    return Measured(path, 1, len(source.lines(root, path)), bound)
