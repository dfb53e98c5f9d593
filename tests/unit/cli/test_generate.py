"""`penstock generate`."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli.main import main
from tests.unit.codegen.protofiles import write_proto

SERVICE = "message M {} service S { rpc Get(M) returns (M); }"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run the command; give exit code, standard output and standard error."""
    code = main(["generate", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_prints_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_proto(tmp_path, SERVICE, "a.proto")
    assert run(capsys, path) == (
        0,
        f"{tmp_path / 'a_pb2.py'}\n{tmp_path / 'a_pb2.pyi'}\n{tmp_path / 'a_penstock.py'}\n",
        "",
    )


def test_options_reach_the_generator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_proto(tmp_path, SERVICE, "in/a.proto")
    out = tmp_path / "out"
    code, _, _ = run(capsys, path, "--out", out, "-I", tmp_path, "--imports", "absolute", "--grpc")
    assert code == 0
    assert "\nfrom in import" not in (out / "in/a_penstock.py").read_text()  # `in` is a keyword
    assert 'importlib.import_module("in.a_pb2")' in (out / "in/a_penstock.py").read_text()
    assert (out / "in/a_pb2_grpc.py").exists()


def test_warnings_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_proto(tmp_path, 'import "google/protobuf/empty.proto";', "a.proto")
    code, out, err = run(capsys, path)
    assert (code, out.count("\n")) == (0, 2)
    assert err == f"{path}:2:1: warning: Import google/protobuf/empty.proto is unused.\n"


def test_what_does_not_parse_exits_1_with_protocs_own_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_proto(tmp_path, "message {", "a.proto")
    assert run(capsys, path) == (1, "", f"{path}:2:9: Expected message name.\n")
    assert list(tmp_path.iterdir()) == [path]


def test_a_collision_exits_1_and_names_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "message M {} service S { rpc GetUrl(M) returns (M); rpc GetURL(M) returns (M); }"
    code, out, err = run(capsys, write_proto(tmp_path, text, "a.proto"))
    assert (code, out) == (1, "")
    assert err == (
        "error: a.proto: service S: rpc GetUrl and rpc GetURL would both be the Python method get_url; "
        "rename one of them\n"
    )


def test_an_import_that_is_not_found_exits_1_with_its_line_and_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_proto(tmp_path, 'import "nowhere.proto";', "a.proto")
    code, out, err = run(capsys, path)
    assert (code, out) == (1, "")
    assert f'{path}:2:1: Import "nowhere.proto" was not found or had errors.\n' in err
    assert err.endswith("hint: --proto-path DIR says which folder the names in import statements count from\n")


def test_a_proto_path_that_is_not_there_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing"
    assert run(capsys, write_proto(tmp_path, SERVICE, "a.proto"), "-I", missing) == (
        2,
        "",
        f"error: no such folder: {missing}\n",
    )


def test_a_pool_that_cannot_be_imported_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, write_proto(tmp_path, SERVICE, "a.proto"), "--pool", "a-b")
    assert (code, out) == (2, "")
    assert err == "error: no module can be imported under the name 'a-b'; hint: --pool package.module\n"


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["generate", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "\n  penstock generate proto --out src/app/api " in text
    assert "X_penstock.py for services" in text


def test_a_missing_folder_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing"
    assert run(capsys, missing) == (2, "", f"error: no such file or folder: {missing}\n")


def test_a_file_in_the_way_of_the_output_folder_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_proto(tmp_path, SERVICE, "a.proto")
    code, out, err = run(capsys, path, "--out", path)
    assert (code, out) == (1, "")
    assert err == f"error: cannot write {path}: File exists\n"


def test_without_grpcio_tools_exits_2_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    assert run(capsys, write_proto(tmp_path, SERVICE, "a.proto")) == (
        2,
        "",
        "error: there is no protoc here: grpcio-tools is not installed\nhint: pip install grpcio-tools\n",
    )


def test_the_command_line_does_not_import_the_generator() -> None:
    code = "import sys, penstock.cli.main; print([m for m in sys.modules if m.startswith('penstock.codegen')])"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert child.stdout == "[]\n"
