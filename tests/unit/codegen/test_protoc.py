"""protoc as a child process."""

import sys
from pathlib import Path

import pytest

from penstock.codegen.errors import MissingProtocError, ProtocError
from penstock.codegen.protoc import Compiled, compile_group
from penstock.codegen.sources import SourceGroup
from tests.unit.codegen.protofiles import write_proto


def compile_text(folder: Path, text: str, *, grpc: bool = False) -> Compiled:
    """Compile one .proto text into a folder of its own."""
    write_proto(folder, text)
    out = folder / "out"
    out.mkdir()
    return compile_group(SourceGroup(folder, out, [folder], ["sample.proto"]), out, grpc=grpc)


def written(folder: Path) -> list[str]:
    """Give the names of the files in the output folder."""
    return sorted(path.name for path in (folder / "out").iterdir())


def test_message_modules_are_written_and_descriptors_returned(tmp_path: Path) -> None:
    compiled = compile_text(
        tmp_path, 'import "google/protobuf/empty.proto"; message M { google.protobuf.Empty e = 1; }'
    )
    assert [file.name for file in compiled.files] == ["google/protobuf/empty.proto", "sample.proto"]
    assert compiled.warnings == ""
    assert written(tmp_path) == ["sample_pb2.py", "sample_pb2.pyi"]


def test_grpcio_modules_are_written_on_request(tmp_path: Path) -> None:
    compile_text(tmp_path, "message M {}", grpc=True)
    assert written(tmp_path) == ["sample_pb2.py", "sample_pb2.pyi", "sample_pb2_grpc.py"]


def test_warnings_are_kept(tmp_path: Path) -> None:
    compiled = compile_text(tmp_path, 'import "google/protobuf/empty.proto";')
    assert "google/protobuf/empty.proto is unused" in compiled.warnings


def test_what_does_not_parse_is_answered_in_protocs_words(tmp_path: Path) -> None:
    with pytest.raises(ProtocError) as caught:
        compile_text(tmp_path, "message {")
    assert str(caught.value) == f"{tmp_path / 'sample.proto'}:2:9: Expected message name."


def test_a_module_of_the_folder_we_run_in_does_not_stand_in_for_protoc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grpc_tools.py").write_text("raise SystemExit('not protoc')")
    monkeypatch.chdir(tmp_path)
    assert compile_text(tmp_path, "message M {}").files[0].name == "sample.proto"


def test_without_grpcio_tools_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    with pytest.raises(MissingProtocError, match="grpcio-tools is not installed"):
        compile_text(tmp_path, "message M {}")
