"""A peer on a socket that says and hears exact frames: for what the engine and the Python above it do together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import penstock
from tests.e2e.support import within_bound
from tests.wire.frames import PREFACE, Peer

READ_BYTES = 64 * 1024


class RawPeer:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.frames = Peer()
        """Makes frames."""
        self.heard: list[str] = []
        """The frames that came and were not waited for, a line each."""
        self._reader = reader
        self._writer = writer

    def say(self, *frames: bytes) -> None:
        """Write frames, all at once."""
        self._writer.write(b"".join(frames))

    async def hear(self, beginning: str) -> str:
        """Wait for the next frame whose line begins so; what came before it is dropped."""
        while True:
            while self.heard:
                line = self.heard.pop(0)
                if line.startswith(beginning):
                    return line
            data = await within_bound(self._reader.read(READ_BYTES))
            assert data, f"the connection ended before {beginning!r}"
            self.heard += self.frames.read(data)

    async def hear_the_end(self) -> None:
        """Wait until the other side has closed the connection."""
        while data := await within_bound(self._reader.read(READ_BYTES)):
            self.heard += self.frames.read(data)

    async def close(self) -> None:
        """Close the socket."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def client_of(server: penstock.Server) -> AsyncIterator[RawPeer]:
    """Serve, and connect to it; the preface is said."""
    async with server.listening("127.0.0.1:0") as address:
        host, _, port = address.rpartition(":")
        raw = RawPeer(*await asyncio.open_connection(host, int(port)))
        raw.say(PREFACE, raw.frames.settings())
        await raw.hear("Settings ACK")
        try:
            yield raw
        finally:
            await raw.close()


class RawServer:
    """Takes the connections of a channel."""

    def __init__(self) -> None:
        self.accepted: asyncio.Queue[RawPeer] = asyncio.Queue()
        self.settings: dict[str, int] = {}
        self._all: list[RawPeer] = []

    async def connection(self) -> RawPeer:
        """Wait for the next connection; its SETTINGS are said."""
        peer: RawPeer = await within_bound(self.accepted.get())
        return peer

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet a client."""
        raw = RawPeer(reader, writer)
        self._all.append(raw)
        raw.say(raw.frames.settings(**self.settings))
        self.accepted.put_nowait(raw)

    async def close(self) -> None:
        """Close every connection."""
        for raw in self._all:
            await raw.close()


@asynccontextmanager
async def server_of(**options: object) -> AsyncIterator[tuple[penstock.Channel, RawServer]]:
    """Give a channel, and the server that it talks to; `options` are the channel's."""
    raw = RawServer()
    listener = await asyncio.start_server(raw.accept, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    try:
        async with penstock.Channel(f"{host}:{port}", **options) as channel:  # type: ignore[arg-type]
            yield channel, raw
    finally:
        listener.close()
        await raw.close()
        await listener.wait_closed()
