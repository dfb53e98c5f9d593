"""Generated code and programs that use it, under both type checkers in their strict modes."""

import shutil
from pathlib import Path

import pytest

from tests.unit.codegen.checkers import CHECKERS, Checker, check

pytestmark = pytest.mark.timeout(120)
every_checker = pytest.mark.parametrize("checker", CHECKERS)

PROGRAMS = Path(__file__).parent / "typed"


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
    assert check(checker, package.parent, paths) == []


@every_checker
def test_each_mistake_is_found_in_its_line(package: Path, checker: Checker) -> None:
    lines = (package / "wrong.py").read_text("utf-8").splitlines()
    mistakes = [("wrong.py", number) for number, line in enumerate(lines, 1) if line.endswith("# wrong")]
    assert len(mistakes) > 20
    assert check(checker, package.parent, [package / "wrong.py"]) == mistakes
