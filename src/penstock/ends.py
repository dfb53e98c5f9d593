"""Why a call ended. Every call ends with exactly one of these, on each side with its own: `stream.end`.

A status says what the peer is told; an end says what happened here. A client whose server closed the socket and one
whose server answered UNAVAILABLE both get that code, and their ends are `CONNECTION_LOST` and `RAISED`.
"""

from __future__ import annotations

import logging
from enum import Enum
from typing import Self

__all__ = ["End"]


class End(Enum):
    """Why a call ended, as this side saw it. `level` is that of `logging` at which the end is told, once."""

    level: int

    RETURNED = "returned", logging.DEBUG
    """The handler returned, and its status OK is on the wire; to a client: OK came."""
    RAISED = "raised", logging.DEBUG
    """The handler raised an `RpcError`, and that status is on the wire; to a client: a status other than OK came."""
    FAILED = "failed", logging.ERROR
    """The handler raised an exception that nobody expected; the client gets UNKNOWN."""
    LEFT = "left", logging.DEBUG
    """This side had enough: it left the block or the loop, or called `cancel()`."""
    TASK_CANCELLED = "task cancelled", logging.DEBUG
    """The task that made the call, or served it, was cancelled."""
    DEADLINE = "deadline", logging.DEBUG
    """The time for the whole call was over."""
    FIRST_MESSAGE = "first message", logging.INFO
    """The peer's first message did not come in time."""
    RECEIVE_IDLE = "receive idle", logging.INFO
    """No message came for too long."""
    SEND_IDLE = "send idle", logging.INFO
    """This side sent no message for too long."""
    SEND_STALLED = "send stalled", logging.WARNING
    """The peer took nothing of what was queued for it, for too long."""
    PEER_CANCELLED = "peer cancelled", logging.DEBUG
    """The peer cancelled the call."""
    PEER_RESET = "peer reset", logging.DEBUG
    """The peer reset the stream with another reason than cancellation."""
    CONNECTION_LOST = "connection lost", logging.DEBUG
    """The connection ended under the call. The connection itself says so once, at a level of its own."""
    PEER_SILENT = "peer silent", logging.DEBUG
    """The peer answered no PING, or took no bytes, and the connection was given up."""
    UNPROCESSED = "unprocessed", logging.DEBUG
    """The peer surely never saw the call: it could not be reached, refused the stream, or had said GOAWAY."""
    DRAINED = "drained", logging.INFO
    """The server stopped, and the grace was over."""
    KILLED = "killed", logging.WARNING
    """An operator ended it: `kill()`."""
    LIMIT = "limit", logging.WARNING
    """A limit was hit: the size of a message or of metadata, or a budget of bytes."""
    REFUSED = "refused", logging.DEBUG
    """It never began: too many calls, a method that nobody serves; on a client, an interceptor or credentials."""
    BROKEN = "broken", logging.WARNING
    """The peer broke a rule of gRPC or HTTP/2, or sent what cannot be decoded."""
    CLOSED = "closed", logging.DEBUG
    """The channel was closed."""
    EXITED = "exited", logging.DEBUG
    """The event loop or the process came to its end."""

    def __new__(cls, value: str, level: int = logging.DEBUG) -> Self:
        """Keep the level beside the value."""
        end = object.__new__(cls)
        end._value_ = value
        end.level = level
        return end

    # Each end is one object: counting by it should not take the detour over its name that Enum's hash takes.
    __hash__ = object.__hash__
