"""The proxy of examples/proxy, between a client and a server, in the test's own loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import penstock
from examples.proxy.forwarding import forward


class Proxy:
    """It listens while the block of `proxying` runs."""

    def __init__(self, address: str, server: penstock.Server, channel: penstock.Channel) -> None:
        self.address = address
        self._server = server
        self._channel = channel

    def open_calls(self) -> dict[str, int]:
        """Count what its two sides and their engines hold."""
        connector = self._channel._connector
        onward = set() if connector is None else connector.connections
        return {
            "proxy's server": sum(len(connection.calls) for connection in self._server._core.connections),
            "proxy's client": sum(len(connection.calls) for connection in onward),
            "proxy's client engine": sum(connection.engine.open_calls for connection in onward),
            "proxy's client deadlines": len(self._channel._timers),
        }


@asynccontextmanager
async def proxying(address: str, window_bytes: int | None) -> AsyncIterator[Proxy]:
    """Pass calls on to `address`."""
    limits = None if window_bytes is None else penstock.Limits(stream_window_bytes=window_bytes)
    async with penstock.Channel(address, limits=limits) as channel:
        server = penstock.Server([], limits=limits, fallback=partial(forward, channel=channel))
        async with server.listening("127.0.0.1:0") as listening:
            yield Proxy(listening, server, channel)
