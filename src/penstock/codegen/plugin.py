"""protoc-gen-penstock: the generator as a plugin of protoc and buf.

    protoc --python_out=. --pyi_out=. --penstock_out=. --penstock_opt=imports=relative echo.proto

Source: google/protobuf/compiler/plugin.proto.
"""

import sys
from collections.abc import Collection, Iterable

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import Edition
from google.protobuf.message import DecodeError

from penstock.codegen.errors import GeneratorError
from penstock.codegen.modules import module_name
from penstock.codegen.service_file import generate_file

__all__ = ["main", "respond", "service_path"]


_USAGE = """\
protoc-gen-penstock is a plugin that protoc or buf runs; it writes X_penstock.py for the services of X.proto:
    protoc --python_out=OUT --pyi_out=OUT --penstock_out=OUT [--penstock_opt=imports=relative] X.proto
Without either of them: penstock generate X.proto"""


def main() -> None:
    """Answer the request on standard input, on standard output; say how it is used to who runs it by hand."""
    if sys.argv[1:] or sys.stdin.isatty():
        sys.exit(_USAGE)
    try:
        request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    except DecodeError as error:
        sys.exit(f"protoc-gen-penstock: standard input holds no request of protoc ({error})\n{_USAGE}")
    sys.stdout.buffer.write(respond(request).SerializeToString(deterministic=True))


def respond(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """Generate a file for each .proto of the request that has services.

    A .proto for which no code can be made becomes the error of the response, and then there are no files at all:
    protoc takes an exit code other than 0 as a bug of the plugin.
    """
    response = CodeGeneratorResponse(
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
        | CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
        minimum_edition=Edition.EDITION_PROTO2,
        maximum_edition=Edition.EDITION_2024,
    )
    try:
        relative = _relative_files(request.parameter, (file.name for file in request.proto_file))
        files = {file.name: file for file in request.proto_file}
        for name in request.file_to_generate:
            if files[name].service:
                text = generate_file(files[name], files.values(), relative)
                response.file.add(name=service_path(name), content=text)
    except GeneratorError as error:
        response.ClearField("file")
        response.error = str(error)
    return response


def service_path(proto_path: str) -> str:
    """Give the path of the file generated for a .proto: a/b.proto becomes a/b_penstock.py."""
    return module_name(proto_path, "_penstock").replace(".", "/") + ".py"


def _relative_files(parameter: str, names: Iterable[str]) -> Collection[str]:
    """Read the parameter: `imports=absolute` (as protoc's own modules import each other) or `imports=relative`.

    The plugin does not see which modules will lie in the same package. Under `google/` stand files whose modules
    come from installed packages (protobuf, googleapis-common-protos); all others are taken to lie together.
    """
    style = "absolute"
    for option in filter(None, parameter.split(",")):
        key, _, style = option.partition("=")
        if key != "imports" or style not in {"absolute", "relative"}:
            raise GeneratorError(f"unknown parameter {option!r}; hint: imports=absolute or imports=relative")
    return frozenset(name for name in names if style == "relative" and not name.startswith("google/"))
