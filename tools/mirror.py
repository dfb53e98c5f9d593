"""Every module has its tests in the file that mirrors its name.

src/penstock/codegen/names.py has tests/unit/codegen/test_names.py; the underscore of a private module is dropped.
Exceptions stand in mirror.toml, each with its reason; one that is not needed any more is a finding too.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from tools import source
from tools.source import Finding

EXCEPTIONS = Path("tools/mirror.toml")
WITHOUT_TESTS = {"__init__.py", "__main__.py"}


def find(root: Path) -> Iterator[Finding]:
    """Give the modules without a test file, and the exceptions that are stale or have no reason."""
    reasons = tomllib.loads((root / EXCEPTIONS).read_text("utf-8"))
    missing = {}
    for path in source.files(root, "src/penstock", ".py"):
        if path.name not in WITHOUT_TESTS and not (root / test_path(path)).is_file():
            missing[path.as_posix()] = path
    for name, path in missing.items():
        if name not in reasons:
            yield Finding(path, 1, f"has no tests: {test_path(path).as_posix()} is missing")
    for name, reason in reasons.items():
        if name not in missing:
            yield Finding(EXCEPTIONS, 1, f"{name} needs no exception")
        elif not str(reason).strip():
            yield Finding(EXCEPTIONS, 1, f"{name} has no reason")


def test_path(path: Path) -> Path:
    """Give the place of the tests of a module; both relative to the root."""
    *folders, module = path.relative_to("src/penstock").parts
    return Path("tests/unit", *(folder.lstrip("_") for folder in folders), f"test_{module.lstrip('_')}")
