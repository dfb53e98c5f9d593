"""The two type checkers in their strict modes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import pytest

import penstock
from tests.unit.codegen.protofiles import PROJECT

Checker = Literal["mypy", "pyright"]
CHECKERS: Sequence[Checker] = ("mypy", "pyright")

Finding: TypeAlias = tuple[str, int]
"""Name of a file, and a line."""

SOURCES = Path(penstock.__file__).parent.parent


def check(checker: Checker, folder: Path, paths: Sequence[Path]) -> Sequence[Finding]:
    """Run a checker over some files of a folder, from which modules are imported; give the lines it finds errors in."""
    run = {"mypy": _mypy, "pyright": _pyright}[checker]
    return sorted(set(run(folder, [str(path.relative_to(folder)) for path in paths])))


def _mypy(folder: Path, paths: Sequence[str]) -> Sequence[Finding]:
    """Run `mypy --strict` with no other setting."""
    options = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={folder / 'cache'}"]
    child = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--output=json", "--no-error-summary", *paths],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(SOURCES)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert child.returncode in {0, 1}, child.stderr
    found = [json.loads(line) for line in child.stdout.splitlines()]
    return [(Path(one["file"]).name, one["line"]) for one in found if one["severity"] == "error"]


def _pyright(folder: Path, paths: Sequence[str]) -> Sequence[Finding]:
    """Run pyright in strict mode."""
    if shutil.which("node") is None:
        absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        absent("needs Node.js for pyright, and there is no `node` on the PATH")
    settings = {"typeCheckingMode": "strict", "include": paths, "extraPaths": [str(SOURCES)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    child = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(folder)],
        # Its wrapper may hold the checker itself, or fetch it once.
        env={**os.environ, "PYRIGHT_PYTHON_CACHE_DIR": str(PROJECT / "build/pyright")},
        capture_output=True,
        check=False,
        text=True,
    )
    assert child.returncode in {0, 1}, child.stdout + child.stderr
    found = json.loads(child.stdout)
    assert found["summary"]["filesAnalyzed"] >= len(paths)
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in found["generalDiagnostics"]
        if one["severity"] == "error"
    ]
