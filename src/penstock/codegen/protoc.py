"""Runs protoc, the one that grpcio-tools brings, as a child process."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from penstock.codegen.errors import MissingProtocError, ProtocError
from penstock.codegen.sources import SourceGroup

__all__ = ["Compiled", "compile_group"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """What protoc made of some .proto files."""

    files: Sequence[FileDescriptorProto]
    """Descriptors with comments, of the files and of everything they import."""
    warnings: str
    """What protoc said although it succeeded, such as an unused import; often empty."""


def compile_group(group: SourceGroup, folder: Path, *, grpc: bool) -> Compiled:
    """Write the message modules (`_pb2.py`, `_pb2.pyi`) of some .proto files.

    Waits until: protoc ends.

    Args:
        group: The .proto files.
        folder: Where the modules go; it exists.
        grpc: Write `_pb2_grpc.py` too.

    Raises:
        MissingProtocError: grpcio-tools is not installed.
        ProtocError: protoc refused the files.
    """
    if importlib.util.find_spec("grpc_tools") is None:
        raise MissingProtocError("there is no protoc here: grpcio-tools is not installed")
    descriptors = folder / ".descriptors"
    arguments = [
        *(f"--proto_path={path}" for path in group.proto_paths),
        f"--python_out={folder}",
        f"--pyi_out={folder}",
        *([f"--grpc_python_out={folder}"] if grpc else []),
        f"--descriptor_set_out={descriptors}",
        "--include_imports",
        "--include_source_info",
        *(str(group.root / name) for name in group.names),
    ]
    # -P: a module of the folder we run in must not stand in for one that protoc imports.
    command = [sys.executable, "-P", "-m", "grpc_tools.protoc", *arguments]
    child = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if child.returncode != 0:
        raise ProtocError(child.stderr.strip() or f"protoc ended with code {child.returncode}")
    descriptor_set = FileDescriptorSet.FromString(descriptors.read_bytes())
    descriptors.unlink()
    return Compiled(list(descriptor_set.file), child.stderr.strip())
