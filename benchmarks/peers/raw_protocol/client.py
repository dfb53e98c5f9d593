"""The client."""

import asyncio
from functools import partial

from benchmarks.measure import main
from benchmarks.peers.raw_asyncio.client import MESSAGE, Echoed, connect

__all__ = ["EchoClient"]


class EchoClient(Echoed, asyncio.Protocol):
    """Has the loop allocate what it reads into."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        super().connection_made(transport)
        self._came = b""

    def data_received(self, data: bytes) -> None:
        """Something came."""
        self._came += data
        if len(self._came) == len(MESSAGE):
            self.echo, self._came = self._came, b""
            self.came.set_result(None)


if __name__ == "__main__":
    main(partial(connect, protocol=EchoClient))
