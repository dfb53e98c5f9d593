"""Handlers that are no coroutines: they may block, so each of their steps is a job for a thread."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import _engine, _stacks
from penstock._engine import now
from penstock._forms import name_of
from penstock._pool import Job
from penstock._steps import Steps, done
from penstock.errors import UsageError
from penstock.server_calls import ServerStream

if TYPE_CHECKING:
    from penstock._server_connection import ServerConnection
    from penstock.metadata import MetadataValue

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")


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
        self._ends_at = None if timeout_seconds is None else now() + timeout_seconds
        self.job: Job | None = None
        """What a thread does for it."""

    @property
    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline, at least 0; `None` if it set none."""
        return None if self._ends_at is None else max(0.0, self._ends_at - now())

    def cancel(self) -> None:
        """End the call now, on both sides, with CANCELLED; what is queued is dropped. Harmless after the end."""
        if asyncio._get_running_loop() is self._loop:
            super().cancel()
        else:
            self._loop.call_soon_threadsafe(super().cancel)

    def _detach(self) -> None:
        super()._detach()
        if self.job is not None and not self.job.is_over:  # else its task has only to take note
            # Its task may go: what is left of the handler is in the thread.
            self.job.on_end = self._on_thread_done
            self.job.abandon()

    def _where(self) -> str:
        if self.job is None:
            return super()._where()
        return "  (it waits for a thread)\n" if self.job.thread is None else _stacks.of_thread(self.job.thread)

    def _on_handler_done(self, task: asyncio.Task[None]) -> None:
        if self.job is None:
            super()._on_handler_done(task)
            return
        # Detached: its thread goes on without the task, and it stays what it is until that is done.
        self._tell_late_failure(task)
        self._task = None
        self._unwatch()

    def _on_thread_done(self) -> None:
        self.job = None
        if self._task is None:  # else something around the handler, an interceptor, still runs
            self._life = self._life.done
            self._on_straggler_done()


WRITE_ASYNC = "it is for `async def` handlers"
NOT_IN_A_THREAD = {
    "send": f"a sync handler yields its replies: {WRITE_ASYNC}",
    "send_nowait": f"a sync handler yields its replies: {WRITE_ASYNC}",
    "send_many": f"a sync handler yields its replies: {WRITE_ASYNC}",
    "send_from": f"a sync handler yields its replies: {WRITE_ASYNC}",
    "set_message_timeouts": f"write Limits(...), or do it in an interceptor; {WRITE_ASYNC}",
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


async def _opened(stream: SyncStream[Any, Any], context: contextvars.Context, handler: Callable[[], Any]) -> Any:
    """What a handler returns that is no generator; closed if the call ends meanwhile: nobody takes a step of it."""
    kept: list[Any] = []

    def close() -> None:
        for result in kept:
            if hasattr(result, "close"):
                context.run(result.close)

    job = Job(lambda: kept.append(context.run(handler)), is_step=True, is_first=True)
    job.afterwards = close
    try:
        await done(stream, job)
    except asyncio.CancelledError:
        if job.is_over and not job.abandoned:
            await done(stream, Job(close, is_step=True), ahead=True)
        raise
    return kept[0]


def in_a_thread(handler: Callable[..., Any], codec: _engine.Codec, *, one_reply: bool) -> Callable[..., Awaitable[Any]]:
    """Make a coroutine function of a sync handler: what a route can serve."""
    is_generator = inspect.isgeneratorfunction(handler)

    async def reply(request: Any, call: SyncStream[Any, Any]) -> Any:
        context = contextvars.copy_context()
        result = await done(call, Job(partial(context.run, handler, request, call), is_step=False, is_first=True))
        # What says nothing of `async` may be a coroutine function in a wrapper.
        return await result if isinstance(result, Awaitable) else result

    async def replies(request: Any, stream: SyncStream[Any, Any]) -> Any:
        context = contextvars.copy_context()
        if is_generator:
            await Steps(handler(request, stream), stream, codec, context).send_all(is_first=True)
            return None
        result = await _opened(stream, context, partial(handler, request, stream))
        if isinstance(result, Iterator):
            await Steps(result, stream, codec, context).send_all(is_first=False)
            return None
        if not isinstance(result, Awaitable | AsyncIterator):
            msg = f"{name_of(handler)} returned {type(result).__name__}; a sync handler yields its replies"
            raise TypeError(msg)
        # As above; the route knows what to do with it.
        return await result if isinstance(result, Awaitable) else result

    adapter = reply if one_reply else replies
    adapter.__qualname__ = name_of(handler)
    return adapter
