"""A client's connection: places for calls, and the wait for one."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any

from penstock._transport import Transport
from penstock.errors import Origin, RpcError
from penstock.status import StatusCode

if TYPE_CHECKING:
    from penstock._client_call import ClientCall
    from penstock._sending import Payload
    from penstock._timers import Timers
    from penstock.keepalive import ClientKeepalive
    from penstock.limits import Limits
    from penstock.metadata import MetadataValue

logger = logging.getLogger("penstock.client")

LAST_STREAM_ID = 3 << 29
"""Three quarters of all ids: a connection that opened this one opens no more, and another one is made in time.
Source: RFC 9113 section 5.1.1."""


TOO_MANY_PINGS = 11, "too_many_pings"
"""ENHANCE_YOUR_CALM, and the text. Source: gRPC proposal A8."""


class ClientConnection(Transport):
    """One connection of a channel.

    Above the peer's MAX_CONCURRENT_STREAMS calls wait here, in order, where deadline and cancellation reach them; h2
    would open and reset those that were given up meanwhile.
    """

    def __init__(
        self,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        authority: str,
        context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        user_agent: str = "",
        timers: Timers | None = None,
        keepalive: ClientKeepalive | None = None,
    ) -> None:
        super().__init__(
            limits,
            loop,
            client=True,
            timers=timers,
            keepalive=keepalive,
            context=context,
            server_hostname=server_hostname,
            user_agent=user_agent,
        )
        self._authority = authority
        self._secure = context is not None
        self.calls: set[ClientCall[Any, Any]] = set()
        """Calls that are open."""
        self.free = 0
        """Calls that may open at once: none while others wait in line, none when it takes no more."""
        self._most = 0
        self._reserved = 0
        self._used_up = False
        self.was_punished = False
        """The peer sent it away for its PINGs."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the peer's SETTINGS came; fails if they never will."""
        self.draining = asyncio.Event()
        """The peer takes no new calls (GOAWAY), or the connection ended."""

    @property
    def is_usable(self) -> bool:
        """It takes new calls, perhaps after a wait."""
        return not self._used_up and not self.draining.is_set() and self.ready.done()

    async def place(self) -> None:
        """Wait for a place; in the same step of its task the caller opens its call, or gives up and calls `release`.

        Raises:
            RpcError: UNAVAILABLE, retryable: the connection ended while the call waited.
        """
        if self.free > 0:
            return
        waiter = self.loop.create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._reserved -= 1
            elif waiter in self._waiting:  # else its turn came, and was passed on, between its cancellation and here
                self._waiting.remove(waiter)
            self._admit()
            raise
        self._reserved -= 1
        if not self.is_usable:
            text = self.reason or "the peer takes no new calls"
            raise RpcError(StatusCode.UNAVAILABLE, text, origin=Origin.TRANSPORT, retryable=True)
        self.free += 1  # `open` takes it, or `release` gives it to the next in line

    def open(
        self,
        call: ClientCall[Any, Any],
        path: str,
        timeout_seconds: float | None,
        metadata: list[tuple[str, MetadataValue]] | None,
        only: Payload[Any] | None,
    ) -> None:
        """Start a call on a free place."""
        self.free -= 1
        self.calls.add(call)
        try:
            self.engine.open(call, path, self._authority, self._secure, timeout_seconds, metadata, only)
        except ConnectionError as error:
            raise RpcError(StatusCode.UNAVAILABLE, str(error), origin=Origin.TRANSPORT, retryable=True) from error
        if self._liveness.is_dormant:
            self._liveness.wake()
        if call._id >= LAST_STREAM_ID:
            self._retire()

    def release(self, call: ClientCall[Any, Any]) -> None:
        """A call ended."""
        self.calls.discard(call)
        self._admit()

    def shut_down(self) -> None:
        """Take no new calls, and close when those there are have ended."""
        self._drain()
        self.engine.shut_down()

    def forget(self) -> None:
        """No call may start here any more."""
        super().forget()
        self.free, self._most = 0, 0

    def end_silent(self, reason: str) -> None:
        """The server is gone without a word."""
        logger.info("%s: %s; closed", self.peer, reason)
        super().end_silent(reason)

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        super().connection_lost(error)
        self._drain()
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(self.reason or "the peer closed the connection"))
            self.ready.exception()  # seen: whoever connects may have given up

    def _on_settings(self) -> None:
        self._most = self.engine.max_calls
        if not self.ready.done():
            self.ready.set_result(None)
            self._liveness.start()
        self._admit()

    def _on_go_away(self, reason: int, text: str) -> None:
        self.reason = f"the peer sent GOAWAY, code {reason}" + (f", {text!r}" if text else "")
        self.was_punished = (reason, text) == TOO_MANY_PINGS
        self._drain()
        # Nothing more will be opened: it ends by itself after its last call.
        self.engine.shut_down()

    def _on_closed(self, message: str, clean: bool, foreign: bool) -> None:
        self._drain()
        super()._on_closed(message, clean, foreign)

    def _retire(self) -> None:
        # Its calls need not hear of it: they have their ids, and go on as long as they like.
        self._used_up = True
        self._send_away()
        self.engine.shut_down()

    def _drain(self) -> None:
        self.draining.set()
        self._send_away()

    def _send_away(self) -> None:
        """Wake those who wait in line: there will be no place here."""
        self.free = 0
        while self._waiting:
            self._wake()

    def _admit(self) -> None:
        """Give free places to those who wait, first come first served."""
        free = self._most - len(self.calls) - self._reserved
        while free > 0 and self._waiting:
            free -= self._wake()
        self.free = 0 if self._waiting or self._used_up or self.draining.is_set() else max(0, free)

    def _wake(self) -> int:
        waiter = self._waiting.popleft()
        if waiter.done():
            return 0
        self._reserved += 1
        waiter.set_result(None)
        return 1
