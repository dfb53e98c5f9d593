"""The generator as a plugin of protoc."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse

from penstock.codegen.plugin import respond, service_path
from tests.unit.codegen.protofiles import CORPUS, describe, describe_folder


def request(*names: str, parameter: str = "") -> CodeGeneratorRequest:
    """Give the request protoc makes for some files of the corpus."""
    return CodeGeneratorRequest(file_to_generate=names, proto_file=describe_folder(CORPUS, *names), parameter=parameter)


def test_a_file_is_generated_for_each_proto_with_services() -> None:
    response = respond(request("no_package.proto", "messages_only.proto", "two_services.proto"))
    assert [file.name for file in response.file] == ["no_package_penstock.py", "two_services_penstock.py"]
    assert not response.HasField("error")


def test_editions_and_proto3_optional_are_supported() -> None:
    response = respond(CodeGeneratorRequest())
    assert response.supported_features & CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS
    assert response.supported_features & CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    assert response.minimum_edition < response.maximum_edition


def test_imports_are_absolute_unless_asked_otherwise() -> None:
    [file] = respond(request("awkward.proto")).file
    assert "\nimport awkward_pb2\n" in file.content
    assert "\nfrom folder_name.base_types import v1_pb2 as" in file.content


def test_relative_imports_spare_what_is_installed() -> None:
    [file] = respond(request("awkward.proto", parameter="imports=relative")).file
    assert "\nfrom . import awkward_pb2\n" in file.content
    assert "\nfrom .folder_name.base_types import v1_pb2 as" in file.content
    assert "\nfrom google.protobuf import empty_pb2 as" in file.content


@pytest.mark.parametrize("parameter", ["imports=sideways", "imports", "paths=source_relative"])
def test_an_unknown_parameter_is_an_error_with_a_hint(parameter: str) -> None:
    response = respond(request("no_package.proto", parameter=parameter))
    assert response.error == f"unknown parameter '{parameter}'; hint: imports=absolute or imports=relative"
    assert not response.file


def test_a_collision_is_the_error_of_the_response(tmp_path: Path) -> None:
    file = describe(tmp_path, "message M {} service S { rpc GetUrl(M) returns (M); rpc GetURL(M) returns (M); }")
    response = respond(CodeGeneratorRequest(file_to_generate=["sample.proto"], proto_file=[file]))
    assert "rpc GetUrl and rpc GetURL would both be the Python method get_url" in response.error
    assert not response.file


def test_the_path_follows_the_folders_of_the_proto() -> None:
    assert service_path("folder-name/a.v1.proto") == "folder_name/a/v1_penstock.py"


def test_the_process_reads_standard_input_and_writes_standard_output() -> None:
    asked = request("no_package.proto")
    child = run_plugin(asked.SerializeToString())
    assert (child.returncode, child.stderr) == (0, b"")
    assert CodeGeneratorResponse.FromString(child.stdout) == respond(asked)


@pytest.mark.parametrize(("data", "arguments"), [(b"no request", []), (b"", ["--help"])])
def test_who_runs_it_by_hand_is_told_how_it_is_used(data: bytes, arguments: list[str]) -> None:
    child = run_plugin(data, *arguments)
    assert (child.returncode, child.stdout) == (1, b"")
    assert b"--penstock_out=OUT" in child.stderr
    assert b"Traceback" not in child.stderr


def run_plugin(data: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run it as a process."""
    command = [sys.executable, "-c", "from penstock.codegen.plugin import main; main()", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=False)


def test_the_plugin_does_not_import_the_command_line() -> None:
    code = "import sys, penstock.codegen.plugin; print('penstock.cli' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert child.stdout == "False\n"
