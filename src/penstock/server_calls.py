"""A call as its handler sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock._deadline import Deadline
from penstock._details import pack
from penstock.errors import Origin, RpcError, UsageError
from penstock.metadata import Metadata, to_wire
from penstock.status import Status, StatusCode
from penstock.stream import NO_ROOM, Stream

if TYPE_CHECKING:
    import asyncio

    from penstock import _engine
    from penstock._server_connection import ServerConnection
    from penstock.metadata import MetadataLike, MetadataValue

__all__ = ["ServerCall", "ServerStream"]

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")


class ServerStream(Stream[ReplyT, RequestT]):
    """One call, in its handler.

    When the client cancels, leaves, or misses the deadline, a `receive` or `send` that waits raises the outcome; then
    the handler's task is cancelled if it has not ended. When the handler returns, the call ends with OK.
    """

    __slots__ = (
        "_connection",
        "_deadline",
        "_initial_sent",
        "_metadata",
        "_request_pairs",
        "_task",
        "_trailing",
        "authority",
        "path",
    )

    def __init__(
        self,
        codec: _engine.Codec,
        connection: ServerConnection,
        path: str,
        authority: str,
        pairs: list[tuple[str, MetadataValue]] | None,
        timeout_seconds: float | None,
    ) -> None:
        super().__init__(codec, connection.loop)
        self.path = path
        """`/package.Service/Method`."""
        self.authority = authority
        """What the client said in `:authority`."""
        self._connection = connection
        self._request_pairs = pairs
        self._metadata: Metadata | None = None
        self._trailing: Metadata | None = None
        self._initial_sent = False
        self._task: asyncio.Task[None] | None = None
        self._deadline = Deadline(connection.loop, timeout_seconds)

    # What a handler uses.

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
    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline, at least 0; `None` if it set none."""
        left = self._deadline.left()
        return None if left is None else max(0.0, left)

    @property
    def draining(self) -> asyncio.Event:
        """Set when the server wants handlers to finish: it shuts down."""
        return self._connection.draining

    @property
    def trailing_metadata(self) -> Metadata:
        """To be sent with the status; change it until the handler returns."""
        if self._trailing is None:
            self._trailing = Metadata()
        return self._trailing

    async def send_initial_metadata(self, metadata: MetadataLike) -> None:
        """Send metadata before the first message. Without this, an empty one goes out with the first message.

        Does not wait.

        Raises:
            UsageError: Initial metadata or a message was sent before, or a key or value may not be sent.
        """
        if not self._respond(to_wire(metadata)) and self._status is None:
            msg = "initial metadata was sent before; send it first, and once"
            raise UsageError(msg)

    # For what runs the handler.

    async def _receive_only(self) -> RequestT:
        """The one request, once the client half-closed."""
        request = None
        while True:
            message = self._try_take()
            if message is None:
                if self._is_last:
                    break
                await self._message()
            elif request is None:
                request = message
            else:
                raise RpcError(StatusCode.UNIMPLEMENTED, "the client sent more than the one request of this method")
        if self._error is not None:
            raise self._fresh_error()
        if request is None:
            raise RpcError(StatusCode.UNIMPLEMENTED, "the client sent no request")
        return request

    async def _send_only(self, reply: ReplyT) -> None:
        payload = self._encode(reply)
        if self._push(payload) == NO_ROOM:
            await self._send_waiting(payload)

    def _finish_ok(self) -> None:
        self._finish(0, "", None, to_wire(self._trailing), False)

    def _finish_with(self, status: Status, metadata: MetadataLike | None = None) -> None:
        """End with a status after what is queued."""
        if self._status is not None:
            return
        trailers = to_wire(self._trailing) or []
        trailers = [*trailers, *(to_wire(metadata) or [])]
        packed = pack(status.code, status.message, status.details) if status.details else None
        self._finish(status.code, status.message, packed, trailers, False)

    # The end.

    def _close(self, status: Status) -> None:
        if self._status is None:
            self._finish(status.code, status.message, None, None, True)
            self._conclude(status, Origin.LOCAL)

    def _on_expired(self) -> None:
        self._close(self._deadline.status())

    def _on_concluded(self) -> None:
        self._deadline.unwatch(self)
        if self._task is None:
            return
        if self._task.done():
            self._connection.release(self)
        elif self._error is not None:
            # After whatever waits on this stream was woken with the outcome: it may end by itself, in order.
            self._loop.call_soon(self._cancel_handler)

    def _on_handler_done(self, task: asyncio.Task[None]) -> None:
        if self._status is not None:
            self._connection.release(self)
        elif task.cancelled():
            # It may never have begun.
            self._finish_with(Status(StatusCode.CANCELLED, "the handler was cancelled"))

    def _cancel_handler(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()


ServerCall = ServerStream[Any, Any]
"""A call as a one → one handler sees it: the same object; what is sent and received is its argument and result."""
