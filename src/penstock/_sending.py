"""Sending on a stream, where it has to wait; what need not wait is in the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock import _engine
from penstock._ending import EndingStream, ReceiveT, SendT, close_here
from penstock.errors import ClosedError, EndOfStream, RpcError, WouldBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock._engine import Encoded

Payload: TypeAlias = bytes | _engine.Encoded[SendT] | _engine.Compressed
"""A message that is ready to be queued."""

QUEUED, NO_ROOM, CLOSED = 0, 1, 2
"""What `_push` answers."""

NOBODY: dict[_engine.Waiter, asyncio.Task[Any] | None] = {}
"""What waits to send on a stream on which nothing does. It stays empty: most streams never need one of their own."""

MESSAGES_PER_LOOK = 16
"""Messages `send_many` queues between two looks at the time slice."""


class SendingStream(EndingStream[SendT, ReceiveT]):
    """The sending half. The engine calls `_send_waiting`, `_send_merging` and, when there is room, `_on_writable`."""

    __slots__ = ("_ended_sending", "_merged", "_send_waiters", "_sources")

    _ended_sending: bool
    _merged: SendT | None
    _send_waiters: dict[_engine.Waiter, asyncio.Task[Any] | None]
    _sources: tuple[tuple[asyncio.Timeout, asyncio.Task[object] | None], ...]

    def send_nowait(self, message: SendT | Encoded[SendT], *, compress: bool = True) -> None:
        """Queue one message if there is room.

        Does not wait.
        Does not promise: that the peer gets it. Only a final OK does.

        Raises:
            WouldBlock: There is no room; nothing was queued.
            RpcError, EndOfStream, ClosedError, UsageError: As `send`.
        """
        payload = self._accept(message, compress, False)
        pushed = self._push(payload)
        if pushed == NO_ROOM:
            msg = f"{self._queued_bytes} bytes are queued"
            raise WouldBlock(msg)
        if pushed == CLOSED:
            raise self._why_closed()

    async def send_many(self, messages: Iterable[SendT | Encoded[SendT]], *, compress: bool = True) -> None:
        """Send each message of a collection; cheaper than as many `send`s.

        Waits until: the last message is queued. About every millisecond other tasks run.
        Cancelling: what was queued is a part from the beginning, each message whole.
        Concurrency: messages of other tasks may come between these.
        Does not promise: that the peer gets them. Only a final OK does.

        Args:
            messages: In the order of sending; each as for `send`.
            compress: As for `send`.

        Raises:
            RpcError, EndOfStream, ClosedError, UsageError: As `send`; the messages before are queued.
        """
        for number, message in enumerate(messages, 1):
            if number % MESSAGES_PER_LOOK == 0:
                await self.send(message, compress=compress)  # it looks at the time slice, and lets others run
                continue
            payload = self._accept(message, compress, True)
            if self._push(payload) != QUEUED:
                await self._send_waiting(payload)

    async def send_from(self, source: Iterable[SendT | Encoded[SendT]] | AsyncIterable[SendT | Encoded[SendT]]) -> None:
        """Send all that a sync or async iterable gives.

        An exception of the iterable cancels the call and is raised again: a source that broke must not look like a
        clean end. A generator is closed when this ends before it, in the task and context that it ran in.

        Waits until: the source is at its end and the last message is queued; or the call ends, also while an async
        source has nothing to give: what it waits for is then cancelled.
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
            if isinstance(source, AsyncIterable):
                await self._send_while_open(source)
            else:
                await self._send_and_close(source)
        except Exception as error:
            if not isinstance(error, RpcError | EndOfStream) or self._status is None:
                self.cancel()
            raise

    async def _send_while_open(self, source: AsyncIterable[SendT | Encoded[SendT]]) -> None:
        if self._status is not None:
            raise self._why_closed()  # nothing will end a wait that begins now
        iterator = aiter(source)
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._sources = (*self._sources, (scope, asyncio.current_task()))
                try:
                    async for message in iterator:
                        await self.send(message)
                finally:
                    self._sources = tuple(each for each in self._sources if each[0] is not scope)
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._why_closed() from None
        finally:
            if isinstance(iterator, AsyncGenerator):
                await close_here(iterator)

    async def _send_and_close(self, source: Iterable[SendT | Encoded[SendT]]) -> None:
        iterator = iter(source)
        try:
            for message in iterator:
                await self.send(message)
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    def _stop_sources(self) -> None:
        """The call is over: whatever a source waits for need not come any more."""
        for scope, _ in self._sources:
            scope.reschedule(self._loop.time())

    # For the engine.

    async def _send_waiting(self, payload: Payload[SendT]) -> None:
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
            waiter = _engine.Waiter(self._loop)
            if not self._send_waiters:
                self._send_waiters = {}
            self._send_waiters[waiter] = asyncio.current_task(self._loop)
            try:
                await waiter
            finally:
                del self._send_waiters[waiter]

    async def _send_merging(self, message: SendT, merge: Callable[[SendT, SendT], SendT], compress: bool) -> None:
        # While the last message is unsent, the new one goes into it: the peer sets the pace, nothing is delayed.
        if self._merged is not None:
            together = merge(self._merged, message)
            if self._replace_newest(self._encode(together, compress)):
                self._merged = together
                return
        await self._send_waiting(self._encode(message, compress))
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

    def _on_writable(self) -> None:
        for waiter in self._send_waiters:
            if not waiter.done():
                waiter.set_result(None)
