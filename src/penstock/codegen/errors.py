"""What goes wrong while code is generated.

    GeneratorError              the answer to the user is the text of the error
    ├── ProtocError             protoc refused the files; the text is protoc's own
    ├── MissingProtocError      grpcio-tools, which brings protoc, is not installed
    ├── InputError              a path that is not there, or a folder without .proto files
    └── OutputError             a file that cannot be written

The generator is a build tool: these never appear in a program that makes or serves calls,
so they stand beside the tree of `penstock.errors`, not in it.
"""

__all__ = ["GeneratorError", "InputError", "MissingProtocError", "OutputError", "ProtocError"]


class GeneratorError(Exception):
    """No code can be made; the text says which file and why."""


class ProtocError(GeneratorError):
    """protoc refused the files; the text is what protoc printed."""


class MissingProtocError(GeneratorError):
    """The package that brings protoc is not installed."""


class InputError(GeneratorError):
    """What was given names nothing to generate from, or nothing to generate for."""


class OutputError(GeneratorError):
    """A file cannot be written; the text says which one and why."""
