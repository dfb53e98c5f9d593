"""The steps of a sync handler in their threads, and what the loop does with what they give."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import types
from collections import deque
from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from penstock import _engine
from penstock._admission import PUSHBACK
from penstock._pool import Job
from penstock._sending import QUEUED
from penstock.ends import End
from penstock.errors import RpcError
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock._sending import Payload
    from penstock._sync_handlers import SyncStream

END = object()
"""What the step after the last reply gives."""

TOLD = object()
"""In the place of a message that whoever watches was told of, and that could not be queued yet."""

CANCELLED = Status(StatusCode.CANCELLED, "the handler was cancelled")

BUILT_IN = types.MethodDescriptorType | types.BuiltinFunctionType
"""Functions in C: protobuf's, which neither block nor call back."""

SLICE_SECONDS = 0.001
"""Steps that are quick share a job until so much time is over: a job costs as much as dozens of them."""


class Steps:
    """The steps of one iterator of replies: one at a time, all in the same context, `close` the last.

    A thread makes replies as long as there is room for them and it goes quickly. Each is sent as soon as the loop comes
    round: it does not wait for the next one, which may block. What the thread has made stands in `_made`; it is the
    only one to put something there, as the loop is the only one to take something out.
    """

    __slots__ = (
        "_close",
        "_context",
        "_encode",
        "_failure",
        "_is_told",
        "_left",
        "_made",
        "_replies",
        "_started",
        "_stream",
    )

    def __init__(
        self, replies: Iterator[Any], stream: SyncStream[Any, Any], codec: _engine.Codec, context: contextvars.Context
    ) -> None:
        self._replies = replies
        self._stream = stream
        self._encode = encoding(codec, stream)
        self._context = context
        close = getattr(replies, "close", None)
        self._close = None if close is None else partial(self._context.run, close)
        self._made: deque[tuple[Any, Payload[Any]]] = deque()
        self._is_told = self._started = self._left = False
        self._failure: BaseException | None = None

    async def send_all(self, *, is_first: bool) -> None:
        """Send what the iterator gives; no step is taken before there is room for its reply."""
        full_bytes = self._stream._connection.send_buffer_bytes
        self._started = not is_first  # what its handler has returned may have something to close
        try:
            room_bytes = full_bytes
            while await self._advance(room_bytes, is_first=is_first):
                is_first = False
                while (room_bytes := full_bytes - self._stream._queued_bytes) <= 0:
                    await self._stream._room()
                    self._stream._check_going()
        finally:
            await self._end()

    async def _advance(self, room_bytes: int, *, is_first: bool) -> bool:
        """Take steps, at least one, and send what they give. False: there are no more."""
        job = Job(partial(self._context.run, self._work, room_bytes), is_step=True, is_first=is_first)
        job.afterwards = self._close
        try:
            more: bool = await done(self._stream, job)
        finally:
            self._started = self._started or job.thread is not None
            self._left = job.abandoned
            # Also before what the step raised: it is not the fault of those before.
            self._send_made()
        await self._send_rest()
        return more

    def _work(self, room_bytes: int) -> bool:
        """The part of the thread."""
        until = monotonic() + SLICE_SECONDS
        while (message := next(self._replies, END)) is not END:
            payload = self._encode(message)
            # How large one is that was compressed is not told: after it the loop looks.
            room_bytes -= room_bytes if isinstance(payload, _engine.Compressed) else len(payload)
            self._made.append((message, payload))
            if room_bytes <= 0 or monotonic() >= until or self._stream._status is not None:
                return True
            if not self._is_told:
                self._is_told = True
                self._stream._loop.call_soon_threadsafe(self._send_made)
        return False

    def _send_made(self) -> None:
        self._is_told = False  # first: what is made from now on is told of again
        try:
            while self._made and self._failure is None:
                message, payload = self._made.popleft()
                if message is not TOLD:
                    self._stream._tell_of_sending(message)
                if self._stream._push(payload) != QUEUED:
                    self._made.appendleft((TOLD, payload))
                    return  # `_send_rest` says why, or waits
        except Exception as error:  # noqa: BLE001  # whoever watches raised: it is the send that fails
            self._failure = error

    async def _send_rest(self) -> None:
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            # Left here, the error and the frames it remembers would keep each other until a garbage collection.
            del failure
        while self._made:
            message, payload = self._made.popleft()
            if message is not TOLD:
                self._stream._tell_of_sending(message)
            await self._stream._send_waiting(payload)

    async def _end(self) -> None:
        """Close the iterator, in a thread like every other step, unless it has come to its end by itself."""
        is_finished = getattr(self._replies, "gi_frame", self) is None
        if self._close is not None and self._started and not self._left and not is_finished:
            await done(self._stream, Job(self._close, is_step=True), ahead=True)


def encoding(codec: _engine.Codec, stream: SyncStream[Any, Any]) -> Callable[[Any], Payload[Any]]:
    """How a thread encodes: no frame of the engine is under code of the program's, which may block for ever.

    Python ends such a thread when the process exits, and up to 3.13 by unwinding it: a frame of Rust aborts at that.
    """
    encoder, kind = codec.encode, codec.send_type
    if encoder is None or isinstance(encoder, BUILT_IN):
        return stream._encode

    def encode(message: Any) -> Payload[Any]:
        if isinstance(message, kind):
            message = _engine.Encoded(encoder(message), type(message))
        return stream._encode(message)  # it says what is wrong with others

    return encode


async def done(stream: SyncStream[Any, Any], job: Job, *, ahead: bool = False) -> Any:
    """Have a thread do it, and give its result. Cancelled, it still waits until the thread is through with it.

    Raises:
        RpcError: RESOURCE_EXHAUSTED: there is no thread, and the call has ended with that.
    """
    pool = stream._connection.pool
    try:
        pool.start(job, ahead=ahead)
    except RpcError as refusal:
        _refuse(stream, refusal)
        raise
    stream.job, patience = job, pool.limit_wait(job)
    try:
        await job.wait(stream._loop)
    except asyncio.CancelledError:
        if ahead or not pool.withdraw(job):
            await _outlast(job, stream)
            if job.error is not None:
                job.take()  # raises: as of every handler, what its cleanup raised is what counts
        raise
    finally:
        if patience is not None:
            patience.cancel()
        if not job.abandoned:
            stream.job = None
    if job.thread is None and isinstance(job.error, RpcError):
        _refuse(stream, job.error)  # no thread came to it
    return job.take()


def _refuse(stream: SyncStream[Any, Any], refusal: RpcError) -> None:
    stream._close(refusal.status, End.REFUSED, [(PUSHBACK, str(stream._connection.pushback_ms()))])


async def _outlast(job: Job, stream: SyncStream[Any, Any]) -> None:
    # Also when its task alone was cancelled: it may wait for ever, and only of a call that is over it is detached.
    stream._close(CANCELLED, End.TASK_CANCELLED)
    while not job.is_over and not job.abandoned:
        with contextlib.suppress(asyncio.CancelledError):  # kept: the caller is about to raise the one before
            await job.wait(stream._loop)
