"""docs/generated-code.md: what it shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.tutorial.programs import PROJECT
from penstock.cli.main import main
from tests.interop.generators.programs import BUF, PROTOC, installed, run
from tests.unit.codegen.checkers import CHECKERS, check

pytestmark = pytest.mark.timeout(120)  # the first test of a fresh checkout installs buf and protoc
PAGE = (PROJECT / "docs/generated-code.md").read_text("utf-8")


def block(language: str) -> str:
    """Give the one piece of code in a language."""
    [text] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a project with the .proto, and work there."""
    (tmp_path / "proto/shop/v1").mkdir(parents=True)
    (tmp_path / "proto/shop/v1/shop.proto").write_text(block("proto"), "utf-8")
    (tmp_path / "buf.gen.yaml").write_text(block("yaml"), "utf-8")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(name: str) -> list[str]:
    """Give the words of the one command line that begins with a name."""
    [line] = re.findall(rf"^{name} .*$", PAGE, re.MULTILINE)
    return str(line).split()


def test_penstock_generate_makes_the_files_and_the_program_runs(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command("penstock generate")[1:]) == 0
    written = capsys.readouterr().out.splitlines()
    assert written
    for path in written:
        assert f"| `{path}` |" in PAGE
    (project / "program.py").write_text(block("python"), "utf-8")
    child = subprocess.run([sys.executable, "program.py"], cwd=project, capture_output=True, check=False, text=True)
    assert child.stderr == ""
    assert child.stdout == "cents: 3\n\ncents: 1\n\ncents: 1\n\nUNIMPLEMENTED\n"
    for checker in CHECKERS:
        assert check(checker, project, [project / "program.py"]) == []


def test_protoc_makes_the_same_service_file(project: Path) -> None:
    program, *options = command("protoc")
    assert program == PROTOC.name
    ended = run([str(installed(PROTOC)), *options], project)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert imports_in(project / "out") == "get_price"


def test_buf_makes_the_same_service_file(project: Path) -> None:
    installed(PROTOC)
    ended = run([str(installed(BUF)), "generate", "proto"], project)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert imports_in(project / "out") == "get_price"


def imports_in(folder: Path) -> str:
    """Import the service file with a folder on sys.path; give the name of its first method."""
    program = "from shop.v1.shop_penstock import ShopBase; print(next(iter(ShopBase.METHODS)))"
    child = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, check=True, text=True)
    return child.stdout.strip()
