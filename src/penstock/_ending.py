"""How a call ends, on either side: once, whatever the way, and everybody who waits is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from penstock import _engine
from penstock._details import KEY as DETAILS_KEY
from penstock._details import unpack
from penstock.ends import End
from penstock.errors import Origin, RpcError, outcome
from penstock.metadata import Metadata
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from penstock._life import State
    from penstock.metadata import MetadataValue

SendT = TypeVar("SendT")
ReceiveT = TypeVar("ReceiveT")

OK = Status(StatusCode.OK)
CANCELLED = Status(StatusCode.CANCELLED, "cancelled by this side")

ENDS = {"status": End.RAISED, "broken": End.BROKEN, "limit": End.LIMIT}
"""What the engine says ended a call, where that says all."""

# In Python 3.11 a member costs 200 ns each time it is looked up in its class; these are used by every call.
RETURNED = End.RETURNED
LOCAL, REMOTE = Origin.LOCAL, Origin.REMOTE

CANCEL = 8
"""HTTP/2 error code. Source: RFC 9113 section 7."""


class EndingStream(_engine.StreamBase[SendT, ReceiveT]):
    """The end of a stream, and the waits that it cuts short."""

    __slots__ = ("_end", "_error", "_life", "_loop", "_status", "_told", "_trailers")

    _life: State
    _loop: asyncio.AbstractEventLoop
    _status: Status | None
    _end: End | None
    _error: RpcError | None
    _trailers: list[tuple[str, MetadataValue]] | None
    _told: int

    @property
    def status(self) -> Status | None:
        """How the call ended; `None` before the end."""
        return self._status

    @property
    def end(self) -> End | None:
        """Why the call ended, as this side saw it; `None` before the end."""
        return self._end

    def cancel(self) -> None:
        """End the call now, on both sides, with CANCELLED. Harmless after the end."""
        self._close(CANCELLED, End.LEFT)

    # Waiting.

    async def _before_telling_again(self) -> None:
        # A loop that throws the outcome away and asks again must not hold up the event loop, its own end included.
        if self._told:
            await asyncio.sleep(0)
        # Not the task: it and its frames would hold the call, and the call would hold it.
        self._told = id(asyncio.current_task())

    # The end.

    def _on_ended(
        self,
        code: int,
        message: str,
        trailers: list[tuple[str, MetadataValue]] | None,
        origin: str,
        cause: str,
        unprocessed: bool,
    ) -> None:
        if code == 0:
            self._conclude(Status(StatusCode.OK, message) if message else OK, REMOTE, RETURNED, trailers)
            return
        packed = Metadata(trailers).get(DETAILS_KEY)
        details = unpack(packed) if isinstance(packed, bytes) else ()
        status = Status(StatusCode(code), message, details)
        status, end = self._judge(status, self._why(status, cause, unprocessed))
        self._conclude(status, Origin(origin), end, trailers, retryable=unprocessed)

    def _why(self, status: Status, cause: str, unprocessed: bool) -> End:
        if unprocessed:
            return End.UNPROCESSED
        if cause == "reset":
            return End.PEER_CANCELLED if status.code == StatusCode.CANCELLED else End.PEER_RESET
        return ENDS[cause]

    def _judge(self, status: Status, end: End) -> tuple[Status, End]:
        """What the peer says, as this side sees it."""
        return status, end

    def _conclude(
        self,
        status: Status,
        origin: Origin,
        end: End,
        trailers: list[tuple[str, MetadataValue]] | None = None,
        *,
        retryable: bool = False,
    ) -> None:
        """Every way to end comes here, once; but the end of the connection comes to many calls together."""
        if self._status is not None:
            return
        self._ends()[end] += 1
        self._status = status
        self._end = end
        self._trailers = trailers
        if status.code:  # not OK, which is 0
            self._error = outcome(status, origin, trailers, retryable=retryable)
        self._wake_all()
        self._on_concluded(status, end)

    def _end_with_connection(self, status: Status, end: End, error: RpcError) -> bool:
        """Write the end down; it is counted elsewhere, and `_settle` comes later. False: the call has ended before."""
        if self._status is not None:
            return False
        # Nobody raises this error itself, so one does for all.
        self._status, self._end, self._error = status, end, error
        return True

    def _settle(self) -> None:
        """Let follow what follows from an end that was written down. Harmless when repeated, and before the end."""
        status, end = self._status, self._end
        if status is not None and end is not None and hasattr(self._life, "end"):
            self._wake_all()
            self._on_concluded(status, end)

    def _wake_all(self) -> None:
        """Tell whoever waits to send or to receive."""
        raise NotImplementedError

    def _on_concluded(self, status: Status, end: End) -> None:
        """For the side that holds the call: tell of the end, and give back its place."""

    def _ends(self) -> dict[End, int]:
        """The counts of this side."""
        raise NotImplementedError

    def _tell(self, status: Status, end: End) -> None:
        """Say in the log how the call ended."""
        raise NotImplementedError

    def _close(self, status: Status, end: End) -> None:
        """End the call from this side, if it has not ended: the one way to do so."""
        raise NotImplementedError

    def _overrule(self, status: Status, end: End) -> RpcError:
        """End the call with what this side found wrong, even if the peer has ended it with OK meanwhile."""
        before = self._end
        self._close(status, end)
        if before is not None:
            self._settle()
            self._reset(CANCEL)  # drops what nobody took
            self._status, self._end = status, end
            self._error = outcome(status, Origin.LOCAL)
            counts = self._ends()
            counts[before] -= 1
            counts[end] += 1
            self._tell(status, end)
        return self._fresh_error()

    def _check_going(self) -> None:
        """Raise how the call ended, if it has: what was cancelled for that may have gone on all the same."""
        if self._error is not None:
            raise self._fresh_error()

    def _check_usable(self) -> None:
        """Raise UsageError if the call is not open yet."""

    def _fresh_error(self) -> RpcError:
        """The outcome, as a new exception: one raised twice would grow its traceback and show the wrong one."""
        error = self._error
        if error is None:
            return self._lost()
        return outcome(error.status, error.origin, error.metadata, retryable=error.retryable)

    def _lost(self) -> RpcError:
        return outcome(Status(StatusCode.UNAVAILABLE, "the connection is gone"), Origin.TRANSPORT)


async def close_here(iterator: object) -> None:
    """Close a generator in this task and context: its `finally` blocks run now, not when memory is collected."""
    close = getattr(iterator, "aclose", None)
    if close is None:
        return
    try:
        await close()
    except BaseExceptionGroup as group:
        # A task group around its `yield` puts into a group what only says that it is closed.
        if group.split(GeneratorExit)[1] is not None:
            raise


def end_of(error: BaseException | None) -> End:
    """Why a call ends whose block, or whose `await`, is left with this before the call had ended."""
    if isinstance(error, asyncio.CancelledError):
        return End.TASK_CANCELLED
    return End.EXITED if isinstance(error, SystemExit | KeyboardInterrupt) else End.LEFT
