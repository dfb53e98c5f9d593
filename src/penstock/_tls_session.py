"""TLS between a socket and the engine."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
import weakref
from typing import TYPE_CHECKING

from penstock import _engine, tls
from penstock.tls import PROTOCOL

if TYPE_CHECKING:
    import asyncio

    from penstock._transport import Transport

READ_BYTES = 256 * 1024
"""One read of a socket, as in plaintext."""

PIECE_BYTES = 64 * 1024
"""What is encrypted or decrypted at once. The buffers of OpenSSL keep the size they once had: with 256 KiB a connection
that was busy once would cost 600 KiB for ever, and be no faster."""

MOST_UNSENT_BYTES = 1024 * 1024
"""What may wait for a peer that makes TLS itself answer and reads no answers; the engine never lets so much wait."""

LONG_SECONDS = 0.002
"""After a read that took this long others go first. 256 KiB in records as large as they may be take a tenth of it; in
records of one byte they are 12,000, and take 50 ms."""

NO_TLS = bytes([0x15, 3, 1, 0, 2, 2, 70])
"""A fatal alert, `protocol_version`. A client that speaks no TLS learns from it what this port speaks."""

REASONS = {
    "WRONG_VERSION_NUMBER": "the peer does not speak TLS",
    "HTTP_REQUEST": "the peer speaks HTTP, not TLS",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the peer speaks no version of TLS that we do; perhaps it speaks plaintext",
}
"""What OpenSSL says badly."""


_thread = threading.local()


def _read_buffer() -> memoryview:
    # As for plaintext: a read is used up before the loop goes on.
    view: memoryview | None = getattr(_thread, "view", None)
    if view is None:
        view = _thread.view = memoryview(bytearray(READ_BYTES))
    return view


class TlsSession:
    """The TLS of one connection, between its socket and its engine.

    Not the loop's own TLS; why is in docs/decisions/005-tls-between-socket-and-engine.md. What is encrypted goes
    to the socket at once, so nothing waits here, and the flow of the socket stays the flow of the engine.
    """

    def __init__(self, owner: Transport, context: ssl.SSLContext, server_hostname: str | None) -> None:
        # It holds this, and the loop holds it: without a cycle a connection is freed in the moment it is forgotten.
        self._owner: Transport = weakref.proxy(owner)
        self._engine = owner.engine
        self._socket: asyncio.Transport | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_hostname is None, server_hostname=server_hostname
        )
        self._view = _read_buffer()
        self.established = False
        """The handshake is done, and both sides speak HTTP/2."""
        self._over = False
        self._heard = False

    def begin(self, transport: asyncio.Transport) -> None:
        """The socket is open."""
        self._socket = transport
        self._shake_hands()

    def get_buffer(self, _size_hint: int) -> memoryview:
        """Where the loop reads the socket into."""
        return self._view

    def buffer_updated(self, count: int) -> None:
        """The peer sent something. After a failure it is dropped, until the peer has read why."""
        self._heard, began = True, time.monotonic()
        gathers = _engine.reading_begins()
        try:
            self._decrypt(count)
            if not self._over and time.monotonic() - began > LONG_SECONDS:
                self._owner._rest()
        finally:
            if gathers:
                _engine.reading_ends()

    def _decrypt(self, count: int) -> None:
        for start in range(0, count, PIECE_BYTES):
            if self._over:
                return
            self._incoming.write(self._view[start : min(start + PIECE_BYTES, count)])
            if not self.established:
                self._shake_hands()
            if self.established:
                self._read()

    def write(self, data: bytes | memoryview) -> None:
        """Send what the engine gives."""
        for start in range(0, len(data), PIECE_BYTES):
            if self._over:
                return
            try:
                self.object.write(data[start : start + PIECE_BYTES])
            except ssl.SSLError as error:
                self._fail(_text(error))
            else:
                self._send()

    def end_of_input(self) -> None:
        """The socket has ended."""
        if self._heard and not self.established and not self._over:
            self._fail("the peer closed the connection")

    def finish(self) -> None:
        """Say close_notify. The peer's is not waited for. Source: RFC 8446 section 6.1."""
        if not self._over:
            self._over = True
            self._say_end()

    def forget(self) -> None:
        """Never touch the socket again."""
        self._over, self._socket = True, None

    def _shake_hands(self) -> None:
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
        except ssl.SSLError as error:
            if not self._outgoing.pending and self.object.server_side:
                self._write_through(NO_TLS)
            self._fail(_text(error))
        else:
            self._meet()

    def _meet(self) -> None:
        """The handshake is done: is the peer one to talk to?"""
        if self.object.selected_alpn_protocol() != PROTOCOL:
            self._say_end()
            self._fail("the peer does not choose HTTP/2 by ALPN")
            return
        try:
            peer = tls._peer(self.object)
        except ValueError as error:  # OpenSSL does not mind, Python does
            self._say_end()
            self._fail(f"the peer's certificate cannot be read: {error}")
            return
        self._send()
        self.established = True
        self._owner._on_tls_established(peer)

    def _read(self) -> None:
        """Hand on all that has come, as much at once as there is room for."""
        engine, incoming, session = self._engine, self._incoming, self.object
        room = engine.get_buffer(-1)
        count, got, failure = 0, 1, ""
        try:
            # Asked first: that nothing is left would else be an exception, on each read of the socket.
            while got and (incoming.pending or session.pending()):
                if count == len(room):
                    engine.buffer_updated(count)
                    count = 0
                got = session.read(len(room) - count, room[count:])  # type: ignore[assignment]
                count += got
        except ssl.SSLWantReadError:
            pass  # a part of a record
        except ssl.SSLError as error:
            failure = _text(error)
        if count:
            engine.buffer_updated(count)
        if failure:
            self._fail(failure)
        elif not got:  # the peer's close_notify
            engine.end_of_input()
            self._owner.close()
        elif self._outgoing.pending:
            self._answer()

    def _answer(self) -> None:
        """TLS itself has something to say, such as that it will not renegotiate."""
        if self._socket is not None and self._socket.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self._fail("the peer asks without end and reads no answers")
        self._send()

    def _send(self) -> None:
        self._write_through(self._outgoing.read())

    def _write_through(self, data: bytes) -> None:
        if data and self._socket is not None:
            self._socket.write(data)

    def _say_end(self) -> None:
        with contextlib.suppress(ssl.SSLError):  # it always says that the peer's is not there yet
            self.object.unwrap()
        self._send()

    def _fail(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        self._send()  # the alert that tells the peer why
        what = "TLS" if self.established else "the TLS handshake"
        self._owner._on_tls_failed(f"{what} failed: {reason}")


def _text(error: ssl.SSLError) -> str:
    """Why, without the module and the line of OpenSSL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    reason = error.reason or str(error)
    if reason in REASONS:
        return REASONS[reason]
    # OpenSSL adds the version in which an alert was new, and that misleads.
    origin, alert, rest = reason.partition("_ALERT_")
    words = (rest if alert else origin).lower().replace("_", " ")
    return f"the peer refuses: {words}" if alert else words
