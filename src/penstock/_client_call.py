"""A call as a client makes it: what its four kinds share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from penstock import credentials
from penstock._arguments import check_kind
from penstock._deadline import bounded, of_call
from penstock._ending import CANCEL, CANCELLED, end_of
from penstock._engine import MANY
from penstock._interception import Inside
from penstock._life import ENDED, MADE, WITHDRAWN
from penstock._message_watch import NEVER
from penstock._telling import CLIENT, tell_end
from penstock.ends import End
from penstock.errors import Origin, RpcError, UsageError
from penstock.limits import CallOptions
from penstock.live import Waiting
from penstock.metadata import Metadata, to_wire
from penstock.status import Status, StatusCode
from penstock.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from penstock import _engine
    from penstock._client_connection import ClientConnection
    from penstock._interception import Around
    from penstock._sending import Payload
    from penstock._timers import Timers
    from penstock.channel import Channel
    from penstock.metadata import MetadataLike, MetadataValue
    from penstock.method import Kind
    from penstock.tls import TlsPeer

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")
ValueT = TypeVar("ValueT")


class ClientCall(Stream[RequestT, ReplyT]):
    """A call as a client makes it; one of its four kinds. Generated clients make them, or a `Channel`'s `call_*`."""

    __slots__ = (
        "_around",
        "_channel",
        "_connection",
        "_deadline",
        "_encoded_request",
        "_initial",
        "_initial_waiter",
        "_inside",
        "_metadata",
        "_request",
        "_shown_metadata",
        "_starting",
        "_wait_for_ready",
        "method",
    )

    kind: ClassVar[Kind]
    """Which sides send a stream."""

    def __init__(
        self,
        codec: _engine.Codec,
        channel: Channel,
        method: str,
        timeout: float | None,
        metadata: MetadataLike | None,
        wait_for_ready: bool,
        options: CallOptions | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(codec, loop)
        self.method = method
        """`/package.Service/Method`."""
        self._channel = channel
        self._metadata = metadata
        self._shown_metadata: Metadata | None = None
        self._around = channel._around
        if options is not None:
            check_kind(options, CallOptions, "options is penstock.CallOptions(...)")
            if options.credentials is not None:
                self._around = channel._around_with(options.credentials)
        if channel._timeouts is not NEVER or options is not None:
            self._timeouts = channel._timeouts if options is None else channel._timeouts.with_options(options)
        self._inside: Inside | None = None
        self._request: Any = None
        self._encoded_request: Payload[Any] | None = None
        self._wait_for_ready = wait_for_ready
        self._deadline = of_call(loop, timeout, options)
        compression = (options and options.compression) or channel._compression
        if compression is not None:
            self._compress_with(compression.value)
        self._connection: ClientConnection | None = None
        self._starting: asyncio.Timeout | None = None
        self._life = MADE
        self._initial: Sequence[tuple[str, MetadataValue]] | None = None
        self._initial_waiter: asyncio.Future[None] | None = None

    # What a program uses.

    @property
    def peer(self) -> str | None:
        """Address of the server; `None` before the call is on a connection."""
        return None if self._connection is None else self._connection.peer

    @property
    def tls(self) -> TlsPeer | None:
        """What the TLS handshake showed of the server; `None` in plaintext, or before the call is on a connection."""
        return None if self._connection is None else self._connection.tls

    @property
    def metadata(self) -> Metadata:
        """What is sent before the first message. Changes count until the call has begun; credentials are not in it."""
        if self._shown_metadata is None:
            self._metadata = self._shown_metadata = Metadata(self._metadata)
        return self._shown_metadata

    @property
    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; `None` if the call has none."""
        return None if self._deadline is None else max(0.0, self._deadline.left())

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
            return Metadata(self._initial)
        if self._error is not None:
            raise self._fresh_error()
        return Metadata()

    # Starting.

    def _begin(self) -> None:
        """Refuse a second use, before it touches what the first one does."""
        life = self._life
        if life is MADE:
            self._channel._counters.calls_begun += 1
        elif life is not WITHDRAWN:
            msg = "a call is used once; make another one"
            raise UsageError(msg)
        self._life = life.begin

    async def _start(self) -> None:
        """Put the call on a connection, with its one request if it has one.

        Waits until: there is a connection with a free place.
        """
        only = self._encoded_request
        if only is not None:
            # Before there is a place: what watches may cancel the call.
            self._tell_of_sending(self._request)
        self._check_going()
        connector = self._channel._connector
        connection = None if connector is None else connector.newest
        if connection is None or connection.free <= 0 or connection.loop is not self._loop:
            connection = await self._await_connection()
        deadline, left = self._deadline, None
        if deadline is not None:
            left = deadline.left()
            if left <= 0:
                connection.release(self)
                self._conclude(deadline.status(), Origin.LOCAL, End.DEADLINE)
                raise self._fresh_error()
            deadline.watch(self._channel._timers, self)
        self._connection = connection
        self._ended_sending = only is not None
        self._life = self._life.open if only is None else self._life.open_whole
        try:
            connection.open(self, self.method, left, to_wire(self._metadata) if self._metadata else None, only)
        except RpcError as error:
            self._conclude(error.status, error.origin, End.UNPROCESSED, retryable=True)
            raise
        if self._timeouts is not NEVER:
            self.set_message_timeouts()

    def _timed_by(self) -> Timers | None:
        return None if self._connection is None else self._channel._timers

    async def _await_connection(self) -> ClientConnection:
        connecting = self._channel._connection(wait_for_ready=self._wait_for_ready)
        connection = await self._unless_over(connecting, Waiting.CONNECTING)
        if self._error is None:
            return connection
        connection.release(self)
        raise self._fresh_error()

    async def _unless_over(self, waiting: Awaitable[ValueT], what: Waiting) -> ValueT:
        """Await what comes before the call is on the wire: its deadline and its cancellation cut that short."""
        self._channel._starting[self] = what
        try:
            async with asyncio.timeout(None) as self._starting:
                return await bounded(self._deadline, waiting)
        except RpcError as error:
            end = self._why_not_begun(error.status.code, what)
            self._conclude(error.status, error.origin, end, error.metadata.pairs(), retryable=error.retryable)
            # The new error says all that this one said; what led to this one led to it.
            raise self._fresh_error() from (error.__cause__ or error)
        except TimeoutError:
            if self._error is None:
                raise
        finally:
            self._starting = None
            del self._channel._starting[self]
        # Another task cancelled the call while this one waited.
        raise self._fresh_error()

    # What a program put around the call.

    async def _go_inside(self, around: Around) -> None:
        """Enter the interceptors, then get the credentials."""
        self._check_going()  # it may have been cancelled before it began
        self._inside = Inside()
        for interceptor in around.interceptors:
            await self._unless_over(self._inside.enter(interceptor, self), Waiting.INTERCEPTOR)
            self._check_going()
        if around.credentials:
            added = await self._unless_over(credentials.fetch(around.credentials, self), Waiting.CREDENTIALS)
            # Not into what is shown: interceptors write metadata into logs.
            self._metadata = Metadata([*Metadata(self._metadata).pairs(), *added])

    async def _leave(self, raised: BaseException | None) -> None:
        """Leave the interceptors with what was raised, or else with the status; raise what took its place."""
        inside = self._inside
        if inside is None:
            self._part()
            return
        first = outcome = raised if raised is not None or self._error is None else self._fresh_error()
        try:
            while inside:
                outcome = await inside.leave_innermost(outcome)
            self._part()
            if outcome is not None and outcome is not first:
                if isinstance(outcome, RpcError):
                    outcome._outcome_of_call = True
                raise outcome
        finally:
            # Left here, an error and the frames it remembers would keep each other until a garbage collection.
            del raised, first, outcome

    async def _receive_only(self) -> ReplyT:
        """The one reply, once the call ended with OK. Source: wire rule of gRPC for a single message."""
        while True:
            take = self._take_only
            reply = self._try(take) if self._peer_coding is None else await self._expand(take)
            if self._is_last or reply is MANY:
                break
            await self._message()
        if self._error is not None:
            raise self._fresh_error()
        if reply is None or reply is MANY:
            count = "no" if reply is None else "more than one"
            text = f"the server sent {count} reply; this method has one"
            raise self._overrule(Status(StatusCode.UNIMPLEMENTED, text), End.BROKEN)
        return reply

    # The end.

    def _on_responded(self, metadata: list[tuple[str, MetadataValue]] | None) -> None:
        self._initial = metadata or ()
        self._wake_initial()

    def _on_expired(self) -> None:
        if self._deadline is not None:
            self._close(self._deadline.status(), End.DEADLINE)

    def _close(self, status: Status, end: End) -> None:
        if self._status is None:
            self._reset(CANCEL)
            self._conclude(status, Origin.LOCAL, end)
            if self._starting is not None and not self._starting.expired():
                self._starting.reschedule(self._loop.time())

    def _give_up(self, error: BaseException | None) -> None:
        """End the call, if it has not ended, because its block or its `await` is left."""
        if self._status is None:
            self._close(CANCELLED, end_of(error))

    def _part(self) -> None:
        """The program is done with the call."""
        if self._life is not ENDED:
            self._settle()  # it has ended with its connection, and its turn has not come
        self._life = self._life.leave
        self._unwatch()

    def _on_concluded(self, status: Status, end: End) -> None:
        life = self._life = self._life.end
        if CLIENT.isEnabledFor(end.level):
            self._tell(status, end)
        if life is WITHDRAWN:
            self._channel._counters.calls_begun += 1
        if self._deadline is not None:
            self._deadline.unwatch(self)
        if self._initial_waiter is not None:
            self._wake_initial()
        if self._connection is not None:
            self._connection.release(self)

    def _wake_initial(self) -> None:
        if self._initial_waiter is not None and not self._initial_waiter.done():
            self._initial_waiter.set_result(None)

    def _ends(self) -> dict[End, int]:
        return self._channel._ends

    def _tell(self, status: Status, end: End) -> None:
        told = set() if self._connection is None else self._connection.told_ends
        tell_end(CLIENT, f"{self.method} to {self.peer or self._channel._address}", status, end, told)

    def _judge(self, status: Status, end: End) -> tuple[Status, End]:
        # The peer may tell of the deadline first, each in its own way; to the caller it is one thing.
        if self._deadline is not None and self._is_overdue():
            if status.code == StatusCode.CANCELLED:
                return self._deadline.status(), End.DEADLINE
            if status.code == StatusCode.DEADLINE_EXCEEDED:
                return status, End.DEADLINE
        return status, end

    def _why_not_begun(self, code: StatusCode, awaited: Waiting) -> End:
        # By what was raised: the time may be over, or the channel closed, a moment after something else had failed.
        if code == StatusCode.DEADLINE_EXCEEDED and self._is_overdue():
            return End.DEADLINE
        if code == StatusCode.CANCELLED and self._channel._closed:
            return End.CLOSED
        return End.UNPROCESSED if awaited is Waiting.CONNECTING else End.REFUSED

    def _is_overdue(self) -> bool:
        return self._deadline is not None and self._deadline.is_over()

    def _why_last(self, iterating: bool) -> Exception:
        return self._lost() if self._status is None else super()._why_last(iterating)
