"""Generated code and programs that use it, under both type checkers in their strict modes."""

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

pytestmark = pytest.mark.timeout(120)
Checker = Literal["mypy", "pyright"]
Finding: TypeAlias = tuple[str, int]
every_checker = pytest.mark.parametrize("checker", ["mypy", "pyright"])

PROGRAMS = Path(__file__).parent / "typed"
SOURCES = Path(penstock.__file__).parent.parent


@pytest.fixture(scope="module")
def package(corpus_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a package with everything generated from the corpus, and the programs."""
    folder = tmp_path_factory.mktemp("typed") / "typed_corpus"
    shutil.copytree(corpus_package, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in PROGRAMS.glob("*.txt"):
        shutil.copy(path, folder / f"{path.stem}.py")
    return folder


@every_checker
def test_generated_code_and_the_programs_that_use_it_have_no_error(package: Path, checker: Checker) -> None:
    # Not protoc's own modules, which its stubs stand for, and not its stubs for messages named like keywords: they are
    # no valid Python.
    generated = [path for path in package.rglob("*.py*") if not path.match("*_pb2.py") and path.stem != "wrong"]
    paths = [path for path in generated if "keyword" not in str(path.relative_to(package))]
    assert {"client.py", "server.py", "tutorial_pb2.pyi", "awkward_penstock.py"} <= {path.name for path in paths}
    assert check(checker, package, paths) == []


@every_checker
def test_each_mistake_is_found_in_its_line(package: Path, checker: Checker) -> None:
    lines = (package / "wrong.py").read_text("utf-8").splitlines()
    mistakes = [("wrong.py", number) for number, line in enumerate(lines, 1) if line.endswith("# wrong")]
    assert len(mistakes) > 20
    assert check(checker, package, [package / "wrong.py"]) == mistakes


def check(checker: Checker, package: Path, paths: Sequence[Path]) -> Sequence[Finding]:
    """Run a checker over some files; give the lines it finds errors in."""
    run = {"mypy": mypy, "pyright": pyright}[checker]
    return sorted(set(run(package.parent, [str(path.relative_to(package.parent)) for path in paths])))


def mypy(folder: Path, paths: Sequence[str]) -> Sequence[Finding]:
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


def pyright(folder: Path, paths: Sequence[str]) -> Sequence[Finding]:
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
