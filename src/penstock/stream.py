"""A stream of messages, as both sides see it.

How this works: the base class, in the engine, serves what need not wait. What waits comes here: `_send_waiting`,
`_receive_waiting`. The engine calls `_on_readable`, `_on_writable` and, once and last, `_on_ended`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from penstock import _engine
from penstock._details import KEY as DETAILS_KEY
from penstock._details import unpack
from penstock.errors import BusyError, ClosedError, EndOfStream, Origin, RpcError, UsageError, WouldBlock, outcome
from penstock.metadata import Metadata
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from penstock._engine import Encoded
    from penstock.metadata import MetadataValue

__all__ = ["Stream"]

SendT = TypeVar("SendT")
ReceiveT = TypeVar("ReceiveT")

QUEUED, NO_ROOM, CLOSED = 0, 1, 2
"""What `_push` answers."""

MESSAGES_PER_LOOK = 16
"""Messages `send_many` queues between two looks at the time slice."""

OK = Status(StatusCode.OK)

CANCEL = 8
"""HTTP/2 error code. Source: RFC 9113 section 7."""


class Stream(_engine.StreamBase[SendT, ReceiveT]):
    """Messages in both directions of one call.

    `send` and `receive` are independent of each other. Any task may send; a message is never torn, and messages of one
    task keep their order. One task receives at a time: a second one gets `BusyError`.
    """

    __slots__ = (
        "_ended_sending",
        "_error",
        "_loop",
        "_merged",
        "_receive_waiter",
        "_send_waiters",
        "_status",
        "_told",
        "_trailers",
        "_waiting",
    )

    def __init__(self, codec: _engine.Codec, loop: asyncio.AbstractEventLoop) -> None:
        del codec  # the base class has it
        self._loop = loop
        self._status: Status | None = None
        self._error: RpcError | None = None
        self._trailers: list[tuple[str, MetadataValue]] | None = None
        self._ended_sending = False
        self._merged: SendT | None = None
        self._receive_waiter: asyncio.Future[None] | None = None
        self._send_waiters: list[asyncio.Future[None]] = []
        self._waiting: set[object] = set()
        self._told = False

    # What a program uses. `send`, `receive` and `async for` stand in the base class.

    @property
    def status(self) -> Status | None:
        """How the call ended; `None` before the end."""
        return self._status

    def send_nowait(self, message: SendT | Encoded[SendT]) -> None:
        """Queue one message if there is room.

        Does not wait.
        Does not promise: that the peer gets it. Only a final OK does.

        Raises:
            WouldBlock: There is no room; nothing was queued.
            RpcError, EndOfStream, ClosedError, UsageError: As `send`.
        """
        payload = self._encode(message)
        pushed = self._push(payload)
        if pushed == NO_ROOM:
            msg = f"{self._queued_bytes} bytes are queued"
            raise WouldBlock(msg)
        if pushed == CLOSED:
            raise self._why_closed()

    async def send_many(self, messages: Iterable[SendT | Encoded[SendT]]) -> None:
        """Send each message of a collection; cheaper than as many `send`s.

        Waits until: the last message is queued. About every millisecond other tasks run.
        Cancelling: what was queued is a part from the beginning, each message whole.
        Concurrency: messages of other tasks may come between these.
        Does not promise: that the peer gets them. Only a final OK does.

        Args:
            messages: In the order of sending; each as for `send`.

        Raises:
            RpcError, EndOfStream, ClosedError, UsageError: As `send`; the messages before are queued.
        """
        for number, message in enumerate(messages, 1):
            if number % MESSAGES_PER_LOOK == 0:
                await self.send(message)  # it looks at the time slice, and lets others run
                continue
            payload = self._encode(message)
            if self._push(payload) != QUEUED:
                await self._send_waiting(payload)

    async def send_from(self, source: Iterable[SendT | Encoded[SendT]] | AsyncIterable[SendT | Encoded[SendT]]) -> None:
        """Send all that a sync or async iterable gives.

        An exception of the iterable cancels the call and is raised again: a source that broke must not look like a
        clean end.

        Waits until: the source is at its end and the last message is queued.
        Cancelling: what was queued is a part from the beginning, each message whole; the call goes on.
        Does not promise: that the peer gets them. Only a final OK does.

        Args:
            source: Gives messages, each as for `send`; one at a time, when there is room for it.

        Raises:
            RpcError, EndOfStream, ClosedError, UsageError: As `send`.
            Exception: Whatever the source raised.
        """
        self._check_usable()
        if self._ended_sending:
            # Nothing of the source is lost: the call, which may still have an answer to come, goes on.
            raise self._why_closed()
        try:
            if hasattr(source, "__aiter__"):
                async for message in source:
                    await self.send(message)
            else:
                for message in source:
                    await self.send(message)
        except Exception as error:
            if not isinstance(error, RpcError | EndOfStream) or self._status is None:
                self.cancel()
            raise

    async def receive_many(self, most: int = 100) -> list[ReceiveT]:
        """Receive what is there, from one message up to `most`.

        Waits until: at least one message is there, or the end.
        Cancelling: loses nothing.

        Args:
            most: At least 1.

        Returns:
            From 1 to `most` messages, in order.

        Raises:
            EndOfStream: The peer sent its last message.
            RpcError: The call ended otherwise, or a message could not be decoded (INTERNAL).
            BusyError: Another task is receiving.
            UsageError: `most` is below 1, or the call is used outside of its block.
        """
        if most < 1:
            msg = "receive_many takes at least 1"
            raise UsageError(msg)
        first = await self.receive()
        try:
            return [first, *self._take_many(most - 1)]
        except Exception as error:
            raise self._undecodable(error) from error

    def cancel(self) -> None:
        """End the call now, on both sides, with CANCELLED. Harmless after the end."""
        self._close(Status(StatusCode.CANCELLED, "cancelled by this side"))

    # Sending.

    async def _send_waiting(self, payload: bytes | Encoded[SendT]) -> None:
        while True:
            pushed = self._push(payload)
            if pushed == QUEUED:
                return
            if pushed == CLOSED:
                await self._before_telling_again()
                raise self._why_closed()
            await self._room()

    async def _room(self) -> None:
        if self._await_room():
            waiter = self._loop.create_future()
            self._send_waiters.append(waiter)
            try:
                await self._wait(waiter)
            finally:
                self._send_waiters.remove(waiter)

    async def _send_merging(self, message: SendT, merge: Callable[[SendT, SendT], SendT]) -> None:
        # While the last message is unsent, the new one goes into it: the peer sets the pace, nothing is delayed.
        if self._merged is not None:
            together = merge(self._merged, message)
            if self._replace_newest(self._encode(together)):
                self._merged = together
                return
        await self._send_waiting(self._encode(message))
        self._merged = message
        self._mark_mergeable()

    async def _yield(self) -> None:
        # Nothing is missing but time: the slice of this task is spent.
        if _engine.turn_begins():
            self._loop.call_soon(_engine.turn_over)
        await asyncio.sleep(0)
        _engine.slice_begins()

    def _why_closed(self) -> Exception:
        self._check_usable()
        if self._error is not None:
            return self._fresh_error()
        if self._ended_sending:
            return ClosedError("the sending side is closed: nothing can be sent after end_sending() or finish()")
        if self._status is not None:
            return EndOfStream("the peer has ended the call")
        return self._lost()

    # Receiving.

    async def _receive_yielding(self, iterating: bool) -> ReceiveT:
        await self._yield()
        return await self._receive_waiting(iterating)

    async def _receive_waiting(self, iterating: bool) -> ReceiveT:
        self._check_usable()
        if self._receiving:
            msg = "another task is receiving on this stream"
            raise BusyError(msg)
        self._receiving = True
        try:
            while True:
                message = self._try_take()
                if message is not None:
                    return message
                if self._is_last:
                    await self._before_telling_again()
                    raise self._why_last(iterating)
                await self._message()
        finally:
            self._receiving = False

    async def _receive_failed(self, error: BaseException) -> ReceiveT:
        raise self._undecodable(error)

    def _try_take(self) -> ReceiveT | None:
        try:
            return self._take()
        except Exception as error:
            raise self._undecodable(error) from error

    async def _message(self) -> None:
        """Wait until the engine has a message, or the end."""
        if not self._await_message():
            self._receive_waiter = waiter = self._loop.create_future()
            try:
                await self._wait(waiter)
            finally:
                self._receive_waiter = None

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

    def _why_last(self, iterating: bool) -> Exception:
        if self._error is not None:
            return self._fresh_error()
        if iterating:
            return StopAsyncIteration()
        return EndOfStream("the peer has sent its last message")

    def _undecodable(self, error: BaseException) -> BaseException:
        if not isinstance(error, Exception):
            return error
        failure = self._overrule(Status(StatusCode.INTERNAL, f"a message could not be decoded: {error}"))
        failure.__cause__ = error
        return failure

    # What the engine tells.

    def _on_readable(self) -> None:
        waiter = self._receive_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _on_writable(self) -> None:
        for waiter in self._send_waiters:
            if not waiter.done():
                waiter.set_result(None)

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
        details = Metadata(trailers).get(DETAILS_KEY)
        if isinstance(details, bytes):
            status = Status(StatusCode(code), message, unpack(details))
            # They are in the status now; as metadata of an error that is relayed they could not be sent.
            trailers = [pair for pair in trailers or () if pair[0] != DETAILS_KEY]
        else:
            status = Status(StatusCode(code), message)
        self._conclude(self._judge(status), Origin(origin), trailers, retryable=unprocessed)

    # The end.

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
        self._merged = None
        if status.code != StatusCode.OK:
            self._error = outcome(status, origin, trailers, retryable=retryable)
        if self._receive_waiter is not None:
            self._on_readable()
        if self._send_waiters:
            self._on_writable()
        self._on_concluded()

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
