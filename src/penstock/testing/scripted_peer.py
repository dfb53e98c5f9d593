"""The other side of a connection, played from a script."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, cast

from penstock import _address
from penstock._arrival import Arrival
from penstock.testing.frame_codec import FrameCodec
from penstock.testing.memory import MemoryPeerChannel
from penstock.testing.settling import settle
from penstock.testing.transcript import Line, Step, steps_of
from penstock.testing.wire import join

if TYPE_CHECKING:
    from penstock.channel import Channel
    from penstock.server import Server

__all__ = ["ScriptMismatch", "ScriptedPeer"]

QUIET = frozenset({"SETTINGS", "WINDOW_UPDATE", "PING"})
"""What may come at any time; it counts only where the script waits for it."""
QUIET_AT_THE_END = QUIET | {"GOAWAY", "CLOSE"}
COLUMN_CHARACTERS = 80
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ScriptMismatch(AssertionError):
    """The other side did something else than the script says; the text has both, side by side."""


class ScriptedPeer(asyncio.Protocol):
    """One side of an HTTP/2 connection that does what a script says, whether it makes sense or not.

    A script has a line for each frame, in order: `<` for what has to come, `>` for what the peer says then::

        < HEADERS 1 :path=/echo.Echo/Unary
        < DATA 1 END_STREAM message=0a026869
        > HEADERS 1 :status=200 content-type=application/grpc
        > RST_STREAM 1 CANCEL

    Frames: `HEADERS n name=value ...`, `DATA n`, `RST_STREAM n ERROR`, `WINDOW_UPDATE n +bytes`, `SETTINGS NAME=number
    ...`, `PING data=hex`, `GOAWAY last=n ERROR text=...`; flags `END_STREAM` and `ACK`. The payload of DATA is
    `message=hex` (the five bytes before it are added), `bytes=hex` or `length=number`. Besides: `> RAW hex`, `CLOSE`
    (the connection ends), `> ABORT` (it is reset), `~ seconds` (a pause), `#` for remarks. Values with blanks are
    quoted: `"grpc-message=no such room"`.

    What comes has to be of the kind, the stream and the flags of the line, and to have the fields it names. SETTINGS,
    WINDOW_UPDATE and PING may come at any time, GOAWAY before CLOSE. The peer says the preface and SETTINGS by itself,
    acknowledges SETTINGS and answers PINGs; it opens no windows.

    Use one of its blocks: `channel()` and `connected_to(server)` in memory, `listening()` and `connected_to(address)`
    over a socket. Leaving it waits for the end of the script. It plays once, for one connection; others are reset.

    Args:
        script: The lines.
        greets: It says the preface and SETTINGS by itself.
        answers: It acknowledges SETTINGS and answers PINGs by itself.
        timeout_seconds: How long it waits for a line, and for the connection; on the loop's clock.

    Raises:
        UsageError: A line of the script has another form.
        ScriptMismatch: On leaving the block.
    """

    def __init__(self, script: str, *, greets: bool = True, answers: bool = True, timeout_seconds: float = 5.0) -> None:
        self.seen: list[str] = []
        """All that happened, in the form of a script."""
        self._steps = steps_of(script)
        self._rows: list[tuple[str, str]] = []
        self._greets = greets
        self._answers = answers
        self._timeout_seconds = timeout_seconds
        self._is_client = False
        self._codec: FrameCodec | None = None
        self._transport: asyncio.Transport | None = None
        self._inbox: deque[Line] = deque()
        self._came = asyncio.Event()
        self._playing: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._has_ended = False

    # Blocks.

    @asynccontextmanager
    async def channel(self, **options: Any) -> AsyncIterator[Channel]:
        """Play a server in memory; gives a channel to it. `options` are those of `Channel`."""
        async with MemoryPeerChannel(self._accepted, **options) as channel, self._played():
            yield channel

    @asynccontextmanager
    async def listening(self, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
        """Play a server on a socket; gives its address."""
        where = _address.parse(address)
        listener = await asyncio.get_running_loop().create_server(self._accepted, where.host, where.port)
        try:
            async with self._played():
                yield _address.of_socket(listener.sockets[0])
        finally:
            listener.close()

    @asynccontextmanager
    async def connected_to(self, server: Server | str) -> AsyncIterator[None]:
        """Play a client of a server, in memory, or over a socket if it is an address."""
        self._is_client = True
        loop = asyncio.get_running_loop()
        async with self._played():
            if isinstance(server, str):
                address = _address.parse(server)
                if address.path:
                    await loop.create_unix_connection(lambda: self, address.path)
                else:
                    await loop.create_connection(lambda: self, address.host, address.port)
            else:
                join(self, Arrival(server._core, server._core.enter(loop)))
            yield

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there: greet, and play."""
        self._transport = cast(asyncio.Transport, transport)
        self._codec = FrameCodec(is_client=self._is_client)
        if self._greets:
            self._say(Line("SETTINGS"))
        self._playing = asyncio.get_running_loop().create_task(self._play(), name="scripted peer")
        self._connected.set()

    def data_received(self, data: bytes) -> None:
        """Take frames in."""
        assert self._codec is not None
        for line in self._codec.read(data):
            self._inbox.append(line)
            if self._answers and "ACK" not in line.flags and line.kind in {"SETTINGS", "PING"}:
                self._say(Line(line.kind, 0, frozenset({"ACK"}), line.fields if line.kind == "PING" else ()))
        self._came.set()

    def eof_received(self) -> bool:
        """The other side has closed."""
        self._inbox.append(Line("CLOSE"))
        self._came.set()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        if error is not None:
            self._inbox.append(Line("ABORT"))
            self._came.set()

    # Inside.

    def _accepted(self) -> asyncio.BaseProtocol:
        return _Refused() if self._connected.is_set() else self

    @asynccontextmanager
    async def _played(self) -> AsyncIterator[None]:
        """Run the block; then wait for the end of the script, and say what went wrong in it."""
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            try:
                await self._end(error)
            finally:
                if self._transport is not None:
                    self._transport.abort()
                del error

    async def _end(self, error: BaseException | None) -> None:
        if error is None:
            await self._until_connected()
        # The task, its error and this frame must not keep each other.
        playing, self._playing = self._playing, None
        if playing is None:
            return
        if error is not None and not playing.done():
            playing.cancel()
        await asyncio.wait([playing])
        mismatch = None if playing.cancelled() or playing.exception() is None else str(playing.exception())
        del playing
        if mismatch is None and error is None:
            await settle()
            mismatch = self._rest()
        if mismatch is not None:
            raise ScriptMismatch(mismatch) from error

    def _rest(self) -> str | None:
        """What came and is not in the script."""
        for line in () if self._has_ended else self._inbox:
            if line.kind not in QUIET_AT_THE_END:
                mismatch = self._mismatch("the script ends here", "", line)
                return _side_by_side(str(mismatch), self._rows)
        return None

    async def _until_connected(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._connected.wait()
        except TimeoutError:
            msg = "nobody connected"
            raise ScriptMismatch(msg) from None

    async def _play(self) -> None:
        done = 0
        try:
            for step in self._steps:
                if step.direction == "<":
                    await self._expect(step)
                elif step.direction == "~":
                    await asyncio.sleep(step.pause_seconds)
                else:
                    self._say(step.line, row=str(step))
                done += 1
        except ScriptMismatch as mismatch:
            self._abort()
            rest = [(str(step), "") for step in self._steps[done + 1 :]]
            raise ScriptMismatch(_side_by_side(str(mismatch), [*self._rows, *rest])) from None

    async def _expect(self, step: Step) -> None:
        while True:
            line = await self._next()
            if line is None:
                raise self._mismatch(f"nothing came for {self._timeout_seconds:g} s", str(step), None)
            if step.line.fits(line):
                self._note(str(step), f"< {line}")
                return
            if line.kind not in QUIET and (line.kind, step.line.kind) != ("GOAWAY", "CLOSE"):
                raise self._mismatch("something else came", str(step), line)
            self._note("", f"< {line}")

    async def _next(self) -> Line | None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while not self._inbox:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return None
        return self._inbox.popleft()

    def _say(self, line: Line, row: str = "") -> None:
        self._note(row, f"> {line}")
        if self._transport is None or self._transport.is_closing():
            if row:
                raise self._mismatch("the connection is closed", row, None)
        elif line.kind == "CLOSE":
            self._has_ended = True
            self._transport.close()
        elif line.kind == "ABORT":
            self._has_ended = True
            self._abort()
        else:
            assert self._codec is not None
            self._transport.write(self._codec.write(line))

    def _abort(self) -> None:
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self._transport.abort()

    def _note(self, expected: str, seen: str) -> None:
        self.seen.append(seen)
        self._rows.append((expected, seen))

    def _mismatch(self, what: str, expected: str, line: Line | None) -> ScriptMismatch:
        seen = "" if line is None else f"< {line}"
        self.seen.append(seen)
        self._rows.append((f"! {expected}", seen))
        return ScriptMismatch(what)


class _Refused(asyncio.Protocol):
    """A connection that the script knows nothing of."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hang up."""
        cast(asyncio.Transport, transport).abort()


def _side_by_side(what: str, rows: list[tuple[str, str]]) -> str:
    width = min(COLUMN_CHARACTERS, max((len(expected) for expected, _ in rows), default=0))
    lines = [what, f"{'  the script':<{width + 2}} | what was seen"]
    for expected, seen in rows:
        mark = "" if expected.startswith("!") else "  "
        left = [expected[at : at + width] for at in range(0, len(expected), width)] if expected else [""]
        right = [seen[at : at + COLUMN_CHARACTERS] for at in range(0, len(seen), COLUMN_CHARACTERS)]
        for one, other in zip_longest(left, right, fillvalue=""):
            lines.append(f"{mark + one:<{width + 2}} | {other}".rstrip())
    return "\n".join(lines)
