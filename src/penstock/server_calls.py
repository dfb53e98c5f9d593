"""A call as its handler sees it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from penstock import _stacks
from penstock._arguments import check_compression
from penstock._deadline import Deadline
from penstock._details import KEY as DETAILS_KEY
from penstock._details import pack
from penstock._ending import LOCAL, OK, RETURNED
from penstock._engine import MANY
from penstock._life import ANSWERED, ARRIVED, BEREFT, RELEASED, RUNNING
from penstock._telling import SERVER, tell_end, tell_failure
from penstock.ends import End
from penstock.errors import Origin, RpcError, UsageError
from penstock.metadata import Metadata, to_wire
from penstock.status import Status, StatusCode
from penstock.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock import _engine
    from penstock._admission import Meters
    from penstock._receiving import ValueT
    from penstock._sending import Payload
    from penstock._server_connection import ServerConnection
    from penstock._timers import Timers
    from penstock.compression import Compression
    from penstock.live import Waiting
    from penstock.metadata import MetadataLike, MetadataValue
    from penstock.tls import TlsPeer

__all__ = ["ServerCall", "ServerStream"]

FAILED = Status(StatusCode.UNKNOWN, "the handler raised an exception")
"""What a client learns of an unexpected exception: nothing that was not meant for it."""

EXITING = Status(StatusCode.UNAVAILABLE, "the server is shutting down")
"""What a client learns when a handler ends the whole process."""

NOTICE_SECONDS = 1.0
"""What a handler that was told of the end gets to end by itself, before it is cancelled."""

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")


class ServerStream(Stream[ReplyT, RequestT], Generic[RequestT, ReplyT]):
    """One call, in its handler.

    When the client cancels, leaves, or misses the deadline, a `receive` or `send` that waits raises the outcome. A
    handler that waits for something else is cancelled at once, and one that goes on after it was told, a second later.
    When the handler returns, the call ends with OK.
    """

    __slots__ = (
        "_cancelling",
        "_connection",
        "_deadline",
        "_expected",
        "_expected_end",
        "_metadata",
        "_outside",
        "_places",
        "_request_pairs",
        "_task",
        "_trailing",
        "authority",
        "identity",
        "method",
    )

    _outside: Waiting | None
    """What it waits for outside of its handler; without something around it this is never set."""

    def __init__(
        self,
        codec: _engine.Codec,
        connection: ServerConnection,
        method: str,
        authority: str,
        pairs: list[tuple[str, MetadataValue]] | None,
        timeout_seconds: float | None,
    ) -> None:
        super().__init__(codec, connection.loop)
        self.method = method
        """`/package.Service/Method`."""
        self.authority = authority
        """What the client said in `:authority`."""
        self.identity: Any = None
        """What `Server(authenticate=...)` returned for the call; `None` without."""
        self._connection = connection
        self._request_pairs = pairs
        self._metadata: Metadata | None = None
        self._trailing: Metadata | None = None
        self._expected: Status | None = None
        self._expected_end = RETURNED
        self._life = ARRIVED
        self._task: asyncio.Task[None] | None = None
        self._cancelling: asyncio.Handle | None = None
        self._places: Meters = ()
        self._deadline = None if timeout_seconds is None else Deadline(connection.loop, timeout_seconds)

    # What a handler uses.

    @property
    def status(self) -> Status | None:
        """How the call ended; `None` before. In an interceptor after its `yield`: how it will end, as things stand."""
        return self._expected if self._status is None else self._status

    @property
    def metadata(self) -> Metadata:
        """What the client sent before its first message."""
        if self._metadata is None:
            self._metadata = Metadata(self._request_pairs)
        return self._metadata

    @property
    def peer(self) -> str:
        """Address of the client, `host:port`; `unix:` for a Unix socket."""
        return self._connection.peer

    @property
    def tls(self) -> TlsPeer | None:
        """What the TLS handshake showed of the client, its certificate first of all; `None` in plaintext."""
        return self._connection.tls

    @property
    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline, at least 0; `None` if it set none."""
        return None if self._deadline is None else max(0.0, self._deadline.left())

    @property
    def draining(self) -> asyncio.Event:
        """Set when the server wants handlers to finish: it shuts down."""
        return self._connection.draining

    @property
    def trailing_metadata(self) -> Metadata:
        """To be sent with the status; change it until the handler returns.

        `grpc-status-details-bin` may be set here too, as bytes; it then stands in the place of an error's `details`.
        """
        if self._trailing is None:
            self._trailing = Metadata()
        return self._trailing

    async def send_initial_metadata(self, metadata: MetadataLike) -> None:
        """Send metadata before the first message. Without this, an empty one goes out with the first message.

        Does not wait.
        Does not promise: that the client gets it.

        Args:
            metadata: Keys are made lower case; values are printable ASCII, or bytes for a key that ends in `-bin`.

        Raises:
            UsageError: Initial metadata or a message was sent before, or a key or value may not be sent.

        Source: gRPC PROTOCOL-HTTP2, "Response-Headers".
        """
        if not self._respond(to_wire(metadata)) and self._status is None:
            msg = "initial metadata was sent before; send it first, and once"
            raise UsageError(msg)

    def set_compression(self, compression: Compression | None) -> None:
        """Choose what the replies of this call are compressed with, in place of what the server was made with.

        What the client did not offer is not used: the replies then go out as they are.

        Raises:
            UsageError: Initial metadata or a message was sent before; or it is no member of `Compression`.

        Source: gRPC compression.md.
        """
        check_compression(compression)
        if not self._compress_with(None if compression is None else compression.value) and self._status is None:
            msg = "initial metadata or a message was sent before; choose the compression first"
            raise UsageError(msg)

    def cancel(self) -> None:
        """End the call now, on both sides, with CANCELLED; what is queued is dropped. Harmless after the end."""
        self._close(Status(StatusCode.CANCELLED, "cancelled by the handler"), End.LEFT)

    # For what runs the handler.

    async def _receive_only(self) -> RequestT:
        """The one request, once the client half-closed."""
        while True:
            take = self._take_only
            request = self._try(take) if self._peer_coding is None else await self._expand(take)
            if request is MANY:
                raise RpcError(StatusCode.UNIMPLEMENTED, "the client sent more than one request; this method has one")
            if self._is_last:
                break
            await self._message()
        if self._error is not None:
            raise self._fresh_error()
        if request is None:
            raise RpcError(StatusCode.UNIMPLEMENTED, "the client sent no request; this method has one")
        return request

    async def _finish_with_reply(self, reply: ReplyT) -> None:
        """Send the one reply, and OK behind it."""
        if self._status is not None:
            return  # the handler cancelled the call, and returned
        if self._reply(reply, None if self._trailing is None else to_wire(self._trailing)):
            self._life = self._life.finish
        else:
            await self._finish_with_payload(self._encode(reply))

    async def _finish_with_payload(self, payload: Payload[ReplyT]) -> None:
        """The same, for a reply that who watches was told of."""
        if self._status is None:  # as above
            await self._send_waiting(payload)
            self._finish_ok()

    def _finish_ok(self) -> None:
        if self._status is None:
            self._finish(0, "", None, None if self._trailing is None else to_wire(self._trailing), False)
            self._life = self._life.finish

    def _finish_with(self, status: Status, end: End, metadata: MetadataLike | None = None) -> None:
        """End with a status after what is queued."""
        if self._status is not None:
            return
        self._expected, self._expected_end = status, end
        message = _encodable(status.message)
        try:
            trailers = [*(to_wire(self._trailing) or []), *(to_wire(metadata) or [])]
            packed = None
            # Details that were received stay in the metadata they came in, and go on byte for byte.
            if status.details and not any(key == DETAILS_KEY for key, _ in trailers):
                packed = pack(status.code, message, status.details)
            self._finish(status.code, message, packed, trailers, False)
        except Exception as error:  # noqa: BLE001 - it is logged, and the call must end all the same
            error.add_note(f"the status {status.code.name} cannot be sent")
            tell_failure(f"{self.method} from {self.peer}", None, error)
            self._expected, self._expected_end = FAILED, End.FAILED
            self._finish(FAILED.code, FAILED.message, None, None, False)
        self._life = self._life.finish

    def _finish_failed(self, error: BaseException | None) -> None:
        """End with the fixed text; the trailing metadata goes with it, unless that is what cannot be sent."""
        tell_failure(f"{self.method} from {self.peer}", self._end, error)
        if self._status is not None:
            return
        self._expected, self._expected_end = FAILED, End.FAILED
        try:
            self._finish(FAILED.code, FAILED.message, None, to_wire(self._trailing), False)
        except Exception:  # noqa: BLE001 - what failed before has been logged
            self._finish(FAILED.code, FAILED.message, None, None, False)
        self._life = self._life.finish

    # Waiting.

    async def _expand(self, take: Callable[[], ValueT]) -> ValueT:
        return await self._connection.expand(self, partial(self._try, take))

    def _may_send(self) -> bool:
        return self._life is RUNNING

    def _timed_by(self) -> Timers | None:
        return self._connection.timers

    # The end.

    def _close(self, status: Status, end: End, trailers: list[tuple[str, MetadataValue]] | None = None) -> None:
        if self._status is None:
            self._finish(status.code, _encodable(status.message), None, trailers, True)
            self._conclude(status, Origin.LOCAL, end)

    def _on_expired(self) -> None:
        if self._deadline is not None:
            self._close(self._deadline.status(), End.DEADLINE)

    def _on_ended(
        self,
        code: int,
        message: str,
        trailers: list[tuple[str, MetadataValue]] | None,
        origin: str,
        cause: str,
        unprocessed: bool,
    ) -> None:
        if code != 0:
            super()._on_ended(code, message, trailers, origin, cause, unprocessed)
            return
        # All went well with the stream: what this side said is out, whatever it was.
        expected = self._expected_end
        self._conclude(OK if expected is RETURNED else self._expected or OK, LOCAL, expected, trailers)

    def _ends(self) -> dict[End, int]:
        return self._connection.ends

    def _tell(self, status: Status, end: End) -> None:
        tell_end(SERVER, f"{self.method} from {self.peer}", status, end, self._connection.told_ends)

    def _on_concluded(self, status: Status, end: End) -> None:
        life = self._life = self._life.end
        if SERVER.isEnabledFor(end.level):
            self._tell(status, end)
        if self._deadline is not None:
            self._deadline.unwatch(self)
        if life is RELEASED:
            self._release()
        elif life is BEREFT and self._is_told():
            # By what it waits for, or it does so itself: its cleanup should not be disturbed.
            self._cancelling = self._loop.call_later(NOTICE_SECONDS, self._cancel_handler)
        elif life is BEREFT:  # else the handler takes its last step
            # After tasks of its own that wait on this stream were told: they may end it by themselves, in order.
            self._cancelling = self._loop.call_soon(self._cancel_unless_told)

    def _is_told(self) -> bool:
        """The handler learns of the end by itself."""
        told = (self._receiver, *self._send_waiters.values(), *(sending for _, sending in self._sources))
        return self._task in told or self._task is asyncio.current_task()

    def _cancel_unless_told(self) -> None:
        if self._told == id(self._task):
            # It was about to run, and learned of the end in the meantime.
            self._cancelling = self._loop.call_later(NOTICE_SECONDS, self._cancel_handler)
        else:
            self._cancel_handler()

    def _cancel_handler(self) -> None:
        self._cancelling = None
        if self._task is not None:
            self._life = self._life.cancel
            self._task.cancel()
            self._connection.stragglers.add(self)

    def _detach(self) -> None:
        """The handler has ignored its cancellation for too long: its place is free."""
        self._life = self._life.detach
        self._connection.release(self)

    def _where(self) -> str:
        """Where the handler is, for people."""
        return "" if self._task is None else _stacks.of_task(self._task)

    def _on_handler_done(self, task: asyncio.Task[None]) -> None:
        if self._life is RUNNING:
            if self._status is None:
                self._on_handler_ended_early(task)
            else:
                self._settle()  # it has ended with its connection, before its turn came
        if self._cancelling is not None:
            self._cancelling.cancel()
        before = self._life
        life = self._life = before.done
        if life is RELEASED:
            if before is not ANSWERED:
                self._tell_late_failure(task)
                self._on_straggler_done()
            self._release()

    def _tell_late_failure(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        # Another BaseException, which `Route.run` lets pass; these two the loop raises itself.
        if error is not None and not isinstance(error, SystemExit | KeyboardInterrupt):
            tell_failure(f"{self.method} from {self.peer}", self._end, error)

    def _on_straggler_done(self) -> None:
        self._connection.stragglers.remove(self)

    def _on_handler_ended_early(self, task: asyncio.Task[None]) -> None:
        """`Route.run` could not say how the handler ended."""
        if task.cancelled():
            # It may never have begun.
            self._finish_with(Status(StatusCode.CANCELLED, "the handler was cancelled"), End.TASK_CANCELLED)
        elif isinstance(error := task.exception(), SystemExit | KeyboardInterrupt):
            self._finish_with(EXITING, End.EXITED)
        else:
            # Another BaseException, which `Route.run` lets pass.
            self._finish_failed(error)

    def _release(self) -> None:
        # A cancelled task keeps its frames, and they keep this call: only a garbage collection would free them. So do
        # functions that watch, and hold what they watch.
        self._task = None
        self._unwatch()
        self._connection.release(self)


def _encodable(message: object) -> str:
    """Any text as UTF-8 can say it: names of files may hold lone surrogates."""
    return str(message).encode("utf-8", "backslashreplace").decode()


ServerCall = ServerStream[Any, Any]
"""A call as a one → one handler sees it: the same object; what is sent and received is its argument and result."""
