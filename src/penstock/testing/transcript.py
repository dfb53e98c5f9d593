"""Frames of HTTP/2 as lines of text: what a script says, and what was seen."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from penstock.errors import UsageError

Direction: TypeAlias = Literal["<", ">", "~"]

ERRORS = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)
"""By their numbers. Source: RFC 9113 section 7."""

SETTINGS = {
    "HEADER_TABLE_SIZE": 1,
    "ENABLE_PUSH": 2,
    "MAX_CONCURRENT_STREAMS": 3,
    "INITIAL_WINDOW_SIZE": 4,
    "MAX_FRAME_SIZE": 5,
    "MAX_HEADER_LIST_SIZE": 6,
}
"""Source: RFC 9113 section 6.5.2."""

FLAGS = frozenset({"END_STREAM", "ACK"})
WITH_STREAM = frozenset({"HEADERS", "DATA", "RST_STREAM", "WINDOW_UPDATE"})
WITHOUT_STREAM = frozenset({"SETTINGS", "PING", "GOAWAY"})
NO_FRAMES = frozenset({"CLOSE", "ABORT", "RAW"})
SHORT_BYTES = 32
"""Payloads up to this are shown whole."""


@dataclass(frozen=True)
class Line:
    """One frame, or what else happens on a connection."""

    kind: str
    """`HEADERS`, `DATA`, ... as in RFC 9113; `CLOSE`, `ABORT`, `RAW`."""
    stream: int = 0
    flags: frozenset[str] = frozenset()
    fields: tuple[tuple[str, str], ...] = ()
    """Names and values, in order."""
    unshown: tuple[tuple[str, str], ...] = ()
    """Other ways to say the same, for comparison."""

    def __str__(self) -> str:
        words = [self.kind]
        if self.kind in WITH_STREAM:
            words.append(str(self.stream))
        words += sorted(self.flags)
        for name, value in self.fields:
            words.append(value if name == "error" else shlex.quote(f"{name}={value}"))
        return " ".join(words)

    def fits(self, seen: Line) -> bool:
        """What was seen is what this line says; fields that it does not name may be anything."""
        same = (self.kind, self.stream, self.flags) == (seen.kind, seen.stream, seen.flags)
        return same and set(self.fields) <= {*seen.fields, *seen.unshown}

    def value(self, name: str, default: str | None = None) -> str:
        """Give a field.

        Raises:
            UsageError: It is not there, and there is no default.
        """
        for key, value in self.fields:
            if key == name:
                return value
        if default is None:
            msg = f"{self.kind} needs {name}="
            raise UsageError(msg)
        return default


@dataclass(frozen=True)
class Step:
    """One line of a script."""

    direction: Direction
    """`<`: the peer waits for it. `>`: the peer says it. `~`: the peer pauses."""
    line: Line = field(default_factory=lambda: Line("PAUSE"))
    pause_seconds: float = 0.0

    def __str__(self) -> str:
        return f"~ {self.pause_seconds:g}" if self.direction == "~" else f"{self.direction} {self.line}"


def steps_of(script: str) -> list[Step]:
    """Read a script; blank lines and what follows a `#` say nothing.

    Raises:
        UsageError: A line has another form; the text shows it.
    """
    steps = []
    for number, text in enumerate(script.splitlines(), 1):
        try:
            words = shlex.split(text, comments=True)
            if words:
                steps.append(_step(words))
        except (ValueError, UsageError) as error:
            msg = f"line {number} of the script, {text.strip()!r}: {error}"
            raise UsageError(msg) from error
    return steps


def error_name(number: int) -> str:
    """The name of an error code, or its number."""
    return ERRORS[number] if number < len(ERRORS) else str(number)


def error_number(name: str) -> int:
    """The number of an error code, or of a number.

    Raises:
        UsageError: It is neither.
    """
    if name.isdigit():
        return int(name)
    if name not in ERRORS:
        msg = f"{name} is no error code of HTTP/2"
        raise UsageError(msg)
    return ERRORS.index(name)


def _step(words: list[str]) -> Step:
    direction, *rest = words
    if direction == "~" and len(rest) == 1:
        return Step("~", pause_seconds=float(rest[0]))
    if direction not in {"<", ">"} or not rest:
        msg = "a line begins with `<` (it comes), `>` (it is said) or `~ seconds`, then names a frame"
        raise UsageError(msg)
    return Step(">" if direction == ">" else "<", _line(*rest))


def _line(kind: str, *words: str) -> Line:
    if kind not in WITH_STREAM | WITHOUT_STREAM | NO_FRAMES:
        known = ", ".join(sorted(WITH_STREAM | WITHOUT_STREAM | NO_FRAMES))
        msg = f"{kind} is none of {known}"
        raise UsageError(msg)
    stream, rest = 0, list(words)
    if kind in WITH_STREAM:
        if not rest or not rest[0].isdigit():
            msg = f"{kind} needs the number of a stream"
            raise UsageError(msg)
        stream = int(rest.pop(0))
    flags = frozenset(word for word in rest if word in FLAGS)
    fields = tuple(_field(kind, word) for word in rest if word not in FLAGS)
    return Line(kind, stream, flags, fields)


def _field(kind: str, word: str) -> tuple[str, str]:
    if kind in {"RST_STREAM", "GOAWAY"} and "=" not in word:
        return "error", error_name(error_number(word))
    if kind == "WINDOW_UPDATE" and word.startswith("+"):
        return "increment", word[1:]
    if kind == "RAW":
        return "bytes", word
    # Pseudo-headers begin with a colon, values may have any sign.
    name, sign, value = word.partition("=")
    if not sign:
        msg = f"{word!r} is no name=value"
        raise UsageError(msg)
    if kind == "SETTINGS" and name not in SETTINGS:
        msg = f"{name} is no setting of HTTP/2"
        raise UsageError(msg)
    return name, value
