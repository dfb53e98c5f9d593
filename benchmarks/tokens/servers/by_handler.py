"""Penstock, plain handlers: each waits for its own tokens and sends them."""

import asyncio
from typing import Never

import penstock
from benchmarks.tokens.load import piece
from benchmarks.tokens.pacing import Queues, pace
from benchmarks.tokens.servers.by_step import LIMITS
from benchmarks.work import announce, until_told
from examples.tokens.tokens_pb2 import Piece, Prompt
from examples.tokens.tokens_penstock import ModelBase


class ByHandler(ModelBase):
    """Gives each handler a queue."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    async def generate(self, request: Prompt, stream: penstock.ServerStream[Never, Piece]) -> None:
        """Send until the client leaves."""
        del request
        with self._queues.queue() as queue:
            while True:
                await queue.get()
                await stream.send(piece())


async def main() -> None:
    """Serve until told to stop."""
    queues = Queues(pace())
    working = asyncio.create_task(queues.run())
    async with penstock.Server([ByHandler(queues)], limits=LIMITS).listening("127.0.0.1:0") as address:
        announce(address)
        await until_told()
        working.cancel()


if __name__ == "__main__":
    asyncio.run(main())
