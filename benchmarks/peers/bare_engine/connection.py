"""A connection of either side."""

import asyncio
import os
import ssl
import sys
from typing import Any, cast

from benchmarks.work import SERVER_NAME
from penstock import _pieces
from penstock._engine import Codec, Connection, ReadBuffer
from penstock._tls_session import TlsSession

__all__ = ["ALL", "NOTHING", "BareConnection", "codec", "fail_loudly"]

KIB = 1024
MIB = 1024 * KIB

ALL = 2**31 - 1

NOTHING: Any = "".format
"""Takes what the engine tells and does nothing, without a Python frame."""


class BareConnection(asyncio.BufferedProtocol):
    """The engine between a socket and who is told of calls; with a `context` TLS stands between the two."""

    def __init__(self, *, client: bool, context: ssl.SSLContext | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.engine = Connection(
            client=client,
            read_buffer=ReadBuffer(256 * KIB),
            stream_window_bytes=MIB,
            max_frame_bytes=64 * KIB,
            max_concurrent_streams=2_000,
            max_header_list_bytes=16 * KIB,
            max_receive_message_bytes=ALL,
            send_buffer_bytes=64 * KIB,
            coding=None,
        )
        self.ready = self.loop.create_future()
        """Done when the peer's SETTINGS came."""
        name = SERVER_NAME if client else None
        self._session = None if context is None else TlsSession(cast(Any, self), context, name)
        # The loop calls the engine itself: no Python frame between the socket and what came.
        reader = self._session or self.engine
        self.get_buffer = reader.get_buffer  # type: ignore[method-assign, assignment]
        self.buffer_updated = reader.buffer_updated  # type: ignore[method-assign, assignment]
        self.pause_writing = self.engine.pause  # type: ignore[method-assign]
        self.resume_writing = self.engine.resume  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        writing = cast(asyncio.Transport, transport)
        writing.set_write_buffer_limits(high=0)
        self._on_backlog, self._on_backlog_gone = writing.pause_reading, writing.resume_reading
        self.close = writing.close
        if self._session is None:
            self.engine.attach(self.loop.call_soon, writing.write, cast(Any, self), _pieces.writer(writing))
        else:
            self.engine.pause()  # until the handshake is done
            self.engine.attach(self.loop.call_soon, self._session.write, cast(Any, self))
            self._session.begin(writing)

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        del error
        self.engine.end_of_input()
        self.engine.detach()
        self.__dict__.clear()  # what it holds holds it

    # What TLS tells.

    def _on_tls_established(self, peer: object) -> None:
        del peer
        self.engine.resume()

    def _on_tls_failed(self, reason: str) -> None:
        raise ConnectionError(reason)

    _rest = NOTHING

    # What the engine tells.

    def _on_settings(self) -> None:
        if not self.ready.done():  # a peer may send several: grpc-go does
            self.ready.set_result(None)

    def _on_pause(self, seconds: float) -> None:
        self.loop.call_later(seconds, self.engine.end_rest)

    def _on_abuse(self, kind: str, text: str, cut: bool) -> None:
        if cut:  # else it is told that all streams of a broadcast were reset in the second in which they were opened
            raise ConnectionError(kind, text)

    def _on_closed(self, message: str, *how: object) -> None:
        self.close()
        if not self.ready.done():
            raise ConnectionError(message, *how)

    _on_calls_lost = _on_go_away = _on_headers = _on_over_budget = _on_pong = NOTHING


def codec(send_type: type[Any], receive_type: type[Any]) -> Codec:
    """Give the codec of one side of a method; `bytes` stay as they are."""
    encode = None if send_type is bytes else send_type.SerializeToString
    decode = None if receive_type is bytes else receive_type.FromString
    return Codec(send_type, encode, decode, ALL, ALL)


def fail_loudly() -> None:
    """End the program with what is raised where the engine, or the loop, only tells of it and goes on."""

    def end(raised: "sys.UnraisableHookArgs") -> None:
        sys.__excepthook__(raised.exc_type, raised.exc_value or raised.exc_type(), raised.exc_traceback)
        os._exit(1)

    def end_for(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        os._exit(1)

    sys.unraisablehook = end
    asyncio.get_running_loop().set_exception_handler(end_for)
