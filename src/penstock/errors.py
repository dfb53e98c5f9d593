"""What penstock raises.

    Error
    ├── RpcError                  how a call ended: code, message, details, metadata, origin
    │   ├── Cancelled             CANCELLED
    │   ├── DeadlineExceeded      DEADLINE_EXCEEDED; also a TimeoutError
    │   ├── ResourceExhausted     RESOURCE_EXHAUSTED; a limit was hit
    │   └── Unavailable           UNAVAILABLE; also a ConnectionError
    ├── EndOfStream               the peer sent its last message, and all is well
    ├── WouldBlock                send_nowait() found no room
    └── UsageError                a mistake in the program that calls
        ├── BusyError             two tasks receive on one stream
        └── ClosedError           you closed it before
    UnfinishedCall                a warning: an upload was left without finish() or cancel()

`asyncio.CancelledError` is never wrapped, never swallowed and never sent.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from penstock.metadata import Metadata
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

    from penstock.metadata import MetadataLike

__all__ = [
    "BusyError",
    "Cancelled",
    "ClosedError",
    "DeadlineExceeded",
    "EndOfStream",
    "Error",
    "Origin",
    "ResourceExhausted",
    "RpcError",
    "Unavailable",
    "UnfinishedCall",
    "UsageError",
    "WouldBlock",
]


class Origin(Enum):
    """Who decided how a call ended."""

    LOCAL = "local"
    """This side: a deadline, a limit, a cancellation, or `raise RpcError` in a handler."""
    REMOTE = "remote"
    """The peer: its status, or its reset of the stream."""
    TRANSPORT = "transport"
    """The connection: refused, lost, or closed before the call was taken."""


class Error(Exception):
    """The root of what penstock raises."""


class RpcError(Error):
    """How a call ended, when that was not OK.

    Raised on a client by what awaits the call. In a handler, raise it to end the call with that status.
    `RpcError(StatusCode.UNAVAILABLE, ...)` makes an `Unavailable`, and so on for the codes with a class of their own.

    Args:
        code: Any code but OK.
        message: For people; any text.
        details: Protobuf messages; each travels as a `google.protobuf.Any`.
        metadata: Trailing metadata. Details that a peer sent are in it too, as they came.
        origin: Who decided it.
        retryable: The peer's application surely never saw the call.

    Raises:
        UsageError: The code is OK, or no code.
    """

    _classes: ClassVar[dict[StatusCode, type[RpcError]]] = {}

    def __new__(cls, code: StatusCode, *_args: Any, **_kwargs: Any) -> Self:
        """Choose the class of the code."""
        chosen: type[Any] = RpcError._classes.get(code, cls) if cls is RpcError else cls
        # Past RpcError in the class that was chosen: TimeoutError and ConnectionError have a __new__ of their own.
        made: Self = super(RpcError, chosen).__new__(chosen)
        return made

    def __init__(
        self,
        code: StatusCode,
        message: str = "",
        *,
        details: Iterable[Message] = (),
        metadata: MetadataLike | None = None,
        origin: Origin = Origin.LOCAL,
        retryable: bool = False,
    ) -> None:
        if code == StatusCode.OK:
            msg = "an RpcError cannot carry OK; return from the handler instead"
            raise UsageError(msg)
        super().__init__(code, message)
        self.args = (code, message)
        try:
            self.code = StatusCode(code)
        except ValueError:
            msg = f"code is a StatusCode such as StatusCode.NOT_FOUND, not {code!r}"
            raise UsageError(msg) from None
        self.message = message
        self.details = tuple(details)
        self.metadata = Metadata(metadata)
        self.origin = origin
        self.retryable = retryable
        self._outcome_of_call = False

    def __init_subclass__(cls, *, code: StatusCode) -> None:
        RpcError._classes[code] = cls

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}" if self.message else self.code.name

    def __reduce__(self) -> tuple[Any, ...]:
        return RpcError, (self.code, self.message)

    @property
    def status(self) -> Status:
        """The same as a `Status`."""
        return Status(self.code, self.message, self.details)

    def relay(self) -> RpcError:
        """The same error, to be raised by a handler towards its own client.

        Without it, an error of a call that a handler made and that escapes becomes UNKNOWN: the codes of another
        service seldom mean the same to one's own clients.
        """
        return RpcError(self.code, self.message, details=self.details, metadata=self.metadata)


class Cancelled(RpcError, code=StatusCode.CANCELLED):
    """The call was cancelled: by the peer, or because its connection was lost under a handler."""


class DeadlineExceeded(RpcError, TimeoutError, code=StatusCode.DEADLINE_EXCEEDED):
    """The call did not end within its timeout."""


class ResourceExhausted(RpcError, code=StatusCode.RESOURCE_EXHAUSTED):
    """A limit was hit: the size of a message, or what the server admits."""


class Unavailable(RpcError, ConnectionError, code=StatusCode.UNAVAILABLE):
    """The peer could not be reached, or was lost. Surely safe to repeat only if `retryable`."""


class EndOfStream(Error):
    """The peer has sent its last message, and the call is not an error."""


class WouldBlock(Error):
    """There is no room for the message now."""


class UsageError(Error):
    """The program asked for something that cannot be; the text says what to write instead."""


class ClosedError(UsageError):
    """The program closed this itself, before."""


class BusyError(UsageError):
    """Another task is receiving on this stream."""


class UnfinishedCall(RuntimeWarning):
    """A client stream was left without `finish()` or `cancel()`: what was sent counts for nothing."""


def outcome(
    status: Status, origin: Origin, metadata: MetadataLike | None = None, *, retryable: bool = False
) -> RpcError:
    """The error of a call that ended so. A handler it escapes from did not mean its own client: see `relay`."""
    error = RpcError(
        status.code, status.message, details=status.details, metadata=metadata, origin=origin, retryable=retryable
    )
    error._outcome_of_call = True
    return error


def message_too_large(text: str) -> RpcError:
    """What the engine raises for a message above the sender's own limit."""
    return RpcError(StatusCode.RESOURCE_EXHAUSTED, text)
