"""Which .proto files to generate from, and the folder that each one's name counts from."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.codegen.errors import InputError

__all__ = ["SourceGroup", "find_sources"]


@dataclass(slots=True)
class SourceGroup:
    """The .proto files of one root; one run of protoc takes them all."""

    root: Path
    """The proto path that their names count from."""
    out: Path
    """The folder that generated files go to; below it they keep the folders of their names."""
    proto_paths: Sequence[Path]
    """Where protoc looks for imports; the root is among them."""
    names: list[str] = field(default_factory=list)
    """As protoc knows them: relative to the root, with slashes, in order, each once."""


def find_sources(
    paths: Iterable[Path], out: Path | None = None, proto_paths: Sequence[Path] = ()
) -> Sequence[SourceGroup]:
    """Find the .proto files that some paths name, and group them by root.

    Without proto paths a folder is its own root, and the root of a single file is the folder it is in.

    Args:
        paths: .proto files, and folders that are searched to any depth (hidden folders are left out).
        out: Output folder; None means the root, so that generated files lie beside their .proto.
        proto_paths: As protoc's `-I`: the first one that contains a file is its root.

    Raises:
        InputError: A path or a proto path is not there, or a path holds no .proto file, or it lies in no proto path.
    """
    for folder in proto_paths:
        if not folder.is_dir():
            raise InputError(f"no such folder: {folder}")
    groups: dict[Path, SourceGroup] = {}
    for path in paths:
        for file in _proto_files(path):
            root = _root(file, path, proto_paths)
            group = groups.setdefault(root, SourceGroup(root, out or root, proto_paths or [root]))
            name = Path(os.path.relpath(file, root)).as_posix()
            if name not in group.names:
                group.names.append(name)
    for group in groups.values():
        group.names.sort()
    return list(groups.values())


def _proto_files(path: Path) -> Sequence[Path]:
    if path.is_dir():
        files = sorted(_walk(path))
        if not files:
            raise InputError(f"no .proto files in {path}")
        return files
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    if path.suffix != ".proto":
        raise InputError(f"not a .proto file: {path}")
    return [path]


def _walk(folder: Path) -> Iterator[Path]:
    for current, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(current, name) for name in files if name.endswith(".proto"))


def _root(file: Path, path: Path, proto_paths: Sequence[Path]) -> Path:
    if not proto_paths:
        return path if path.is_dir() else path.parent
    for root in proto_paths:
        # abspath, not resolve: a link keeps the place where it stands.
        if Path(os.path.abspath(file)).is_relative_to(os.path.abspath(root)):
            return root
    looked_in = ", ".join(str(root) for root in proto_paths)
    raise InputError(f"{file} lies in none of the proto paths: {looked_in}")
