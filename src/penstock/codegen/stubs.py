"""Stubs that protoc wrote, made whole for strict type checkers."""

import re

__all__ = ["complete_stub"]

_BARE_MAPPING = re.compile(r", _Mapping\]")
_TOP_NUMBER = re.compile(r"^(\w+_FIELD_NUMBER: )_ClassVar\[int\]$", re.MULTILINE)
_EXTENSIONS = re.compile(r"^( +Extensions: )_python_message\._ExtensionDict$", re.MULTILINE)
_TYPING = re.compile(r"^from typing import (?=ClassVar as _ClassVar)", re.MULTILINE)
_IMPORT = re.compile(r"^(?:from [\w.]+ )?import \w+ as (_\w+)\n", re.MULTILINE)


def complete_stub(source: str) -> str:
    """Mend what `mypy --strict` and pyright's strict mode count as an error of whoever checks a `_pb2.pyi`.

    - For a field that is a message, protoc writes a constructor that also takes a `Mapping`, without saying of what.
      The keys are field names.
    - It imports the modules of all .proto files that this one imports, also where only services name their messages.
    - It declares numbers of extensions at the top of a file as `ClassVar`, and `Extensions` with a type that no stub
      has. Which extensions fit a message, and their types, stay unsaid.
    """
    source = _TOP_NUMBER.sub(r"\1int", _BARE_MAPPING.sub(", _Mapping[str, object]]", source))
    source, found = _EXTENSIONS.subn(r"\1_Any", source)
    if found:
        source = _TYPING.sub("from typing import Any as _Any, ", source)

    def used(match: re.Match[str]) -> str:
        return match[0] if len(re.findall(rf"\b{match[1]}\b", source)) > 1 else ""

    return _IMPORT.sub(used, source)
