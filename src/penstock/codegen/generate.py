"""Everything from .proto to Python: message modules by protoc, service modules by our generator."""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from penstock.codegen.errors import InputError, OutputError
from penstock.codegen.modules import module_name
from penstock.codegen.plugin import service_path
from penstock.codegen.private_pool import use_pool
from penstock.codegen.protoc import Compiled, compile_group
from penstock.codegen.relative_imports import make_relative
from penstock.codegen.service_file import generate_file
from penstock.codegen.sources import SourceGroup, find_sources
from penstock.codegen.stubs import complete_stub

__all__ = ["Generated", "generate"]


@dataclass(frozen=True, slots=True)
class Generated:
    """What one run wrote."""

    paths: Sequence[Path]
    """The files written, sorted."""
    warnings: str
    """What protoc said although it succeeded; often empty."""


def generate(
    paths: Sequence[Path],
    *,
    out: Path | None = None,
    proto_paths: Sequence[Path] = (),
    relative: bool = True,
    grpc: bool = False,
    pool: str | None = None,
) -> Generated:
    """Generate `_pb2.py`, `_pb2.pyi` and, where there are services, `_penstock.py`.

    Nothing is written unless everything could be generated; files are put in place whole.

    Args:
        paths: .proto files, and folders that are searched to any depth.
        out: Output folder, made if it is missing; None means beside the .proto files.
        proto_paths: As protoc's `-I`. None given: a folder is its own, a file's is the folder it is in.
        relative: Import modules of the same output folder relatively, for use inside a package. Modules that lie
            elsewhere (installed ones, such as google.protobuf) are imported by full name either way.
        grpc: Write `_pb2_grpc.py` too, for programs that use grpcio beside penstock.
        pool: Full name of a module whose `POOL` takes the descriptors; None means the pool of the whole process.

    Raises:
        InputError: The paths name nothing to generate from, or `pool` is no name of a module.
        MissingProtocError: grpcio-tools is not installed.
        ProtocError: protoc refused the files.
        OutputError: A file cannot be written.
        GeneratorError: Two rpcs of a service get the same Python name.
    """
    groups = find_sources(paths, out, proto_paths)
    texts: dict[Path, str] = {}
    warnings: list[str] = []
    for group in groups:
        with tempfile.TemporaryDirectory(prefix="penstock-generate-") as folder:
            compiled = compile_group(group, Path(folder), grpc=grpc)
            together = _lying_together(compiled.files, group, groups) if relative else frozenset()
            made = {
                **_message_texts(Path(folder), {module_name(name) for name in together}, pool),
                **_service_texts(group, compiled, together),
            }
        warnings.append(compiled.warnings)
        for name, text in made.items():
            path = group.out / name
            if path in texts:
                raise InputError(f"two .proto files would both become {path}; give a proto path that contains both")
            texts[path] = text
    _write_all(texts)
    return Generated(sorted(texts), "\n".join(filter(None, warnings)))


def _lying_together(
    files: Sequence[FileDescriptorProto], group: SourceGroup, groups: Sequence[SourceGroup]
) -> Collection[str]:
    """Find the .proto files whose modules lie in the output folder: written in this run, or there from before."""
    written = {name for other in groups if other.out == group.out for name in other.names}
    return frozenset(
        file.name
        for file in files
        if file.name in written or (group.out / f"{module_name(file.name).replace('.', '/')}.py").exists()
    )


def _message_texts(folder: Path, together: Collection[str], pool: str | None) -> Mapping[str, str]:
    """Read what protoc wrote, and mend it for its place and for type checkers; path below the output folder -> text."""
    texts = {}
    for path in sorted(folder.rglob("*.py*")):
        name = path.relative_to(folder)
        module = ".".join(name.with_suffix("").parts)
        text = make_relative(path.read_text("utf-8"), module, together)
        if path.suffix == ".pyi":
            text = complete_stub(text)
        elif pool is not None:
            text = use_pool(text, pool)
        texts[name.as_posix()] = text
    return texts


def _service_texts(group: SourceGroup, compiled: Compiled, together: Collection[str]) -> Mapping[str, str]:
    """Generate for the files that have services; path below the output folder -> text."""
    return {
        service_path(file.name): generate_file(file, compiled.files, together)
        for file in compiled.files
        if file.name in group.names and file.service
    }


def _write_all(texts: Mapping[Path, str]) -> None:
    """Write under other names first, then rename: a full disk leaves the old files as they were."""
    partial = {path: path.with_name(f".{path.name}.partial") for path in texts}
    try:
        for path, text in texts.items():
            with _named_in_errors(path.parent):
                path.parent.mkdir(parents=True, exist_ok=True)
            with _named_in_errors(path):
                partial[path].write_text(text, "utf-8", newline="\n")
        for path in texts:
            with _named_in_errors(path):
                partial[path].replace(path)
    finally:
        for path in partial.values():
            with suppress(OSError):  # it was never made, or the reason is told already
                path.unlink()


@contextmanager
def _named_in_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
