"""The corpus of .proto files, and descriptors of .proto text written in a test."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from penstock.codegen.protoc import compile_group
from penstock.codegen.sources import SourceGroup

PROJECT = Path(__file__).parents[3]
CORPUS = Path(__file__).parent / "corpus"
GOLDEN = Path(__file__).parent / "golden"


def write_proto(folder: Path, text: str, name: str = "sample.proto") -> Path:
    """Write a proto3 file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'syntax = "proto3";\n{text}', "utf-8")
    return path


def describe(folder: Path, text: str) -> FileDescriptorProto:
    """Give the descriptor of one .proto text that imports nothing."""
    write_proto(folder, text)
    return describe_folder(folder, "sample.proto")[-1]


def describe_folder(folder: Path, *names: str) -> Sequence[FileDescriptorProto]:
    """Give the descriptors of some files of a folder and of what they import, imports first."""
    with tempfile.TemporaryDirectory() as scratch:
        group = SourceGroup(folder, Path(scratch), [folder], list(names))
        return compile_group(group, Path(scratch), grpc=False).files
