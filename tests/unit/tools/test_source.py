from pathlib import Path

from tests.unit.tools.trees import write
from tools.source import Finding, files, lines


def test_finding_prints_in_the_form_that_editors_open() -> None:
    assert str(Finding(Path("src/a.py"), 7, "is wrong")) == "src/a.py:7: is wrong"


def test_files_are_sorted_relative_and_hand_written(tmp_path: Path) -> None:
    names = ["b.py", "a/c.py", "a_pb2.py", "a_pb2_grpc.py", "a_penstock.py", "__pycache__/d.py", "build/e.py", "f.rs"]
    write(tmp_path, {f"src/{name}": "" for name in names})
    assert list(files(tmp_path, "src", ".py")) == [Path("src/a/c.py"), Path("src/b.py")]


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert list(files(tmp_path, "src", ".py")) == []


def test_lines_have_no_ends(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x\n\ny\n"})
    assert lines(tmp_path, Path("a.py")) == ["x", "", "y"]
