"""A client program: it opens streams and holds them. Arguments: the address, and how many."""

import asyncio
import sys
from contextlib import AsyncExitStack

import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient


async def main(address: str, count: int) -> None:
    """Open the streams, say so, and wait for ever."""
    async with penstock.Channel(address) as channel, AsyncExitStack() as streams:
        for _ in range(count):
            stream = await streams.enter_async_context(EchoClient(channel).both_stream())
            await stream.send(Note())
            await stream.receive()
        sys.stdout.write("open\n")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
