"""Python names for the names of a .proto file."""

import keyword
import re
from collections.abc import Collection

__all__ = ["constant_name", "method_name", "snake_case"]

_ACRONYM_THEN_WORD = re.compile(r"([A-Z]+)([A-Z][a-z])")
_LOWER_THEN_UPPER = re.compile(r"([a-z0-9])([A-Z])")


def snake_case(name: str) -> str:
    """Turn the name of an rpc into lower-case words: GetURLOf becomes get_url_of."""
    name = _ACRONYM_THEN_WORD.sub(r"\1_\2", name)
    return _LOWER_THEN_UPPER.sub(r"\1_\2", name).lower()


def method_name(rpc_name: str, reserved: Collection[str]) -> str:
    """Give the Python method of an rpc.

    Leading underscores go: Python gives them a meaning (private, mangled, special) that an rpc does not have.

    Args:
        rpc_name: As the .proto has it.
        reserved: Names that mean something else in the class; like keywords they get a trailing underscore.
    """
    name = snake_case(rpc_name).lstrip("_")
    if not name or name[0].isdigit():
        name = f"rpc_{name}"
    if keyword.iskeyword(name) or name in reserved:
        return f"{name}_"
    return name


def constant_name(*words: str) -> str:
    """Give the private constant for some Python names: ("echo", "both_stream") becomes _ECHO_BOTH_STREAM."""
    return "_" + "_".join(word.strip("_") for word in words).upper()
