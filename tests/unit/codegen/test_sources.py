"""Which .proto files to generate from."""

from pathlib import Path

import pytest

from penstock.codegen.errors import InputError
from penstock.codegen.sources import find_sources


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a folder with a few .proto files."""
    for name in ("a.proto", "x/b.proto", "x/y/c.proto", ".hidden/d.proto", "x/readme.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_folder_is_searched_and_is_its_own_root(tree: Path) -> None:
    [group] = find_sources([tree])
    assert (group.root, group.out, group.proto_paths) == (tree, tree, [tree])
    assert group.names == ["a.proto", "x/b.proto", "x/y/c.proto"]


def test_the_root_of_a_file_is_its_folder(tree: Path) -> None:
    [first, second] = find_sources([tree / "x/b.proto", tree / "a.proto"])
    assert (first.root, first.names) == (tree / "x", ["b.proto"])
    assert (second.root, second.names) == (tree, ["a.proto"])


def test_a_proto_path_is_the_root_of_what_it_contains(tree: Path) -> None:
    [group] = find_sources([tree / "x/y/c.proto", tree / "x"], tree / "out", [tree / "empty", tree])
    assert (group.root, group.out, group.proto_paths) == (tree, tree / "out", [tree / "empty", tree])
    assert group.names == ["x/b.proto", "x/y/c.proto"]


def test_relative_paths_and_proto_paths_need_not_be_written_alike(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "x")
    [group] = find_sources([Path("y/c.proto")], None, [tree])
    assert group.names == ["x/y/c.proto"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nowhere", "no such file or folder: {}"),
        ("empty", "no .proto files in {}"),
        ("x/readme.txt", "not a .proto file: {}"),
    ],
)
def test_a_path_that_gives_nothing_is_named(tree: Path, path: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        find_sources([tree, tree / path])
    assert str(caught.value) == expected.format(tree / path)


def test_a_file_outside_the_proto_paths_is_named(tree: Path) -> None:
    with pytest.raises(InputError, match=r"a\.proto lies in none of the proto paths: .*x"):
        find_sources([tree / "a.proto"], None, [tree / "x"])


def test_a_proto_path_that_is_no_folder_is_named(tree: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_sources([tree / "a.proto"], None, [tree, tree / "nowhere"])
    assert str(caught.value) == f"no such folder: {tree / 'nowhere'}"
