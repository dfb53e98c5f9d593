from pathlib import Path

from tests.unit.tools.trees import found, write
from tools import mirror


def test_a_module_without_tests_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"src/penstock/stream.py": "", "tools/mirror.toml": ""})
    assert found(mirror.find, tmp_path) == [
        "src/penstock/stream.py:1: has no tests: tests/unit/test_stream.py is missing"
    ]


def test_tests_mirror_folders_and_drop_the_underscore(tmp_path: Path) -> None:
    modules = ["__init__.py", "_transport.py", "codegen/__main__.py", "codegen/_names.py", "echo_pb2.py"]
    write(tmp_path, {f"src/penstock/{module}": "" for module in modules})
    write(
        tmp_path, {"tests/unit/test_transport.py": "", "tests/unit/codegen/test_names.py": "", "tools/mirror.toml": ""}
    )
    assert found(mirror.find, tmp_path) == []


def test_tests_in_another_folder_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, {"src/penstock/stream.py": "", "tests/unit/other/test_stream.py": "", "tools/mirror.toml": ""})
    assert len(found(mirror.find, tmp_path)) == 1


def test_an_exception_needs_a_reason_and_a_use(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/penstock/a.py": "",
            "src/penstock/b.py": "",
            "src/penstock/c.py": "",
            "tests/unit/test_c.py": "",
            "tools/mirror.toml": """\
                "src/penstock/a.py" = "names only"
                "src/penstock/b.py" = " "
                "src/penstock/c.py" = "it has tests now"
                """,
        },
    )
    assert found(mirror.find, tmp_path) == [
        "tools/mirror.toml:1: src/penstock/b.py has no reason",
        "tools/mirror.toml:1: src/penstock/c.py needs no exception",
    ]
