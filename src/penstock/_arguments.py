"""Is an argument of the kind it has to be? What is not would fail later, far from the mistake, or change nothing."""

from __future__ import annotations

import asyncio
from typing import TypeGuard

from penstock.compression import Compression
from penstock.errors import UsageError


def check_kind(given: object, kind: type, what: str) -> None:
    """Look at an argument that may be left out.

    Raises:
        UsageError: It is neither of this kind nor `None`; the text begins with `what`.
    """
    if given is not None and not isinstance(given, kind):
        msg = f"{what}, not {given!r}"
        raise UsageError(msg)


def check_flag(name: str, given: object) -> None:
    """Look at what is done or not.

    Raises:
        UsageError: It is neither True nor False; something empty or "no" would count as one of them.
    """
    if not isinstance(given, bool):
        msg = f"{name} is True or False, not {given!r}"
        raise UsageError(msg)


def is_number(given: object) -> TypeGuard[float]:
    """It is a number, of seconds for example, and neither a yes nor a no."""
    return isinstance(given, (int, float)) and not isinstance(given, bool)


def check_grace(given: object) -> None:
    """Look at what calls get to end by themselves when a server stops.

    Raises:
        UsageError: It is no number of seconds, or one below 0.
    """
    if not is_number(given) or not given >= 0:
        msg = f"grace is a number of seconds, 0 or more, not {given!r}"
        raise UsageError(msg)


def check_here(loop: asyncio.AbstractEventLoop, what: str) -> None:
    """Look where something is called that belongs to a loop.

    Raises:
        UsageError: The loop runs in another thread. What is no longer running is harmless from here.
    """
    if loop is not asyncio.get_running_loop() and loop.is_running():
        msg = f"{what} in another loop than its own: asyncio.run_coroutine_threadsafe({what}, its_loop).result()"
        raise UsageError(msg)


def check_compression(given: object) -> None:
    """Look at a compression that may be left out.

    Raises:
        UsageError: It is something else, its name for example.
    """
    check_kind(given, Compression, "compression is penstock.Compression.GZIP or another of its members")
