"""The client of both gRPC servers: ours for the streams that are looked at, and a crowd for all others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import penstock
from benchmarks.tokens.clients.crowd import Crowd
from benchmarks.tokens.clients.meter import Caller, Came, main
from benchmarks.tokens.load import METHOD, PIECE, PROMPT
from benchmarks.work import DEADLINE_SECONDS, check

STREAMS_PER_CONNECTION = 512
"""As a gateway does that has many users and few connections."""

MOST_TOKENS = 10_000


class GrpcCaller:
    """Has one connection for the streams it looks at, and some for the crowd."""

    def __init__(self, address: str, channel: penstock.Channel) -> None:
        self._address = address
        self._channel = channel

    async def follow(self, came: Came) -> None:
        """Count what comes to one stream, and look that each message is the token."""
        async with self._channel.stream(METHOD, timeout=DEADLINE_SECONDS) as stream:
            await stream.send(PROMPT)
            await stream.end_sending()
            while pieces := await stream.receive_many(MOST_TOKENS):
                if pieces.count(PIECE) != len(pieces):
                    check("messages", pieces, "tokens")
                came(len(pieces))
        check("the stream", "its end", "tokens")

    async def crowd(self, streams: int, came: Came) -> None:
        """Count what comes to many."""
        async with asyncio.TaskGroup() as group:
            for first in range(0, streams, STREAMS_PER_CONNECTION):
                count = min(STREAMS_PER_CONNECTION, streams - first)
                group.create_task(Crowd(self._address, count, came).read(self._address))

    async def first(self) -> None:
        """Call once, on the connection of the streams that are looked at."""
        async with self._channel.stream(METHOD, timeout=DEADLINE_SECONDS) as stream:
            await stream.send(PROMPT)
            await stream.end_sending()
            await stream.receive()


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Caller]:
    """Give a client of the server at this address."""
    async with penstock.Channel(address) as channel:
        yield GrpcCaller(address, channel)


if __name__ == "__main__":
    main(connect)
