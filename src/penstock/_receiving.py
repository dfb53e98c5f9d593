"""Receiving on a stream, where it has to wait; what need not wait is in the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from penstock._ending import ReceiveT, SendT
from penstock._engine import Waiter
from penstock._sending import SendingStream
from penstock.ends import End
from penstock.errors import BusyError, EndOfStream, RpcError, UsageError
from penstock.status import Status, StatusCode

ValueT = TypeVar("ValueT")

PIECE_STEPS = 20
"""A client expands so much of a message before others run: 1 ms, as who never has to wait."""


class ReceivingStream(SendingStream[SendT, ReceiveT]):
    """The receiving half. The engine calls `_receive_waiting` and its kin and, when a message came, `_on_readable`."""

    __slots__ = ("_receive_waiter", "_receiver")

    _receive_waiter: Waiter | None
    _receiver: asyncio.Task[Any] | None
    """Who awaits it."""

    async def receive_many(self, most: int = 100) -> list[ReceiveT]:
        """Receive what is there, from one message up to `most`.

        Waits until: at least one message is there, or the end.
        Cancelling: loses nothing.

        Args:
            most: At least 1.

        Returns:
            From 1 to `most` messages, in order; none of them is lost to one behind them that cannot be decoded.

        Raises:
            EndOfStream: The peer sent its last message.
            RpcError: The call ended otherwise, or the next message could not be decoded (INTERNAL).
            BusyError: Another task is receiving.
            UsageError: `most` is below 1, or the call is used outside of its block.
        """
        if most < 1:
            msg = "receive_many takes at least 1"
            raise UsageError(msg)
        return [await self.receive(), *self._take_many(most - 1)]

    # For the engine.

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
                take = self._take
                message = self._try(take) if self._peer_coding is None else await self._expand(take)
                if message is not None:
                    return message
                if self._is_last:
                    await self._before_telling_again()
                    raise self._why_last(iterating)
                waiter = self._until_readable()
                if waiter is not None:
                    # Here, not in a coroutine of its own: it is where idle streams stand, and each costs 200 bytes.
                    await waiter
                    self._receive_waiter = self._receiver = None
        finally:
            self._receiving = False
            self._receive_waiter = self._receiver = None

    async def _receive_failed(self, error: BaseException) -> ReceiveT:
        try:
            if self._watcher_failed() or not isinstance(error, Exception):
                raise error
            raise self._undecodable(error)
        finally:
            # Left here, the error and the frames it remembers would keep each other until a garbage collection.
            del error

    async def _expand(self, take: Callable[[], ValueT]) -> ValueT:
        """Take a message that may have to be expanded, and let others run after each piece of that."""
        while True:
            value = self._try(take)
            if not self._is_expanding:
                return value
            while self._is_expanding:
                await self._yield()
                self._expand_on(PIECE_STEPS)

    def _try(self, take: Callable[[], ValueT]) -> ValueT:
        try:
            return take()
        except Exception as error:
            if self._watcher_failed():
                raise
            raise self._undecodable(error) from error

    async def _message(self) -> None:
        """Wait until the engine has a message, or the end."""
        waiter = self._until_readable()
        if waiter is not None:
            try:
                await waiter
            finally:
                self._receive_waiter = self._receiver = None

    def _until_readable(self) -> Waiter | None:
        """What to await before the next look; `None`: nothing. Whoever does forgets waiter and receiver behind it."""
        if self._await_message():
            return None
        self._receive_waiter = waiter = Waiter(self._loop)
        # Without the loop it would be looked up, on Python 3.11 with a system call: 0.28 us in place of 0.10.
        self._receiver = asyncio.current_task(self._loop)
        return waiter

    def _why_last(self, iterating: bool) -> Exception:
        if self._error is not None:
            return self._fresh_error()
        if iterating:
            return StopAsyncIteration()
        return EndOfStream("the peer has sent its last message")

    def _undecodable(self, error: Exception) -> RpcError:
        # A limit names itself: one that is too large expanded could still be decoded.
        if isinstance(error, RpcError):
            failure = self._overrule(error.status, End.LIMIT)
        else:
            status = Status(StatusCode.INTERNAL, f"a message could not be decoded: {error}")
            failure = self._overrule(status, End.BROKEN)
        failure.__cause__ = error
        return failure

    def _on_readable(self) -> None:
        waiter = self._receive_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
