"""The length of the functions of a Rust file, by matching braces."""

import re
from collections.abc import Iterator

from tools.python_sizes import Body

# What may hold a brace that is none, or text that is no code. A lifetime ('a) is no character.
NOT_CODE = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | b?r(?P<hashes>\#*)".*?"(?P=hashes)
      | b?"(?:\\.|[^"\\])*"
      | b?'(?:\\(?:u\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|.)|[^'\\\n])'
    """,
    re.VERBOSE | re.DOTALL,
)
FUNCTION = re.compile(r"\bfn\s+(\w+)")


def bodies(text: str) -> Iterator[Body]:
    """Give every function with a body, inner ones too; a trait's declarations have none."""
    code = strip(text)
    for match in FUNCTION.finditer(code):
        start = _opening_brace(code, match.end())
        if start is not None:
            inside = code[start + 1 : _closing_brace(code, start)]
            count = sum(1 for line in inside.split("\n") if line.strip())
            yield Body(match.group(1), code.count("\n", 0, match.start()) + 1, count)


def strip(text: str) -> str:
    """Replace comments by nothing and texts by `""`, and keep every line where it is."""

    def blank(match: re.Match[str]) -> str:
        # Each line of a long text counts as code; those of a comment do not.
        empty = "" if match.group().startswith("/") else '""'
        return "\n".join([empty] * (match.group().count("\n") + 1))

    return NOT_CODE.sub(blank, text)


def _opening_brace(code: str, position: int) -> int | None:
    """Find the brace after a signature; None where a `;` ends it (one in an array type does not count)."""
    depth = 0
    for index in range(position, len(code)):
        character = code[index]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif depth == 0 and character in "{;":
            return index if character == "{" else None
    return None


def _closing_brace(code: str, opening: int) -> int:
    depth = 0
    for index in range(opening, len(code)):
        depth += {"{": 1, "}": -1}.get(code[index], 0)
        if depth == 0:
            return index
    return len(code)
