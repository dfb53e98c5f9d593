"""`protoc-gen-penstock`, run by the programs that people run it with."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.generators.programs import BUF, PROGRAMS, PROTOC, ProgramName, generate, installed, run
from tests.unit.codegen.protofiles import CORPUS, GOLDEN, write_proto

pytestmark = pytest.mark.timeout(120)  # the first test of a fresh checkout installs buf and protoc
every_program = pytest.mark.parametrize("program", PROGRAMS)

COLLISION = "package bad; message M {} service S { rpc GetUrl(M) returns (M); rpc GetURL(M) returns (M); }"
GOOD = "package good; message M {} service S { rpc Get(M) returns (M); }"

BUF_TEMPLATE = """\
version: v2
plugins:
  - protoc_builtin: python
    out: generated
  - protoc_builtin: pyi
    out: generated
  - local: protoc-gen-penstock
    out: generated
    opt: imports=relative
"""


def files(folder: Path) -> list[str]:
    """Give every file below a folder, by its path in the folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Give an empty folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@every_program
def test_service_files_are_the_golden_ones_and_no_other_file_is_written(program: ProgramName, out: Path) -> None:
    ended = generate(program, CORPUS, out, "imports=relative")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    golden = {path.relative_to(GOLDEN).as_posix().removesuffix(".txt"): path for path in GOLDEN.rglob("*.txt")}
    assert files(out) == sorted(golden)
    for name, path in golden.items():
        assert (out / name).read_text("utf-8") == path.read_text("utf-8")


@every_program
def test_two_rpcs_with_one_python_name_fail_and_nothing_is_written(
    program: ProgramName, tmp_path: Path, out: Path
) -> None:
    write_proto(tmp_path / "in", COLLISION, "bad/a.proto")
    write_proto(tmp_path / "in", GOOD, "good/a.proto")
    ended = generate(program, tmp_path / "in", out)
    assert ended.returncode == 1
    assert "bad/a.proto: service S: rpc GetUrl and rpc GetURL would both be the Python method get_url" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert files(out) == []


@every_program
def test_an_unknown_option_fails_with_a_hint(program: ProgramName, tmp_path: Path, out: Path) -> None:
    write_proto(tmp_path / "in", GOOD, "good/a.proto")
    ended = generate(program, tmp_path / "in", out, "import=relative")
    assert ended.returncode == 1
    assert "unknown parameter 'import=relative'; hint: imports=absolute or imports=relative" in ended.stderr
    assert files(out) == []


def test_buf_makes_a_package_that_runs(tmp_path: Path) -> None:
    # Messages, their types and our file in one run, as a buf.gen.yaml of a project has it; protoc is found on the PATH.
    write_proto(tmp_path / "proto", GOOD, "good/v1/a.proto")
    (tmp_path / "buf.gen.yaml").write_text(BUF_TEMPLATE)
    installed(PROTOC)
    ended = run([str(installed(BUF)), "generate", "proto"], tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    names = ["good/v1/a_pb2.py", "good/v1/a_pb2.pyi", "good/v1/a_penstock.py"]
    assert files(tmp_path / "generated") == names
    program = "from generated.good.v1.a_penstock import SBase; print(SBase.METHODS['get'].path)"
    child = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, text=True)
    assert (child.stdout, child.stderr) == ("/good.S/Get\n", "")
