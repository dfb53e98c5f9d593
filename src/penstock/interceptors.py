"""Interceptors: code of a program around every call, in one form for both sides and the four kinds.

An interceptor is a function of the call that gives an async context manager, mostly a generator:

    @asynccontextmanager
    async def timing(call: Call) -> AsyncGenerator[None, None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            record(call.method, call.status, time.perf_counter() - begin)

    Channel(address, interceptors=[timing]); Server(services, interceptors=[timing])

The first of the list is the outermost: entered first, left last. `docs/interceptors.md` has more examples.

On a client it is entered when the call begins (a unary call is awaited, the block of another one is entered), before a
connection is waited for; the deadline covers that. It is left when the call is over on both sides: after the reply, or
after the block. On a server it is entered in the handler's task and context, before the handler is called or a message
is read, and left before the status goes out, unless that comes from outside: the deadline, the client, a server that
stops. A call that ends on arrival has no handler and no interceptors: its deadline was over, or nobody serves the
method (count those with a `fallback` that raises UNIMPLEMENTED: interceptors are around it as around every handler).

- Before the `yield`, `raise RpcError(...)` refuses the call with that status: a client sends nothing, a server runs no
  handler. The interceptors outside of it see that. On a client, any other exception cancels the call and is raised.
- At the `yield` the outcome is raised: on a server what the handler raised, on a client what the block or the `await`
  raised, or else, if the call did not end with OK, its `RpcError`. `call.status` says how the call ended, on a server
  how it will end as things stand. `asyncio.CancelledError` comes through as it is.
- An exception that an interceptor raises takes the outcome's place: a server answers with it, a client's caller gets
  it. One that it swallows is raised on: an interceptor cannot make a success of a failure. One that comes out alone in
  an `ExceptionGroup` is what it was: a `TaskGroup` may be around the `yield`.
- A client's block that ends without an exception ends so, whatever its status, unless an interceptor raises something
  that is not that status.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from penstock.metadata import Metadata
    from penstock.status import Status
    from penstock.tls import TlsPeer

__all__ = ["Call", "Interceptor"]


class Call(Protocol):
    """A call as an interceptor sees it, on either side.

    It is the call itself: a `ServerStream` in a server, one of the client's four kinds in a client. An interceptor of
    one side may ask for that type instead, and use all of it.
    """

    @property
    def method(self) -> str:
        """`/package.Service/Method`."""

    @property
    def metadata(self) -> Metadata:
        """Client: what will be sent, to be changed until the `yield`. Server: what the client sent."""

    @property
    def peer(self) -> str | None:
        """Address of the other side; on a client `None` before the call is on a connection."""

    @property
    def tls(self) -> TlsPeer | None:
        """What the TLS handshake showed of the other side; `None` in plaintext, or where `peer` is `None`."""

    @property
    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; `None` if there is none."""

    @property
    def status(self) -> Status | None:
        """How the call ended, on a server after the `yield`: how it will end; `None` before."""

    @property
    def trailing_metadata(self) -> Metadata | None:
        """Client: what came with the status, `None` before the end. Server: what will go out with it; change it."""

    def on_send(self, watcher: Callable[[Any], object]) -> None:
        """Have a function called with each message that this side sends; more at `Stream.on_send`."""

    def on_receive(self, watcher: Callable[[Any], object]) -> None:
        """Have a function called with each message that this side receives; more at `Stream.on_receive`."""


Interceptor: TypeAlias = Callable[[Call], AbstractAsyncContextManager[object]]
"""What `Channel` and `Server` take: entered before the call, left with its outcome."""
