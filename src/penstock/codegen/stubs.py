"""What protoc's stubs lack for strict type checkers."""

import re

__all__ = ["complete_stub"]

_BARE_MAPPING = re.compile(r", _Mapping\]")


def complete_stub(source: str) -> str:
    """Name the types inside the mappings of a `_pb2.pyi`.

    For a field that is a message, protoc writes a constructor that also takes a `Mapping`, without saying of what;
    `mypy --strict` counts that as an error of whoever checks the stub. The keys are field names.
    """
    return _BARE_MAPPING.sub(", _Mapping[str, object]]", source)
