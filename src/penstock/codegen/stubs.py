"""Stubs that protoc wrote, made whole for strict type checkers."""

import re

__all__ = ["complete_stub"]

_BARE_MAPPING = re.compile(r", _Mapping\]")
_IMPORT = re.compile(r"^(?:from [\w.]+ )?import \w+ as (_\w+)\n", re.MULTILINE)


def complete_stub(source: str) -> str:
    """Mend what `mypy --strict` and pyright's strict mode count as an error of whoever checks a `_pb2.pyi`.

    - For a field that is a message, protoc writes a constructor that also takes a `Mapping`, without saying of what.
      The keys are field names.
    - It imports the modules of all .proto files that this one imports, also where only services name their messages.
    """

    def used(match: re.Match[str]) -> str:
        return match[0] if len(re.findall(rf"\b{match[1]}\b", source)) > 1 else ""

    return _IMPORT.sub(used, _BARE_MAPPING.sub(", _Mapping[str, object]]", source))
