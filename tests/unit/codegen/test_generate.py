"""Everything from .proto to Python."""

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.codegen.errors import GeneratorError, InputError, OutputError, ProtocError
from penstock.codegen.generate import generate
from tests.unit.codegen.protofiles import CORPUS, write_proto

SERVICE = "message M { string text = 1; } service S { rpc Get(M) returns (M); }"


def files(folder: Path) -> list[str]:
    """Give every file below a folder, by its path in the folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_lie_beside_the_proto(tmp_path: Path) -> None:
    path = write_proto(tmp_path, SERVICE, "in/a.proto")
    generated = generate([path])
    assert generated.paths == [tmp_path / "in" / name for name in ("a_pb2.py", "a_pb2.pyi", "a_penstock.py")]
    assert files(tmp_path) == ["in/a.proto", "in/a_pb2.py", "in/a_pb2.pyi", "in/a_penstock.py"]


def test_an_output_folder_is_made_and_keeps_the_folders_of_the_names(tmp_path: Path) -> None:
    write_proto(tmp_path, "message M {}", "in/x/a.proto")
    generate([tmp_path / "in"], out=tmp_path / "out/deep")
    assert files(tmp_path / "out") == ["deep/x/a_pb2.py", "deep/x/a_pb2.pyi"]


def test_a_file_without_services_gets_no_service_module(tmp_path: Path) -> None:
    generate([write_proto(tmp_path, "message M {}", "a.proto")])
    assert files(tmp_path) == ["a.proto", "a_pb2.py", "a_pb2.pyi"]


def test_grpcio_modules_are_written_on_request_with_relative_imports(tmp_path: Path) -> None:
    generate([write_proto(tmp_path, SERVICE, "a.proto")], grpc=True)
    assert "\nfrom . import a_pb2 as a__pb2\n" in (tmp_path / "a_pb2_grpc.py").read_text()


def test_absolute_imports_are_left_as_protoc_makes_them(tmp_path: Path) -> None:
    write_proto(tmp_path, "package b; message B {}", "b.proto")
    write_proto(tmp_path, 'import "b.proto"; message A { b.B b = 1; } service S { rpc Get(A) returns (A); }', "a.proto")
    generate([tmp_path], relative=False)
    assert "\nimport b_pb2 as b__pb2\n" in (tmp_path / "a_pb2.py").read_text()
    assert "\nimport a_pb2\n" in (tmp_path / "a_penstock.py").read_text()


def test_modules_written_earlier_into_the_same_folder_are_imported_relatively(tmp_path: Path) -> None:
    library = write_proto(tmp_path, "package b; message B {}", "b.proto")
    user = write_proto(tmp_path, 'import "b.proto"; message A { b.B b = 1; }', "a.proto")
    generate([user])
    assert "\nimport b_pb2 as b__pb2\n" in (tmp_path / "a_pb2.py").read_text()
    generate([library])
    generate([user])
    assert "\nfrom . import b_pb2 as b__pb2\n" in (tmp_path / "a_pb2.py").read_text()


def test_imports_across_two_roots_stay_absolute(tmp_path: Path) -> None:
    library = write_proto(tmp_path, "package b; message B {}", "one/b.proto")
    user = write_proto(tmp_path, 'import "b.proto"; message A { b.B b = 1; }', "two/a.proto")
    generate([library, user], proto_paths=[tmp_path / "one", tmp_path / "two"])
    assert files(tmp_path / "one") == ["b.proto", "b_pb2.py", "b_pb2.pyi"]
    assert "\nimport b_pb2 as b__pb2\n" in (tmp_path / "two/a_pb2.py").read_text()


def test_all_of_it_can_be_imported_from_a_package_at_any_depth(tmp_path: Path) -> None:
    generated = generate([CORPUS], out=tmp_path / "one/two")
    names = [".".join(path.relative_to(tmp_path).with_suffix("").parts) for path in generated.paths]
    modules = sorted(set(names))
    program = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
generated = {{name for name in sys.modules if name.endswith(("_pb2", "_penstock"))}}
print(sorted(name for name in generated if not name.startswith("google.")) == {modules!r})
"""
    child = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, text=True)
    assert (child.stdout, child.stderr) == ("True\n", "")


def test_messages_inside_a_package_can_be_pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_proto(tmp_path, "package penstock.test.pickled; message M { string text = 1; }", "pickled/m.proto")
    generate([path])
    monkeypatch.syspath_prepend(str(tmp_path))
    message = importlib.import_module("pickled.m_pb2").M(text="kept")
    assert pickle.loads(pickle.dumps(message)) == message


def test_warnings_of_protoc_are_handed_on(tmp_path: Path) -> None:
    path = write_proto(tmp_path, 'import "google/protobuf/empty.proto";', "a.proto")
    assert "unused" in generate([path]).warnings


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("message {", ProtocError),
        ("message M {} service S { rpc GetUrl(M) returns (M); rpc GetURL(M) returns (M); }", GeneratorError),
    ],
)
def test_nothing_is_written_when_one_file_fails(tmp_path: Path, text: str, error: type[Exception]) -> None:
    write_proto(tmp_path, SERVICE, "good/a.proto")
    write_proto(tmp_path, text, "bad/b.proto")
    with pytest.raises(error):
        generate([tmp_path / "good", tmp_path / "bad"])
    assert files(tmp_path) == ["bad/b.proto", "good/a.proto"]


def test_two_files_for_one_path_are_an_error(tmp_path: Path) -> None:
    first = write_proto(tmp_path, "message A {}", "one/a.proto")
    second = write_proto(tmp_path, "message B {}", "two/a.proto")
    with pytest.raises(InputError, match=r"two \.proto files would both become"):
        generate([first, second], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failure_while_writing_leaves_the_old_files(tmp_path: Path) -> None:
    path = write_proto(tmp_path, SERVICE, "a.proto")
    out = tmp_path / "out"
    (out / ".a_penstock.py.partial").mkdir(parents=True)  # the last file to be written cannot be
    (out / "a_pb2.py").write_text("old")
    with pytest.raises(OutputError) as caught:
        generate([path], out=out)
    assert str(caught.value) == f"cannot write {out / 'a_penstock.py'}: Is a directory"
    assert (out / "a_pb2.py").read_text() == "old"
    assert files(out) == ["a_pb2.py"]
