"""What the log says of how calls end: one line for each."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from penstock.ends import End

if TYPE_CHECKING:
    from penstock.status import Status

SERVER = logging.getLogger("penstock.server")
CLIENT = logging.getLogger("penstock.client")

EACH = {End.KILLED}
"""Told at its level every time: who kills wants to see it done. Of the others a peer can make as many as it likes."""


def tell_end(logger: logging.Logger, which: str, status: Status, end: End, told: set[End]) -> None:
    """Say how a call ended, at the level of its end; after the first of its kind on a connection at DEBUG.

    Args:
        logger: That of the side.
        which: Method and peer.
        status: What it ended with.
        end: Why.
        told: The ends that the connection has told of; this one is added.
    """
    if end is End.FAILED:
        return  # said when the handler failed, with its traceback
    level = end.level
    if end in told and end not in EACH:
        level = logging.DEBUG
    told.add(end)
    logger.log(level, "%s ended: %s, %s", which, end.name, _words(status))


def tell_failure(which: str, end: End | None, error: BaseException | None) -> None:
    """Say that a handler raised what nobody expected: that is how its call ends, unless it has ended before."""
    if end is None:
        SERVER.error("%s ended: FAILED, UNKNOWN: the handler raised an exception", which, exc_info=error)
    else:
        SERVER.error("%s: the handler raised an exception after the end, %s", which, end.name, exc_info=error)


def _words(status: Status) -> str:
    return f"{status.code.name}: {status.message}" if status.message else status.code.name
