"""Handlers that are no coroutines: they may block, so each of their steps is a job for a thread."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import _stacks
from penstock._admission import PUSHBACK
from penstock._forms import name_of
from penstock._pool import Job
from penstock.ends import End
from penstock.errors import RpcError, UsageError
from penstock.server_calls import ServerStream
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from penstock import _engine
    from penstock._server_connection import ServerConnection
    from penstock.metadata import MetadataValue

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")

END = object()
"""What the step after the last reply gives."""

CANCELLED = Status(StatusCode.CANCELLED, "the handler was cancelled")


class SyncStream(ServerStream[RequestT, ReplyT]):
    """A call as its sync handler sees it, from a thread that is not the loop's."""

    __slots__ = ("_ends_at", "job")

    def __init__(
        self,
        codec: _engine.Codec,
        connection: ServerConnection,
        method: str,
        authority: str,
        pairs: list[tuple[str, MetadataValue]] | None,
        timeout_seconds: float | None,
    ) -> None:
        super().__init__(codec, connection, method, authority, pairs, timeout_seconds)
        # uvloop's clock stands still while its loop waits: no clock for another thread.
        self._ends_at = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self.job: Job | None = None
        """What a thread does for it."""

    @property
    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline, at least 0; `None` if it set none."""
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    def cancel(self) -> None:
        """End the call now, on both sides, with CANCELLED; what is queued is dropped. Harmless after the end."""
        if asyncio._get_running_loop() is self._loop:
            super().cancel()
        else:
            self._loop.call_soon_threadsafe(super().cancel)

    def _detach(self) -> None:
        super()._detach()
        if self.job is not None:
            # Its task may go: what is left of the handler is in the thread.
            self.job.on_end = self._on_thread_done
            self.job.abandon()

    def _where(self) -> str:
        return super()._where() if self.job is None else _stacks.of_thread(self.job.thread)

    def _on_straggler_done(self) -> None:
        if self.job is None:
            super()._on_straggler_done()

    def _on_thread_done(self) -> None:
        self.job = None
        super()._on_straggler_done()


WRITE_ASYNC = "it is for `async def` handlers"
NOT_IN_A_THREAD = {
    "send": f"a sync handler yields its replies: {WRITE_ASYNC}",
    "send_nowait": f"a sync handler yields its replies: {WRITE_ASYNC}",
    "send_many": f"a sync handler yields its replies: {WRITE_ASYNC}",
    "send_from": f"a sync handler yields its replies: {WRITE_ASYNC}",
    "send_initial_metadata": f"a sync handler cannot await: {WRITE_ASYNC}",
    "receive": f"a sync handler has its request: {WRITE_ASYNC}",
    "receive_many": f"a sync handler has its request: {WRITE_ASYNC}",
    "__anext__": f"a sync handler has its request: {WRITE_ASYNC}",
}
"""What touches the loop, and what a program is told that does so from a thread."""


def _only_in_the_loop(name: str, why: str) -> Callable[..., Any]:
    method = getattr(ServerStream, name)

    def guarded(self: SyncStream[Any, Any], *arguments: Any, **options: Any) -> Any:
        if asyncio._get_running_loop() is not self._loop:
            msg = f"{name}() from a thread: {why}"
            raise UsageError(msg)
        return method(self, *arguments, **options)

    return guarded


for _name, _why in NOT_IN_A_THREAD.items():
    setattr(SyncStream, _name, _only_in_the_loop(_name, _why))


def in_a_thread(handler: Callable[..., Any], *, one_reply: bool) -> Callable[..., Awaitable[Any]]:
    """Make a coroutine function of a sync handler: what a route can serve."""
    is_generator = inspect.isgeneratorfunction(handler)

    async def reply(request: Any, call: SyncStream[Any, Any]) -> Any:
        context = contextvars.copy_context()
        result = await _done(call, Job(partial(context.run, handler, request, call), is_step=False, is_first=True))
        # What says nothing of `async` may be a coroutine function in a wrapper.
        return await result if isinstance(result, Awaitable) else result

    async def replies(request: Any, stream: SyncStream[Any, Any]) -> Any:
        context = contextvars.copy_context()
        if is_generator:
            await _send_all(handler(request, stream), stream, context, is_first=True)
            return None
        result = await _done(stream, Job(partial(context.run, handler, request, stream), is_step=True, is_first=True))
        if isinstance(result, Iterator):
            await _send_all(result, stream, context, is_first=False)
            return None
        if not isinstance(result, Awaitable | AsyncIterator):
            msg = f"{name_of(handler)} returned {type(result).__name__}; a sync handler yields its replies"
            raise TypeError(msg)
        # As above; the route knows what to do with it.
        return await result if isinstance(result, Awaitable) else result

    adapter = reply if one_reply else replies
    adapter.__qualname__ = name_of(handler)
    return adapter


async def _send_all(
    replies: Iterator[Any], stream: SyncStream[Any, Any], context: contextvars.Context, *, is_first: bool
) -> None:
    """Send what an iterator gives: each step a job, and none before there is room for its reply."""
    full_bytes = stream._connection.send_buffer_bytes
    steps = Steps(replies, stream, context)
    try:
        while (message := await steps.next(is_first=is_first)) is not END:
            is_first = False
            await stream.send(message)
            if stream._queued_bytes >= full_bytes:
                await stream._room()
                stream._check_going()
    finally:
        await steps.close()


class Steps:
    """The steps of one iterator: one at a time, all in the same context, `close` the last."""

    __slots__ = ("_close", "_context", "_replies", "_started", "_stream", "left")

    def __init__(self, replies: Iterator[Any], stream: SyncStream[Any, Any], context: contextvars.Context) -> None:
        self._replies = replies
        self._stream = stream
        self._context = context
        close = getattr(replies, "close", None)
        self._close = None if close is None else partial(context.run, close)
        self._started = False
        self.left = False
        """A step still runs that nobody waits for any more; closing comes behind it."""

    async def next(self, *, is_first: bool) -> Any:
        """Give what the next step gives; `END` behind the last one."""
        job = Job(partial(self._context.run, next, self._replies, END), is_step=True, is_first=is_first)
        job.afterwards = self._close
        try:
            return await _done(self._stream, job)
        finally:
            self._started = self._started or job.thread is not None
            self.left = job.abandoned

    async def close(self) -> None:
        """Close it, in a thread like every other step, unless it has come to its end by itself."""
        is_finished = getattr(self._replies, "gi_frame", self) is None
        if self._close is None or not self._started or self.left or is_finished:
            return
        await _done(self._stream, Job(self._close, is_step=True), ahead=True)


async def _done(stream: SyncStream[Any, Any], job: Job, *, ahead: bool = False) -> Any:
    """Have a thread do it, and give its result. Cancelled, it still waits until the thread is through with it."""
    pool = stream._connection.pool
    try:
        pool.start(job, ahead=ahead)
    except RpcError as refusal:
        stream._close(refusal.status, End.REFUSED, [(PUSHBACK, str(stream._connection.pushback_ms()))])
        raise
    stream.job = job
    try:
        await job.wait(stream._loop)
    except asyncio.CancelledError:
        if ahead or not pool.withdraw(job):
            await _outlast(job, stream)
            if job.error is not None:
                job.take()  # raises: as of every handler, what its cleanup raised is what counts
        raise
    finally:
        if not job.abandoned:
            stream.job = None
    return job.take()


async def _outlast(job: Job, stream: SyncStream[Any, Any]) -> None:
    # Also when its task alone was cancelled: it may wait for ever, and only of a call that is over it is detached.
    stream._close(CANCELLED, End.TASK_CANCELLED)
    while not job.is_over and not job.abandoned:
        with contextlib.suppress(asyncio.CancelledError):  # kept: the caller is about to raise the one before
            await job.wait(stream._loop)
