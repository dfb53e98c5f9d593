"""Where channels, servers, calls and generators were made, while somebody looks for what is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import penstock
from penstock import _handlers
from penstock._client_call import ClientCall
from penstock._steps import Steps
from penstock.channel import Channel
from penstock.server import Server

PACKAGE = Path(penstock.__file__).parent
NOT_ORIGINS = (
    str(PACKAGE),
    str(PACKAGE.with_name("pytest_penstock")),
    str(Path(asyncio.__file__).parent),
    contextlib.__file__,
)
GENERATED = "_penstock.py"
FRAMES = 3
"""So many callers are told: the line, and who called the function it is in."""

made_at: WeakKeyDictionary[object, str] = WeakKeyDictionary()
"""Of what was made while somebody looked."""
_lookers = 0
_originals: list[tuple[Any, str, Any]] = []


def start() -> None:
    """Remember origins from now on. It costs some microseconds for each call."""
    global _lookers  # noqa: PLW0603 - what is patched is global too
    _lookers += 1
    if _lookers > 1:
        return
    for made in (Channel, Server, ClientCall):
        _patch(made, "__init__", _remembering_first)
    _patch(_handlers, "_send_all", _remembering_generator)
    _patch(Steps, "__init__", _remembering_generator_of_steps)


def stop() -> None:
    """End what `start` began; once for each time."""
    global _lookers  # noqa: PLW0603 - as above
    _lookers -= 1
    if not _lookers:
        while _originals:
            setattr(*_originals.pop())


def known(kind: type) -> Iterator[Any]:
    """Give what still lives of a kind, of all that was made while somebody looked."""
    return (thing for thing in list(made_at) if isinstance(thing, kind))


def where(thing: object) -> str:
    """Tell where something was made, as the end of a sentence."""
    origin = None if thing is None else made_at.get(thing)
    return f", made at {origin}" if origin else ""


def waits_at(coroutine: Any) -> str:
    """Tell the innermost line of a program's own that a coroutine has come to, as the end of a sentence."""
    at = ""
    while coroutine is not None:
        kind = next((kind for kind in ("cr", "ag", "gi") if hasattr(coroutine, f"{kind}_frame")), None)
        frame = None if kind is None else getattr(coroutine, f"{kind}_frame")
        if frame is None:
            break
        if not frame.f_code.co_filename.startswith(NOT_ORIGINS):
            at = f", waits at {frame.f_code.co_filename}:{frame.f_lineno}"
        coroutine = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
    return at


def _patch(owner: Any, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    _originals.append((owner, name, original))
    setattr(owner, name, wrap(original))


def _remembering_first(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def remembering(made: object, *arguments: Any, **options: Any) -> Any:
        made_at[made] = _caller()
        return function(made, *arguments, **options)

    return remembering


def _remembering_generator(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def remembering(replies: object, call: Any) -> Any:
        _remember_generator(replies, call)
        return function(replies, call)

    return remembering


def _remembering_generator_of_steps(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def remembering(steps: Steps, replies: object, call: Any, *others: object) -> Any:
        _remember_generator(replies, call)
        return function(steps, replies, call, *others)

    return remembering


def _remember_generator(replies: object, call: Any) -> None:
    code = getattr(replies, "ag_code", None) or getattr(replies, "gi_code", None)
    if code is not None:
        made_at[replies] = f"{code.co_filename}:{code.co_firstlineno} in {code.co_qualname}, for {call.method}"


def _caller() -> str:
    """The nearest lines of code that are neither Penstock's nor the loop's."""
    lines: list[str] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and len(lines) < FRAMES:
        name = frame.f_code.co_filename
        if not name.startswith(NOT_ORIGINS) and not name.endswith(GENERATED):
            lines.append(f"{name}:{frame.f_lineno} in {frame.f_code.co_qualname}")
        elif lines:
            break  # the loop: from here on it is nobody's code
        frame = frame.f_back
    return " < ".join(lines)
