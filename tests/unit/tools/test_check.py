from pathlib import Path

import pytest

from tests.unit.tools.trees import write
from tools import check


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that keeps every rule; `main` takes it for its own."""
    monkeypatch.setattr(check, "__file__", str(tmp_path / "tools" / "check.py"))
    return write(tmp_path, {"tools/mirror.toml": "", "tools/size_budget.toml": ""})


@pytest.mark.usefixtures("repository")
def test_a_clean_repository_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main() == 0
    assert capsys.readouterr().out == ""


def test_every_check_runs_and_prints_in_order_of_place(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        repository,
        {
            "src/penstock/cli/a.py": "from penstock import _engine\n",
            "src/penstock/b.py": "def f(size): ...\ntry: f()\nexcept: pass\n",
            "src/penstock/c.py": "\n" * 401,
            "tests/unit/test_b.py": "",
            "tests/unit/test_c.py": "sleep(1)\n",
        },
    )
    assert check.main() == 1
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "src/penstock/b.py:1",
        "src/penstock/b.py:3",
        "src/penstock/c.py:1",
        "src/penstock/cli/a.py:1",
        "src/penstock/cli/a.py:1",
        "tests/unit/test_c.py:1",
    ]
