"""Is an argument of the kind it has to be? What is not would fail later, far from the mistake, or change nothing."""

from __future__ import annotations

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


def check_compression(given: object) -> None:
    """Look at a compression that may be left out.

    Raises:
        UsageError: It is something else, its name for example.
    """
    check_kind(given, Compression, "compression is penstock.Compression.GZIP or another of its members")
