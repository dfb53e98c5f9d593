"""`penstock generate`: Python from .proto files."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Generate typed Python from .proto files: X_pb2.py and X_pb2.pyi for messages, X_penstock.py for services.
Prints the path of each file it wrote. Writes nothing unless everything could be generated.
"""
_EXAMPLES = """\
examples:
  penstock generate proto                     everything in the folder proto, beside the .proto files
  penstock generate proto --out src/app/api   the same into a package of its own
  penstock generate proto/a.proto -I proto    one file; what it imports is found in proto
"""
_IMPORT_HINT = "hint: --proto-path DIR says which folder the names in import statements count from"


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "generate",
        help="Python from .proto files",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a .proto file, or a folder of them")
    parser.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: beside the .proto files)")
    parser.add_argument(
        "-I",
        "--proto-path",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        dest="proto_paths",
        help="folder that names in import statements count from; may be repeated "
        "(default: the PATH itself if it is a folder, else the folder it is in)",
    )
    parser.add_argument(
        "--imports",
        choices=["relative", "absolute"],
        default="relative",
        help="how generated modules import each other (default: relative, for use inside a package)",
    )
    parser.add_argument("--grpc", action="store_true", help="write X_pb2_grpc.py for grpcio too")
    parser.add_argument(
        "--pool",
        metavar="MODULE",
        help="put the descriptors into the POOL of this module, not into the pool that the whole process shares",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code."""
    # Only here: every other command runs without protobuf's descriptors and the generator.
    from penstock.codegen.errors import GeneratorError, InputError, MissingProtocError, ProtocError
    from penstock.codegen.generate import generate

    try:
        generated = generate(
            options.paths,
            out=options.out,
            proto_paths=options.proto_paths,
            relative=options.imports == "relative",
            grpc=options.grpc,
            pool=options.pool,
        )
    except MissingProtocError as error:
        return _fail(f"error: {error}\nhint: pip install grpcio-tools", 2)
    except InputError as error:
        return _fail(f"error: {error}", 2)
    except ProtocError as error:
        return _fail(f"{error}\n{_IMPORT_HINT}" if ": File not found." in str(error) else str(error), 1)
    except (GeneratorError, OSError) as error:
        return _fail(f"error: {error}", 1)
    if generated.warnings:
        print(generated.warnings, file=sys.stderr)
    for path in generated.paths:
        print(path)
    return 0


def _fail(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code
