"""Do the examples of docs/testing.md pass as the tests they are?"""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.codegen.checkers import CHECKERS, Checker, check

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/testing.md"
SETTINGS = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"


def module() -> str:
    """Give the examples as one test module."""
    return "\n\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))


def test_the_examples_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    search = (str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, search)))
    pytester.makepyfile(test_page=module())
    pytester.makeini(SETTINGS)
    result = pytester.runpytest_subprocess("-p", "pytest_penstock", "-p", "no:cacheprovider", "test_page.py")
    result.assert_outcomes(passed=module().count("\nasync def test_"))


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.timeout(120)
def test_the_examples_have_no_type_error(tmp_path: Path, checker: Checker) -> None:
    path = tmp_path / "page" / "examples_of_testing.py"
    shutil.copytree(ROOT / "examples/tutorial", path.parent / "examples/tutorial")
    path.write_text(module(), "utf-8")
    findings: Sequence[Any] = check(checker, path.parent, [path])
    assert findings == []
