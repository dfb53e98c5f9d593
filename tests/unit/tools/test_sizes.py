from pathlib import Path

import pytest

from tests.unit.tools.trees import found, write
from tools import sizes


def function(name: str, lines: int) -> str:
    return f"def {name}():\n" + "    work()\n" * lines


def exception(**entry: object) -> str:
    return "[[exception]]\n" + "".join(f"{key} = {value!r}\n" for key, value in entry.items())


@pytest.mark.parametrize(
    ("path", "bound"),
    [("src/a.py", 400), ("engine/core/src/a.rs", 400), ("tests/a.py", 600), ("engine/core/tests/a.rs", 600)],
)
def test_a_file_may_reach_its_bound_and_not_pass_it(tmp_path: Path, path: str, bound: int) -> None:
    write(tmp_path, {path: "\n" * bound, "tools/size_budget.toml": ""})
    assert found(sizes.find, tmp_path) == []
    write(tmp_path, {path: "\n" * (bound + 1)})
    assert found(sizes.find, tmp_path) == [f"{path}:1: the file has {bound + 1} lines, more than {bound}"]


def test_a_body_may_reach_its_bound_and_not_pass_it(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.py": function("right", 50) + function("long", 51), "tools/size_budget.toml": ""})
    assert found(sizes.find, tmp_path) == ["src/a.py:52: the body of long has 51 lines of code, more than 50"]


def test_a_body_in_rust_is_measured_too(tmp_path: Path) -> None:
    write(tmp_path, {"engine/a.rs": "fn long() {\n" + "work();\n" * 51 + "}\n", "tools/size_budget.toml": ""})
    assert found(sizes.find, tmp_path) == ["engine/a.rs:1: the body of long has 51 lines of code, more than 50"]


def test_an_exception_has_a_bound_of_its_own(tmp_path: Path) -> None:
    budget = exception(path="src/a.py", function="long", lines=60, reason="a table")
    write(tmp_path, {"src/a.py": function("long", 60), "tools/size_budget.toml": budget})
    assert found(sizes.find, tmp_path) == []
    write(tmp_path, {"src/a.py": function("long", 61)})
    assert len(found(sizes.find, tmp_path)) == 1


def test_an_exception_that_is_not_needed_is_found(tmp_path: Path) -> None:
    budget = exception(path="src/a.py", lines=500, reason="was long once")
    write(tmp_path, {"src/a.py": "", "tools/size_budget.toml": budget})
    assert found(sizes.find, tmp_path) == ["tools/size_budget.toml:1: src/a.py needs no exception"]


def test_an_exception_without_reason_is_found(tmp_path: Path) -> None:
    budget = exception(path="src/a.py", lines=500, reason="")
    write(tmp_path, {"src/a.py": "\n" * 450, "tools/size_budget.toml": budget})
    assert found(sizes.find, tmp_path) == ["tools/size_budget.toml:1: src/a.py has no reason"]


def test_an_exception_that_means_nothing_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"tools/size_budget.toml": exception(path="src/a.py", line=500, reason="misspelt")})
    with pytest.raises(TypeError, match="line"):
        found(sizes.find, tmp_path)
