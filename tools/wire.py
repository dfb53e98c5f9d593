"""Each promise of docs/wire.md has a test that names it, and its entry says where.

A test names lines with `@pytest.mark.wire("W7", "W9")`; in Rust with a comment `// W7, W9` directly above `#[test]`.
An entry begins with `- **W7** ` when it is promised, with `- W31 ` when it is not yet; the paths in it are those of its
tests.
"""

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools import source
from tools.source import Finding

LIST = Path("docs/wire.md")
ENTRY = re.compile(r"- (\*\*)?(W\d+)(\*\*)? ")
PATH = re.compile(r"`((?:tests|engine)/[^`]+)`")
RUST_MARK = re.compile(r"\s*// (W\d+(?:, W\d+)*)")
RUST_TEST = re.compile(r"\s*#\[test\]")


@dataclass
class Entry:
    """One line of the list."""

    place: int
    """Where it begins, counted from 1."""
    promised: bool
    files: set[str] = field(default_factory=set)
    """What it names as the places of its tests."""


def find(root: Path) -> Iterator[Finding]:
    """Give promises without a test, tests of no promise, and entries that name other files than have their tests."""
    entries = read_list(root)
    files: dict[str, set[str]] = defaultdict(set)
    for path, line, name in marks(root):
        files[name].add(path.as_posix())
        if name not in entries:
            yield Finding(path, line, f"{name} is no line of {LIST.as_posix()}")
    for name, entry in entries.items():
        if entry.promised and not files[name]:
            yield Finding(LIST, entry.place, f"{name} is promised, and no test names it")
        for file in sorted(files[name] - entry.files):
            yield Finding(LIST, entry.place, f"{name} has a test in {file} that its entry does not name")
        for file in sorted(entry.files - files[name]):
            yield Finding(LIST, entry.place, f"{name} names {file}, where no test names it")


def read_list(root: Path) -> dict[str, Entry]:
    """Give the entries by their names."""
    entries: dict[str, Entry] = {}
    current: Entry | None = None
    for number, line in enumerate(source.lines(root, LIST) if (root / LIST).is_file() else [], 1):
        if begins := ENTRY.match(line):
            current = entries[begins[2]] = Entry(number, promised=begins[1] is not None)
        elif not line.startswith(" "):
            current = None
        if current is not None:
            current.files.update(PATH.findall(line))
    return entries


def marks(root: Path) -> Iterator[tuple[Path, int, str]]:
    """Give each line that a test names, and where."""
    for path in source.files(root, "tests", ".py"):
        for node in ast.walk(source.tree(root, path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.wire":
                for argument in node.args:
                    yield path, node.lineno, str(getattr(argument, "value", ""))
    for path in source.files(root, "engine", ".rs"):
        text = source.lines(root, path)
        for number, (line, following) in enumerate(itertools.pairwise(text), 1):
            if (mark := RUST_MARK.fullmatch(line)) and RUST_TEST.match(following):
                for name in mark[1].split(", "):
                    yield path, number, name
