"""How a call ends, on either side: once, whatever the way, and everybody who waits is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from penstock import _engine
from penstock._details import KEY as DETAILS_KEY
from penstock._details import unpack
from penstock.errors import Origin, RpcError, outcome
from penstock.metadata import Metadata
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from penstock.metadata import MetadataValue

SendT = TypeVar("SendT")
ReceiveT = TypeVar("ReceiveT")

OK = Status(StatusCode.OK)

CANCEL = 8
"""HTTP/2 error code. Source: RFC 9113 section 7."""


class EndingStream(_engine.StreamBase[SendT, ReceiveT]):
    """The end of a stream, and the waits that it cuts short."""

    __slots__ = ("_began", "_error", "_loop", "_status", "_told", "_trailers", "_waiting", "id")

    id: int
    """Names the call in this process, as in `server.streams()`."""
    _began: float
    _loop: asyncio.AbstractEventLoop
    _status: Status | None
    _error: RpcError | None
    _trailers: list[tuple[str, MetadataValue]] | None
    _waiting: set[object]
    _told: bool

    @property
    def status(self) -> Status | None:
        """How the call ended; `None` before the end."""
        return self._status

    def cancel(self) -> None:
        """End the call now, on both sides, with CANCELLED. Harmless after the end."""
        self._close(Status(StatusCode.CANCELLED, "cancelled by this side"))

    # Waiting.

    async def _wait(self, waiter: asyncio.Future[None]) -> None:
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            await waiter
        finally:
            self._waiting.discard(task)
            # Left here, a cancelled task and its frames would keep each other until a garbage collection.
            del task

    async def _before_telling_again(self) -> None:
        # A loop that throws the outcome away and asks again must not hold up the event loop, its own end included.
        if self._told:
            await asyncio.sleep(0)
        self._told = True

    # The end.

    def _on_ended(
        self,
        code: int,
        message: str,
        trailers: list[tuple[str, MetadataValue]] | None,
        origin: str,
        unprocessed: bool,
    ) -> None:
        if code == 0:
            self._conclude(Status(StatusCode.OK, message) if message else OK, Origin.REMOTE, trailers)
            return
        packed = Metadata(trailers).get(DETAILS_KEY)
        details = unpack(packed) if isinstance(packed, bytes) else ()
        status = Status(StatusCode(code), message, details)
        self._conclude(self._judge(status), Origin(origin), trailers, retryable=unprocessed)

    def _judge(self, status: Status) -> Status:
        """What the peer says, as this side sees it."""
        return status

    def _conclude(
        self,
        status: Status,
        origin: Origin,
        trailers: list[tuple[str, MetadataValue]] | None = None,
        *,
        retryable: bool = False,
    ) -> None:
        """Every way to end comes here, once."""
        if self._status is not None:
            return
        self._status = status
        self._trailers = trailers
        if status.code != StatusCode.OK:
            self._error = outcome(status, origin, trailers, retryable=retryable)
        self._wake_all()
        self._on_concluded()

    def _wake_all(self) -> None:
        """Tell whoever waits to send or to receive."""
        raise NotImplementedError

    def _on_concluded(self) -> None:
        """For the side that holds the call: give back its place."""

    def _close(self, status: Status) -> None:
        """End the call from this side."""
        raise NotImplementedError

    def _overrule(self, status: Status) -> RpcError:
        """End the call with what this side found wrong, even if the peer has ended it with OK meanwhile."""
        self._close(status)
        if self._status is not status:
            self._reset(CANCEL)  # drops what nobody took
            self._status = status
            self._error = outcome(status, Origin.LOCAL)
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
