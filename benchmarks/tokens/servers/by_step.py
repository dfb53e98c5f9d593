"""Penstock, by steps: one `send_each` for all streams; its handlers wait for their end."""

import asyncio
from contextlib import suppress
from typing import Never

import penstock
from benchmarks.tokens.load import piece
from benchmarks.tokens.pacing import Pace, pace
from benchmarks.work import announce, until_told
from examples.tokens.tokens_pb2 import Piece, Prompt
from examples.tokens.tokens_penstock import ModelBase

LIMITS = penstock.Limits(send_buffer_bytes=256)
"""A dozen tokens may wait for a client; more would only make them older."""

Stream = penstock.ServerStream[Never, Piece]


class ByStep(ModelBase):
    """Holds the streams; the model's loop sends."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._streams: dict[Stream, None] = {}

    async def generate(self, request: Prompt, stream: Stream) -> None:
        """Let the model send until the client leaves."""
        del request
        self._streams[stream] = None
        self._pace.came()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            del self._streams[stream]

    async def run(self) -> None:
        """Make tokens, for ever."""
        while True:
            await self._pace.step()
            behind = penstock.send_each((stream, piece()) for stream in self._streams)
            while behind:
                # Where one finds room again, most do: the socket took what was queued.
                first, *others = behind
                with suppress(penstock.RpcError):  # it has left
                    await first.send(piece())
                behind = penstock.send_each((stream, piece()) for stream in others)


async def main() -> None:
    """Serve until told to stop."""
    service = ByStep(pace())
    working = asyncio.create_task(service.run())
    async with penstock.Server([service], limits=LIMITS).listening("127.0.0.1:0") as address:
        announce(address)
        await until_told()
        working.cancel()


if __name__ == "__main__":
    asyncio.run(main())
