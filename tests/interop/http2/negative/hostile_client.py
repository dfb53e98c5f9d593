"""A client that sends its request in DATA of a strange shape."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.interop.http2.negative import large_unary
from tests.interop.http2.negative.peer import Peer, Stream


class HostileClient(Peer):
    """One connection to a server."""

    def __init__(self, authority: str) -> None:
        super().__init__(client=True)
        self._authority = authority

    async def call(self, padding: int | None) -> Stream:
        """Make the call, and wait for its end."""
        number = self.state.get_next_available_stream_id()
        stream = self.streams[number] = Stream(self, number)
        stream.send_headers(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", large_unary.METHOD.path),
                (":authority", self._authority),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
            ]
        )
        await stream.send_small_data(large_unary.framed(large_unary.REQUEST), padding)
        stream.end()
        await stream.ended.wait()
        return stream


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[HostileClient]:
    """Connect to a server."""
    host, _, port = address.rpartition(":")
    _transport, client = await asyncio.get_running_loop().create_connection(
        lambda: HostileClient(address), host, int(port)
    )
    await client.something_came()  # its SETTINGS
    yield client
    client.close()
    await client.lost.wait()
