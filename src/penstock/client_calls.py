"""The four kinds of call, as a client makes them."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any, Never, Self, TypeVar

from penstock._deadline import bounded, of_call
from penstock._engine import MANY
from penstock.errors import BusyError, Origin, RpcError, UnfinishedCall, UsageError
from penstock.metadata import Metadata, to_wire
from penstock.status import Status, StatusCode
from penstock.stream import CANCEL, Stream

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from penstock import _engine
    from penstock._client_connection import ClientConnection
    from penstock.channel import Channel
    from penstock.limits import CallOptions
    from penstock.metadata import MetadataLike, MetadataValue

__all__ = ["BothStreamCall", "ClientStreamCall", "ServerStreamCall", "UnaryCall"]

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")


class ClientCall(Stream[RequestT, ReplyT]):
    """What the four kinds share. Calls are made by generated clients, or by a `Channel`'s `call_*` methods."""

    __slots__ = (
        "_channel",
        "_connecting",
        "_connection",
        "_deadline",
        "_initial",
        "_initial_waiter",
        "_metadata",
        "_path",
        "_started",
        "_wait_for_ready",
    )

    def __init__(
        self,
        codec: _engine.Codec,
        channel: Channel,
        path: str,
        timeout: float | None,
        metadata: MetadataLike | None,
        wait_for_ready: bool,
        options: CallOptions | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(codec, loop)
        self._channel = channel
        self._path = path
        self._metadata = metadata
        self._wait_for_ready = wait_for_ready
        self._deadline = of_call(loop, timeout, options)
        self._connection: ClientConnection | None = None
        self._connecting: asyncio.Timeout | None = None
        self._started = False
        self._initial: Metadata | None = None
        self._initial_waiter: asyncio.Future[None] | None = None

    # What a program uses.

    @property
    def peer(self) -> str | None:
        """Address of the server; `None` before the call is on a connection."""
        return None if self._connection is None else self._connection.peer

    @property
    def trailing_metadata(self) -> Metadata | None:
        """What the server sent with its status; `None` before the end."""
        return None if self._status is None else Metadata(self._trailers)

    async def initial_metadata(self) -> Metadata:
        """What the server sent before its first message; empty if it sent only a status.

        Waits until: the response begins, or the call ends.
        Cancelling: harmless.
        Concurrency: any number of tasks may wait.

        Raises:
            RpcError: The call failed before the response began.
            UsageError: The call is used outside of its block.

        Source: gRPC PROTOCOL-HTTP2, "Response-Headers".
        """
        self._check_usable()
        while self._initial is None and self._status is None:
            if self._initial_waiter is None or self._initial_waiter.done():
                self._initial_waiter = self._loop.create_future()
            await asyncio.shield(self._initial_waiter)
        if self._initial is not None:
            return self._initial
        if self._error is not None:
            raise self._fresh_error()
        return Metadata()

    # Starting.

    def _begin(self) -> None:
        """Refuse a second use, before it touches what the first one does."""
        if self._started:
            msg = "a call is used once; make another one"
            raise UsageError(msg)
        self._started = True

    async def _start(self, only: bytes | _engine.Encoded[RequestT] | None = None) -> None:
        """Put the call on a connection, with its one message if it has one.

        Waits until: there is a connection with a free place.
        """
        if self._error is not None:  # cancelled before it began
            raise self._fresh_error()
        connector = self._channel._connector
        connection = None if connector is None else connector.newest
        if connection is None or connection.free <= 0 or connection.loop is not self._loop:
            connection = await self._await_connection()
        deadline, left = self._deadline, None
        if deadline is not None:
            left = deadline.left()
            if left <= 0:
                connection.release(self)
                self._conclude(deadline.status(), Origin.LOCAL)
                raise self._fresh_error()
            deadline.watch(self._channel._timers, self)
        self._connection = connection
        connection.open(self, self._path, left, to_wire(self._metadata) if self._metadata else None, only)

    async def _await_connection(self) -> ClientConnection:
        waiting = self._channel._connection(wait_for_ready=self._wait_for_ready)
        try:
            async with asyncio.timeout(None) as self._connecting:
                connection = await bounded(self._deadline, waiting)
                if self._error is None:
                    return connection
                connection.release(self)
        except RpcError as error:
            self._conclude(error.status, error.origin, retryable=error.retryable)
            raise self._fresh_error() from error
        except TimeoutError:
            if self._error is None:
                raise
        finally:
            self._connecting = None
        # Another task cancelled the call while this one waited.
        raise self._fresh_error()

    async def _receive_only(self) -> ReplyT:
        """The one reply, once the call ended with OK. Source: wire rule of gRPC for a single message."""
        while True:
            try:
                reply = self._take_only()
            except Exception as error:
                raise self._undecodable(error) from error
            if self._is_last or reply is MANY:
                break
            await self._message()
        if self._error is not None:
            raise self._fresh_error()
        if reply is None or reply is MANY:
            count = "no" if reply is None else "more than one"
            text = f"the server sent {count} reply; this method has one"
            raise self._overrule(Status(StatusCode.UNIMPLEMENTED, text))
        return reply

    # The end.

    def _on_responded(self, metadata: list[tuple[str, MetadataValue]] | None) -> None:
        self._initial = Metadata(metadata)
        self._wake_initial()

    def _on_expired(self) -> None:
        if self._deadline is not None:
            self._close(self._deadline.status())

    def _close(self, status: Status) -> None:
        if self._status is None:
            self._reset(CANCEL)
            self._conclude(status, Origin.LOCAL)
            if self._connecting is not None and not self._connecting.expired():
                self._connecting.reschedule(self._loop.time())

    def _on_concluded(self) -> None:
        if self._deadline is not None:
            self._deadline.unwatch(self)
        if self._initial_waiter is not None:
            self._wake_initial()
        if self._connection is not None:
            self._connection.release(self)

    def _wake_initial(self) -> None:
        if self._initial_waiter is not None and not self._initial_waiter.done():
            self._initial_waiter.set_result(None)

    def _judge(self, status: Status) -> Status:
        # The peer may tell of the deadline first, each in its own way; to the caller it is one thing.
        if status.code == StatusCode.CANCELLED and self._deadline is not None and self._deadline.is_over():
            return self._deadline.status()
        return status

    def _why_last(self, iterating: bool) -> Exception:
        return self._lost() if self._status is None else super()._why_last(iterating)


class UnaryCall(ClientCall[Any, ReplyT]):
    """One → one. Await it for the reply; it starts then.

    Cancelling: the call is cancelled on both sides.

    Raises (when awaited):
        RpcError: The call ended with another status than OK.
        UsageError: It was awaited before.
    """

    __slots__ = ("_request",)

    def __init__(self, codec: _engine.Codec, request: Any, *call: Any) -> None:
        super().__init__(codec, *call)
        self._request = self._encode(request)

    def __await__(self) -> Generator[Any, None, ReplyT]:
        return self._run().__await__()

    async def _run(self) -> ReplyT:
        self._begin()
        try:
            await self._start(self._request)
            self._ended_sending = True
            return await self._receive_only()
        finally:
            if self._status is None:
                self.cancel()


class StreamCall(ClientCall[RequestT, ReplyT]):
    """A call with a stream in it: an async context manager, so that it has an end whatever happens."""

    __slots__ = ("_entered",)

    def __init__(self, codec: _engine.Codec, *call: Any) -> None:
        super().__init__(codec, *call)
        self._entered = False

    async def __aenter__(self) -> Self:
        self._begin()
        try:
            await self._start(self._only())
        except BaseException:
            self.cancel()
            raise
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del error, traceback
        if self._status is None:
            self.cancel()
            if kind is None:
                self._warn_unfinished()

    @property
    def draining(self) -> asyncio.Event:
        """Set when the server wants its clients to finish (GOAWAY), or the connection has ended."""
        self._check_usable()
        if self._connection is None:
            raise self._lost()
        return self._connection.draining

    async def end_sending(self) -> None:
        """Half-close: the server learns that no more messages come, and may go on answering.

        Does not wait. Calling it again changes nothing.

        Raises:
            UsageError: The call is used outside of its block.

        Source: RFC 9113 section 5.1, "half-closed (local)".
        """
        self._check_usable()
        if not self._ended_sending:
            self._ended_sending = True
            self._half_close()

    def _only(self) -> bytes | _engine.Encoded[RequestT] | None:
        """The request, for calls that have one."""
        return None

    def _warn_unfinished(self) -> None:
        """Leaving early is how a reader says that it has enough; only uploads have something to lose."""

    def _check_usable(self) -> None:
        if not self._entered:
            name = self._path.rpartition("/")[2]
            msg = (
                f"a streaming call lives in a block: write `async with client.{name}(...) as stream:` and use it inside"
            )
            raise UsageError(msg)


class ServerStreamCall(StreamCall[Never, ReplyT]):
    """One → many: `async with client.feed(request) as stream: async for reply in stream: ...`.

    Leaving the block ends the call on both sides. The loop ends normally only if the server's status is OK.
    """

    __slots__ = ("_request",)

    def __init__(self, codec: _engine.Codec, request: Any, *call: Any) -> None:
        super().__init__(codec, *call)
        self._request = self._encode(request)

    def _only(self) -> bytes | _engine.Encoded[Never]:
        self._ended_sending = True
        return self._request


class ClientStreamCall(StreamCall[RequestT, ReplyT]):
    """Many → one: `async with client.put() as stream: await stream.send(m); reply = await stream.finish()`.

    Leaving the block without `finish()` or `cancel()` cancels the call and warns `UnfinishedCall`.
    """

    __slots__ = ("_finished",)

    def __init__(self, codec: _engine.Codec, *call: Any) -> None:
        super().__init__(codec, *call)
        self._finished: ReplyT | None = None

    async def finish(self) -> ReplyT:
        """Half-close, and return the reply once the status is OK.

        Waits until: the server has answered and ended.
        Cancelling: the call stays open, and half-closed; `finish()` may be called again.

        Raises:
            RpcError: The call ended otherwise. UNIMPLEMENTED: or with OK, but not with exactly one reply.
            BusyError: Another task is in `finish()`.
            UsageError: The call is used outside of its block.
        """
        await self.end_sending()
        if self._receiving:
            msg = "another task is in finish()"
            raise BusyError(msg)
        if self._finished is None:
            self._receiving = True
            try:
                self._finished = await self._receive_only()
            finally:
                self._receiving = False
        return self._finished

    def _warn_unfinished(self) -> None:
        name = self._path.rpartition("/")[2]
        text = f"{name}: the block was left without finish() or cancel(); the call is cancelled"
        warnings.warn(text, UnfinishedCall, stacklevel=3)


class BothStreamCall(StreamCall[RequestT, ReplyT]):
    """Many → many: send and receive as you like, from different tasks if you like.

    `end_sending()` half-closes; `async for` ends when the server has ended with OK. Leaving the block ends the call.
    """

    __slots__ = ()

    async def finish(self) -> None:
        """Half-close, then wait for OK. Replies that still come are received and dropped.

        Waits until: the server has ended.
        Cancelling: the call stays open, and half-closed; `finish()` may be called again.

        Raises:
            RpcError: The call ended otherwise.
            BusyError: Another task is receiving.
            UsageError: The call is used outside of its block.
        """
        await self.end_sending()
        async for _reply in self:
            pass
