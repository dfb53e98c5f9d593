"""A client's way to a server."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from penstock import _address, _lost_calls, _tls_context, live
from penstock._arguments import check_compression, check_here, check_kind
from penstock._connector import ChannelState, Connector
from penstock._counters import Counters
from penstock._deadline import check_timeout
from penstock._forms import check_arguments
from penstock._interception import Around, check_awaitable, checked
from penstock._message_watch import of_limits
from penstock._timers import Timers
from penstock.client_calls import BothStreamCall, ClientStreamCall, ServerStreamCall, UnaryCall
from penstock.ends import End
from penstock.errors import RpcError, UsageError
from penstock.keepalive import ClientKeepalive
from penstock.limits import CallOptions, Limits
from penstock.method import Method, client_codec, raw_method
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from penstock import _engine
    from penstock._client_call import ClientCall
    from penstock._client_connection import ClientConnection
    from penstock._connector import Dial
    from penstock.compression import Compression
    from penstock.credentials import Credentials
    from penstock.live import LiveStream, Waiting
    from penstock.metadata import MetadataLike
    from penstock.statistics import ChannelStatistics, ConnectionStatistics

__all__ = ["Channel", "ChannelState"]

CLOSED = Status(StatusCode.CANCELLED, "the channel is closed")

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")


class Channel:
    """Calls to one address, over a connection made when the first call needs it and made again when it is gone.

    Use it as an async context manager, or call `close()`. A server that says GOAWAY finishes the calls it has; new
    calls go over a new connection.

    Concurrency: any task of one loop, that of its first use. Not after `fork`.

    Args:
        address: `host:port`, `[::1]:port` or `unix:/path`.
        tls: `True` trusts the system's certificates; else what `penstock.tls.client_context` makes, or a context of
            your own for TLS 1.2 and up. ALPN is set on it to `h2`, which the server must choose, and renegotiation is
            forbidden.
        plaintext: Without `tls`, needed for an address that is not on this machine.
        authority: What to say in `:authority`; the address, unless given. Its host is also the name that TLS asks for
            (SNI) and verifies.
        limits: Settings of its connections.
        keepalive: When it asks whether the server is still there; see `penstock.keepalive`. Off unless asked for.
        compression: What calls compress their messages with, unless their options say otherwise.
        user_agent: What the program calls itself, `my-app/1.2`: servers see it before the name of this library.
        interceptors: Around every call, the first outermost; see `penstock.interceptors`.
        credentials: Metadata fetched for every call; see `penstock.credentials`.

    Raises:
        UsageError: The address has another form; or is not on this machine, and neither `tls` nor `plaintext` was asked
            for; or the context is unfit; or `user_agent` is not printable ASCII; or an interceptor, `limits` or
            `compression` has the wrong form; or credentials would leave this machine in plaintext.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: ssl.SSLContext | bool | None = None,
        plaintext: bool = False,
        authority: str | None = None,
        limits: Limits | None = None,
        keepalive: ClientKeepalive | None = None,
        compression: Compression | None = None,
        user_agent: str = "",
        interceptors: Iterable[Callable[[ClientCall[Any, Any]], AbstractAsyncContextManager[object]]] = (),
        credentials: Credentials | None = None,
    ) -> None:
        self._address = _address.parse(address)
        _address.check_protection(self._address, tls=tls, plaintext=plaintext)
        self._authority = authority or self._address.authority
        self._context, self._server_hostname = None, None
        if tls:
            if self._address.path and authority is None:
                msg = "TLS over a Unix socket needs authority=, the name the server's certificate has"
                raise UsageError(msg)
            self._server_hostname = _address.host_of(self._authority)
            self._context = _tls_context.for_client(tls, self._server_hostname)
        check_kind(limits, Limits, "limits is penstock.Limits(...)")
        self._limits = Limits() if limits is None else limits
        self._timeouts = of_limits(self._limits)
        check_kind(keepalive, ClientKeepalive, "keepalive is penstock.keepalive.ClientKeepalive(...)")
        self._keepalive = ClientKeepalive() if keepalive is None else keepalive
        if not (user_agent.isascii() and user_agent.isprintable()):
            msg = f"user_agent must be printable ASCII, not {user_agent!r}"
            raise UsageError(msg)
        self._user_agent = user_agent
        check_compression(compression)
        self._compression = compression
        known = checked(interceptors)
        self._around = Around(known) if known else None
        if credentials is not None:
            check_awaitable(credentials, "credentials")
            check_arguments(credentials, "credentials", "call")
            self._around = self._around_with(credentials)
        self._starting: dict[ClientCall[Any, Any], Waiting] = {}
        """Calls that are not sent yet, and what they wait for."""
        self._codecs: dict[Method[Any, Any], _engine.Codec] = {}
        self._raw_codec = client_codec(raw_method("*"), self._limits)
        self._connector: Connector | None = None
        self._dial: Dial | None = None
        """What connects in place of a socket."""
        self._timers_made: Timers | None = None
        self._counters = Counters()
        self._ends = self._counters.ends
        """How many calls ended in which way."""
        self._process = os.getpid()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        await self.close()

    @property
    def state(self) -> ChannelState:
        """What the channel is doing now."""
        if self._closed:
            return ChannelState.SHUTDOWN
        return ChannelState.IDLE if self._connector is None else self._connector.state

    async def ready(self, *, timeout: float | None = None) -> None:
        """Connect, unless that was done.

        Waits until: the server has said its SETTINGS; failed attempts are repeated, with pauses.
        Cancelling: an attempt that runs goes on.
        Does not promise: that the connection is still there when the next call is made.

        Args:
            timeout: Seconds; `None` waits without end.

        Raises:
            TimeoutError: It took longer.
            RpcError: CANCELLED: the channel was closed meanwhile.
            UsageError: The channel is closed, or belongs to another loop or process; or `timeout` is no number of
                seconds from 0.
        """
        if timeout is not None:
            check_timeout(timeout)
        async with asyncio.timeout(timeout):
            await self._connector_here().connection(wait_for_ready=True)

    async def close(self) -> None:
        """End every call with CANCELLED and close the connections. Harmless when repeated.

        Waits until: the sockets are closed; a server that reads nothing is given a second.
        Cancelling: the calls have ended; connections may still be open, call it again.

        Raises:
            UsageError: It is used in another thread, in another loop than this. Nothing was closed.
        """
        if self._process != os.getpid():
            self._closed = True
            return
        if self._connector is not None:
            check_here(self._connector.loop, "channel.close()")
        self._closed = True
        for call in list(self._starting):
            call._close(CLOSED, End.CLOSED)
        if self._connector is not None:
            for connection in list(self._connector.connections):
                for call in list(connection.calls):
                    call._close(CLOSED, End.CLOSED)
            _lost_calls.finish(self._connector.loop, lambda call: getattr(call, "_channel", None) is self)
            await self._connector.close()
            self._timers.tidy()

    def streams(self, *, method: str = "") -> Iterator[LiveStream]:
        """Look at the calls that are open, those that wait for a connection or a place included.

        Each one is looked at when the iteration comes to it: in a long one await something now and then, so that other
        tasks run. What has ended by then is left out. In no order.

        Args:
            method: Only of methods that begin so: `/package.Service/`.
        """
        return live.of_channel(self, method)

    def statistics(self) -> ChannelStatistics:
        """Count what is open now, and what there was since the channel was made.

        Concurrency: any thread, as for a server.
        """
        from penstock import statistics  # few programs ask for them, and each import is paid for at the start

        return statistics.of_channel(self)

    def connection_statistics(self) -> Iterator[ConnectionStatistics]:
        """Look at each connection, as `streams` does."""
        from penstock import statistics

        return statistics.of_connections(() if self._connector is None else self._connector.connections, "")

    # Calls. Generated clients call these.

    def call_unary(
        self,
        method: Method[RequestT, ReplyT],
        request: RequestT,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        wait_for_ready: bool = False,
        options: CallOptions | None = None,
    ) -> UnaryCall[ReplyT]:
        """One → one; await the result. Options and errors as for `stream`."""
        codec = self._codecs.get(method) or self._codec(method)
        return UnaryCall(codec, request, self, method.path, timeout, metadata, wait_for_ready, options)

    def call_server_stream(
        self,
        method: Method[RequestT, ReplyT],
        request: RequestT,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        wait_for_ready: bool = False,
        options: CallOptions | None = None,
    ) -> ServerStreamCall[ReplyT]:
        """One → many; use the result as an async context manager. Options and errors as for `stream`."""
        codec = self._codec(method)
        return ServerStreamCall(codec, request, self, method.path, timeout, metadata, wait_for_ready, options)

    def call_client_stream(
        self,
        method: Method[RequestT, ReplyT],
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        wait_for_ready: bool = False,
        options: CallOptions | None = None,
    ) -> ClientStreamCall[RequestT, ReplyT]:
        """Many → one; use the result as an async context manager. Options and errors as for `stream`."""
        codec = self._codec(method)
        return ClientStreamCall(codec, self, method.path, timeout, metadata, wait_for_ready, options)

    def call_both_stream(
        self,
        method: Method[RequestT, ReplyT],
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        wait_for_ready: bool = False,
        options: CallOptions | None = None,
    ) -> BothStreamCall[RequestT, ReplyT]:
        """Many → many; use the result as an async context manager. Options and errors as for `stream`."""
        codec = self._codec(method)
        return BothStreamCall(codec, self, method.path, timeout, metadata, wait_for_ready, options)

    def stream(
        self,
        path: str,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        wait_for_ready: bool = False,
        options: CallOptions | None = None,
    ) -> BothStreamCall[bytes, bytes]:
        """Call a method with messages as bytes, as proxies do. Any kind of method can be called so.

        Args:
            path: `/package.Service/Method`.
            timeout: Seconds the whole call may take; sent along, and enforced on both sides.
            metadata: Sent before the first message.
            wait_for_ready: While the server cannot be reached, wait (within `timeout`) rather than fail.
            options: What is rarely needed.

        Returns:
            A call that has not begun: it begins when its block is entered (or, one → one, when it is awaited).

        Raises:
            UsageError: `path` has another form, `timeout` is no number of seconds from 0, or `options` are no
                `CallOptions`.
        """
        if not isinstance(path, str) or not path.startswith("/"):  # type: ignore[redundant-expr]  # not all check types
            msg = f"path is text like '/package.Service/Method', not {path!r}"
            raise UsageError(msg)
        return BothStreamCall(self._raw_codec, self, path, timeout, metadata, wait_for_ready, options)

    # For the calls.

    @property
    def _timers(self) -> Timers:
        if self._timers_made is None:
            self._timers_made = Timers(asyncio.get_running_loop())
        return self._timers_made

    def _around_with(self, credentials: Credentials) -> Around:
        """What is around a call that has credentials of its own."""
        if self._context is None and not self._address.is_local:
            msg = f"credentials would go to {self._address} in plaintext, where others can read them: use tls="
            raise UsageError(msg)
        around = self._around or Around(())
        return replace(around, credentials=(*around.credentials, credentials))

    def _codec(self, method: Method[Any, Any]) -> _engine.Codec:
        codec = self._codecs.get(method)
        if codec is None:
            codec = self._codecs[method] = client_codec(method, self._limits)
        return codec

    async def _connection(self, *, wait_for_ready: bool) -> ClientConnection:
        """A connection on which the caller has a place, if it opens its call before it awaits anything."""
        connector = self._connector_here()
        while True:
            connection = await connector.connection(wait_for_ready=wait_for_ready)
            try:
                await connection.place()
            except RpcError as error:
                if not error.retryable:
                    raise
            else:
                return connection

    def _connector_here(self) -> Connector:
        if self._process != os.getpid():
            msg = "this channel was made before fork(); make a new one in each process"
            raise UsageError(msg)
        if self._closed:
            msg = "the channel is closed"
            raise UsageError(msg)
        if self._connector is None:
            self._connector = Connector(
                self._address,
                self._limits,
                self._authority,
                self._context,
                self._server_hostname,
                self._user_agent,
                self._dial,
                self._keepalive,
                self._counters,
            )
        elif self._connector.loop is not asyncio.get_running_loop():
            msg = "this channel belongs to another event loop; make one in each loop"
            raise UsageError(msg)
        return self._connector
