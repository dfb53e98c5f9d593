"""The outcome of a call: a code, a message, details."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["Status", "StatusCode"]


class StatusCode(IntEnum):
    """Status codes of gRPC. Source: gRPC statuscodes.md."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ended."""

    code: StatusCode
    """The code; `OK` only if the peer said so."""

    message: str = ""
    """For people, in any script; empty for most successful calls."""

    details: tuple[Message, ...] = ()
    """Structured details, each a `google.protobuf.Any`, in the order of the wire."""
