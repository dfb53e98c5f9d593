"""Getting a connection, and getting one again."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from penstock._client_connection import ClientConnection
from penstock._counters import Counters
from penstock._timers import Timers
from penstock.ends import End
from penstock.errors import Origin, RpcError
from penstock.keepalive import ClientKeepalive
from penstock.status import StatusCode

if TYPE_CHECKING:
    from penstock._address import Address
    from penstock.limits import Limits

logger = logging.getLogger("penstock.client")

GROWTH = 1.6
JITTER = 0.2


class ChannelState(Enum):
    """What a channel is doing. Source: gRPC connectivity-semantics-and-api.md."""

    IDLE = "idle"
    """There is no connection; the next call makes one."""
    CONNECTING = "connecting"
    """An attempt runs, or waits for the end of its pause."""
    READY = "ready"
    """There is a connection that takes calls."""
    TRANSIENT_FAILURE = "transient failure"
    """The last attempt failed; calls fail at once until the next attempt, unless they wait for ready."""
    SHUTDOWN = "shutdown"
    """It was closed."""


Dial: TypeAlias = Callable[["Address", Callable[[], asyncio.BaseProtocol]], Awaitable[object]]
"""Connects the protocol that it is given a way to, to an address, or raises OSError."""


async def dial_socket(address: Address, connection: Callable[[], asyncio.BaseProtocol]) -> None:
    """Connect by a socket."""
    loop = asyncio.get_running_loop()
    if address.path:
        await loop.create_unix_connection(connection, address.path)
    else:
        await loop.create_connection(connection, address.host, address.port)


class Connector:
    """Keeps one connection to one address: made when a call needs it, made again when it is gone."""

    def __init__(
        self,
        address: Address,
        limits: Limits,
        authority: str,
        context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        user_agent: str = "",
        dial: Dial | None = None,
        keepalive: ClientKeepalive | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._address = address
        self._limits = limits
        self._authority = authority
        self._tls = context, server_hostname
        self._user_agent = user_agent
        self._dial = dial or dial_socket
        self._keepalive = keepalive or ClientKeepalive()
        self._counters = counters or Counters()
        self.loop = asyncio.get_running_loop()
        self._timers = Timers(self.loop)
        self._closed = False
        self.newest: ClientConnection | None = None
        """The connection for new calls, if it still takes any."""
        self._attempt: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._last_failure = ""
        self.connections: set[ClientConnection] = set()
        """Every connection whose socket is open, those that only finish their calls included."""

    @property
    def state(self) -> ChannelState:
        """What it is doing now."""
        if self._closed:
            return ChannelState.SHUTDOWN
        if self.current() is not None:
            return ChannelState.READY
        if self._attempt is not None and self.loop.time() >= self._retry_at:
            return ChannelState.CONNECTING
        return ChannelState.TRANSIENT_FAILURE if self._failures else ChannelState.IDLE

    def current(self) -> ClientConnection | None:
        """The connection for new calls, if there is one."""
        connection = self.newest
        return connection if connection is not None and connection.is_usable else None

    async def connection(self, *, wait_for_ready: bool) -> ClientConnection:
        """Return a connection that takes calls.

        Waits until: an attempt succeeds or, without `wait_for_ready`, one fails.
        Cancelling: an attempt that runs goes on, for others.

        Raises:
            RpcError: UNAVAILABLE, with the reason of the last attempt.
        """
        while True:
            connection = self.current()
            if connection is not None:
                return connection
            if self._closed:
                raise RpcError(StatusCode.CANCELLED, "the channel is closed")
            if wait_for_ready or self.loop.time() >= self._retry_at:
                if self._attempt is None:
                    self._attempt = self.loop.create_task(self._try(), name=f"penstock connect {self._address}")
                    self._attempt.add_done_callback(self._on_attempt_done)
                await asyncio.wait([self._attempt])
                self._heed_early_end()
            if self._failures and not wait_for_ready:
                raise self._failure()

    async def close(self) -> None:
        """Close every connection. Calls must have ended.

        Waits until: the sockets are closed; a peer that reads nothing is given a second.
        """
        self._closed = True
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])
        for connection in list(self.connections):
            connection.shut_down()
        ended = [connection.ended for connection in self.connections]
        if ended:
            await asyncio.wait(ended, timeout=1.0)
        for connection in list(self.connections):
            connection.abort("the channel was closed", End.CLOSED)
            await asyncio.wait([connection.ended])  # not itself: others wait for it too when this is cancelled

    async def _try(self) -> None:
        await asyncio.sleep(max(0.0, self._retry_at - self.loop.time()))
        try:
            async with asyncio.timeout(self._limits.connect_timeout_seconds):
                connection = await self._connect()
        except TimeoutError:
            self._note_failure(f"no answer within {self._limits.connect_timeout_seconds:g} s")
        except OSError as error:
            self._note_failure(str(error))
        else:
            self._failures, self._retry_at = 0, 0.0
            self.newest = connection

    async def _connect(self) -> ClientConnection:
        connection = ClientConnection(
            self._limits, self.loop, self._authority, *self._tls, self._user_agent, self._timers, self._keepalive
        )
        try:
            await self._dial(self._address, lambda: connection)
        except BaseException:
            # Cancelled, uvloop closes a socket that was just connected without a word to its protocol.
            connection.forget()
            # Whoever keeps the error keeps this frame, but not the connection.
            del connection
            raise
        self.connections.add(connection)
        self._counters.connections_made += 1
        connection.ended.add_done_callback(functools.partial(self._on_ended, connection))
        try:
            await connection.ready
        except BaseException:
            connection.abort("the attempt to connect was given up")
            # The error is kept by `ready`, and its traceback leads to this frame: a cycle, if it kept the connection.
            del connection
            raise
        return connection

    def _on_ended(self, connection: ClientConnection, _ended: asyncio.Future[None]) -> None:
        self.connections.discard(connection)
        if connection.was_punished and self._keepalive.time_seconds < math.inf:
            # Source: gRPC proposal A8: the next connections ask half as often.
            self._keepalive = replace(self._keepalive, time_seconds=2 * self._keepalive._interval_seconds)
            logger.warning(
                "%s takes so many PINGs for an attack: keepalive goes on with one in %g s",
                self._address,
                self._keepalive.time_seconds,
            )
        self._counters.add(connection)

    def _on_attempt_done(self, attempt: asyncio.Task[None]) -> None:
        self._attempt = None
        if not attempt.cancelled() and attempt.exception() is not None:
            # Not the network: a mistake, here or in an address. It must not be retried in silence.
            logger.error("connecting to %s failed", self._address, exc_info=attempt.exception())
            self._note_failure(str(attempt.exception()))

    def _heed_early_end(self) -> None:
        """Take a connection that ended before a call could use it for a failed attempt.

        Otherwise a peer that says SETTINGS and hangs up would be asked again at once, and again.
        """
        if self._closed or self._failures:
            return  # it is this side that ended it, or the attempt had failed
        if self.newest is not None and not self.newest.is_usable:
            self._note_failure(self.newest.reason or "the peer closed the connection")

    def _note_failure(self, reason: str) -> None:
        pause = self._limits.reconnect_initial_seconds * GROWTH ** min(self._failures, 64)
        pause = min(pause, self._limits.reconnect_max_seconds)
        # Without it the clients of a server that restarts would all come back in the same moment.
        pause *= 1 + random.uniform(-JITTER, JITTER)
        self._failures += 1
        self._retry_at = self.loop.time() + pause
        self._last_failure = reason
        logger.info("connecting to %s failed: %s; next attempt in %.1f s", self._address, reason, pause)

    def _failure(self) -> RpcError:
        text = f"cannot connect to {self._address}: {self._last_failure}"
        return RpcError(StatusCode.UNAVAILABLE, text, origin=Origin.TRANSPORT, retryable=True)
