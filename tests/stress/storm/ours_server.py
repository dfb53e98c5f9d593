"""Our server in a storm."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Never

import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase


class Storming(EchoBase):
    """Answers each note, and ends a call after as many as its first note says."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    async def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> None:
        self.begun += 1
        try:
            last = count = 0
            async for note in stream:
                count += 1
                last = note.number if count == 1 else last
                await stream.send(note)
                if count == last:
                    raise penstock.RpcError(penstock.StatusCode.CANCELLED, "the server has enough")
        finally:
            self.ended += 1

    async def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        payload = bytes(request.size)
        for number in range(request.number):
            await stream.send(Note(number=number, payload=payload))

    async def client_stream(self, stream: penstock.ServerStream[Note, Never]) -> Note:
        count = 0
        async for _note in stream:
            count += 1
        return Note(number=count)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, penstock.Server, Storming]]:
    """Serve on a free port."""
    service = Storming()
    server = penstock.Server([service])
    async with server.listening("127.0.0.1:0") as address:
        yield address, server, service
