"""A server: listens, runs handlers, and stops without breaking what it can finish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from typing import TYPE_CHECKING, Any

from penstock import _address, _tls_context, _watchdog, live, statistics
from penstock._arguments import check_compression, check_grace, check_here, check_kind
from penstock._arrival import Arrival
from penstock._handlers import fallback_route, routes
from penstock._interception import around_server
from penstock._listening import Listeners
from penstock._loop_end import Sentinel
from penstock._server_core import ServerCore
from penstock.admission import Admission
from penstock.errors import UsageError
from penstock.keepalive import ServerKeepalive
from penstock.limits import Limits
from penstock.stopping import StopReport, close_connections, end_calls, stop_signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
    from contextlib import AbstractAsyncContextManager

    from penstock._equipment import Equipment
    from penstock.compression import Compression
    from penstock.live import LiveStream
    from penstock.server_calls import ServerCall, ServerStream
    from penstock.service import Service
    from penstock.statistics import ConnectionStatistics, ServerStatistics

__all__ = ["Server"]

logger = logging.getLogger("penstock.server")


class Server:
    """Serves calls on any number of addresses, in the loop it is started in.

    Concurrency: any task of that loop. Not after `fork`.

    Args:
        services: Objects of generated bases, or of `Service`.
        limits: Settings of its connections.
        admission: How much it takes on at once, of calls and of connections.
        keepalive: When it asks whether a client is still there, and how often clients may; see `penstock.keepalive`.
        compression: What replies are compressed with for clients that offer it, unless a handler says otherwise.
        fallback: `async def handler(stream)` for calls no service has: messages are bytes, many → many. A proxy.
        interceptors: Around every handler, the first outermost; see `penstock.interceptors`.
        authenticate: `async def who(call)` returns the caller's identity, `stream.identity` in the handler, or raises
            an `RpcError` to refuse. It runs before the interceptors and before a message is read, in the handler's
            task and within the deadline; for the fallback too, not for a method nobody serves. Another exception is
            logged and answered as a handler's is.

    Raises:
        UsageError: A service, a handler or a setting has the wrong form; the text says which.
    """

    def __init__(
        self,
        services: Iterable[Service],
        *,
        limits: Limits | None = None,
        admission: Admission | None = None,
        keepalive: ServerKeepalive | None = None,
        compression: Compression | None = None,
        fallback: Callable[[ServerStream[bytes, bytes]], Any] | None = None,
        interceptors: Iterable[Callable[[ServerCall], AbstractAsyncContextManager[object]]] = (),
        authenticate: Callable[[ServerCall], Awaitable[object]] | None = None,
    ) -> None:
        check_kind(limits, Limits, "limits is penstock.Limits(...)")
        check_kind(admission, Admission, "admission is penstock.Admission(...)")
        check_kind(keepalive, ServerKeepalive, "keepalive is penstock.keepalive.ServerKeepalive(...)")
        check_compression(compression)
        limits = Limits() if limits is None else limits
        around = around_server(interceptors, authenticate)
        self._core = ServerCore(
            routes(services, limits, around),
            None if fallback is None else fallback_route(fallback, limits, around),
            limits,
            Admission() if admission is None else admission,
            ServerKeepalive() if keepalive is None else keepalive,
            compression,
        )
        self._listeners = Listeners()
        self._addresses: list[str] = []
        self._process = os.getpid()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, ports as the system chose them."""
        return tuple(self._addresses)

    def streams(self, *, method: str = "", peer: str = "") -> Iterator[LiveStream]:
        """Look at the calls that are open, and at those that are over and whose handler still runs.

        Each one is looked at when the iteration comes to it: in a long one await something now and then, so that other
        tasks run. What has ended by then is left out. In no order.

        Args:
            method: Only of methods that begin so: `/package.Service/`.
            peer: Only of clients whose address begins so: `10.0.0.7:`.
        """
        return live.of_server(self._core, method, peer)

    def statistics(self) -> ServerStatistics:
        """Count what is open now, and what there was since the server was made.

        Concurrency: any thread, as `streams` and `connection_statistics`; what comes and goes meanwhile may be in some
        of the counts and not in others.
        """
        return statistics.of_server(self._core)

    def connection_statistics(self, *, peer: str = "") -> Iterator[ConnectionStatistics]:
        """Look at each connection, or at those of clients whose address begins with `peer`, as `streams` does."""
        return statistics.of_connections(self._core.connections, peer)

    async def serve(
        self,
        *addresses: str,
        tls: ssl.SSLContext | None = None,
        plaintext: bool = False,
        grace: float = 30.0,
        handle_signals: bool = True,
    ) -> StopReport:
        """Listen until SIGINT or SIGTERM, then stop: the whole life of a server program.

        Waits until: it has stopped. A second signal cuts the grace short.
        Cancelling: stops at once, as `stop(grace=0)`.

        Args:
            addresses: At least one; `host:port`, `[::1]:port`, `unix:/path`.
            tls: What `penstock.tls.server_context` makes, or a context of your own for TLS 1.2 and up. ALPN is set on
                it to `h2`, which clients must offer, and renegotiation is forbidden. Contexts that its `sni_callback`
                chooses need the same: `server_context` sees to it.
            plaintext: Without `tls`, needed for an address that other machines can reach.
            grace: Seconds that open calls get to end by themselves.
            handle_signals: False leaves SIGINT and SIGTERM to the program; then cancel this. Outside of the main thread
                it has to be False.

        Returns:
            What happened to the calls that were open.

        Raises:
            OSError: An address cannot be listened on, a port in use for example.
            UsageError: An address has another form, or needs `tls` or `plaintext`; the context or the grace is unfit;
                or signals cannot be handled here.
        """
        check_grace(grace)  # now: when the signal comes it is too late
        with stop_signals(handle_signals) as signalled:
            async with self.listening(*addresses, tls=tls, plaintext=plaintext):
                logger.info("listening on %s", ", ".join(self._addresses))
                await signalled.get()
                stopping = asyncio.ensure_future(self.stop(grace))
                again = asyncio.ensure_future(signalled.get())
                try:
                    await asyncio.wait([stopping, again], return_when=asyncio.FIRST_COMPLETED)
                    hurried = None if stopping.done() else await self.stop(0)
                    report = await stopping
                    return report if hurried is None else report._after(hurried)
                finally:
                    again.cancel()
                    # If this was cancelled: what leaving the block does takes its place.
                    stopping.cancel()

    @contextlib.asynccontextmanager
    async def listening(
        self, *addresses: str, tls: ssl.SSLContext | None = None, plaintext: bool = False
    ) -> AsyncIterator[str]:
        """Listen within a block.

        Leaving the block stops the server at once, as `stop(grace=0)`; call `stop` before for a gentler end. Meanwhile
        a task of the server waits in the loop. Cancelled with all others, as `asyncio.run` does at its end, it stops
        the server though nobody leaves the block: no more handlers begin, those there are get
        `Limits.handler_cleanup_seconds` to end.

        Args:
            addresses: As for `serve`.
            tls: As for `serve`.
            plaintext: As for `serve`.

        Yields:
            The first address, its port as the system chose it: what a `Channel` takes.

        Raises:
            OSError, UsageError: As `serve`.
        """
        self._check_startable(addresses)
        parsed = [_address.parse(address) for address in addresses]
        for address in parsed:
            _address.check_protection(address, tls=tls, plaintext=plaintext, listening=True)
        self._core.tls = None if tls is None else _tls_context.for_server(tls)
        equipment = self._core.enter(asyncio.get_running_loop())
        self._core.draining.clear()
        sentinel = Sentinel(f"penstock: server on {addresses[0]}", self._end_with_loop)
        _watchdog.watch(self._core)
        try:
            for address in parsed:
                await self._listen(address, equipment)
            yield self._addresses[0]
        finally:
            try:
                await self.stop(0)
            finally:
                await sentinel.leave()

    def replace_tls(self, context: ssl.SSLContext) -> None:
        """Use another context, with a renewed certificate for example, for connections that come from now on.

        Open connections, and handshakes under way, go on with what they began with: no stream is dropped.

        Args:
            context: As for `serve`.

        Raises:
            UsageError: The server does not listen with TLS, or the context is unfit; then the one before stays in use.
        """
        if self._core.tls is None or not self._listeners:
            msg = "the server does not listen with TLS: pass tls= to serve() or listening()"
            raise UsageError(msg)
        self._core.tls = _tls_context.for_server(context)

    async def stop(self, grace: float = 30.0) -> StopReport:
        """Stop: take no more calls, let open ones finish, cancel the rest. Harmless when repeated.

        Handlers see `draining`, clients get GOAWAY; after `grace` seconds what is left ends with UNAVAILABLE.

        Waits until: all calls have ended, all sockets are closed. A handler that ignores its cancellation is waited
        for as long as `Limits.handler_cleanup_seconds` says, then reported.
        Cancelling: may leave connections open; call it again.
        Concurrency: any task, but in a handler it waits for that handler too: give it a task of its own there.

        Args:
            grace: Seconds that open calls get to end by themselves; 0 cancels them at once.

        Returns:
            What happened to the calls that were open.

        Raises:
            UsageError: The grace is no number of seconds, or one below 0; or it serves in another thread, in another
                loop than this. Nothing was stopped.
        """
        check_grace(grace)
        core = self._core
        if core.equipment is not None:
            check_here(core.equipment.loop, "server.stop()")
        self._listeners.close()
        core.draining.set()
        for connection in list(core.connections):
            connection.shut_down()
        for connection in core.gone:
            connection.draining.set()
        report = await end_calls(core.connections, core.gone, core.detached, grace)
        await close_connections(core.connections)
        self._addresses.clear()
        _watchdog.leave(core)
        if core.equipment is not None:
            core.equipment.pool.close()  # kept: what is detached may still be in it
            core.equipment.timers.tidy()
        return report

    async def _end_with_loop(self) -> None:
        # The handlers that are there were cancelled too, and are not disturbed in their cleanup.
        for connection in self._core.connections:
            connection.refuse_calls("the server is shutting down")
        await self.stop(self._core.limits.handler_cleanup_seconds)

    def _check_startable(self, addresses: tuple[str, ...]) -> None:
        if self._process != os.getpid():
            msg = "this server was made before fork(); make a new one in each process"
            raise UsageError(msg)
        if not addresses:
            msg = "give at least one address, such as '127.0.0.1:50051'"
            raise UsageError(msg)
        if self._listeners:
            msg = "the server is listening already; give it all addresses at once"
            raise UsageError(msg)
        if self._addresses:
            msg = "the server is still stopping; await stop(), or make another server"
            raise UsageError(msg)

    async def _listen(self, address: _address.Address, equipment: Equipment) -> None:
        core = self._core
        self._addresses += await self._listeners.add(address, lambda: Arrival(core, equipment))
