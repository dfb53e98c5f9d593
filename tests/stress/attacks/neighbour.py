"""The neighbour's process: unary calls, one after another. Argument: the address.

For each line it reads it prints what it saw since the line before.
"""

import asyncio
import json
import sys
import time

import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient


class Neighbour:
    """A client, and how long its calls took."""

    def __init__(self) -> None:
        self._took: list[float] = []
        self._failed = 0
        self._began = time.perf_counter()

    async def call(self, address: str) -> None:
        """Call without end."""
        async with penstock.Channel(address) as channel:
            client = EchoClient(channel)
            while True:
                self._began = time.perf_counter()
                try:
                    await client.unary(Note(number=1))
                except penstock.RpcError:
                    self._failed += 1
                self._took.append(time.perf_counter() - self._began)

    def tell(self) -> None:
        """Print what was seen; a call that has no answer yet took as long as it waits."""
        if not sys.stdin.readline():
            sys.exit()
        took = sorted([*self._took, time.perf_counter() - self._began])
        told = {"calls": len(took), "failed": self._failed, "p99": took[len(took) * 99 // 100], "most": took[-1]}
        self._took, self._failed = [], 0
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


async def main(address: str) -> None:
    """Run until standard input ends."""
    neighbour = Neighbour()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), neighbour.tell)
    await neighbour.call(address)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
