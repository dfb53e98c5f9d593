"""The service of echo.proto, for tests that need the four kinds of call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Never

from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient
from tests.unit.memory import MemoryChannel, connected

if TYPE_CHECKING:
    from penstock import Limits, ServerCall, ServerStream

NOTE = Note(text="a", number=2)


class Echo(EchoBase):
    """Gives back what it gets."""

    async def unary(self, request: Note, call: ServerCall) -> Note:
        call.trailing_metadata["text"] = request.text
        return request

    async def server_stream(self, request: Note, stream: ServerStream[Never, Note]) -> AsyncIterator[Note]:
        stream.trailing_metadata["text"] = request.text
        for number in range(request.number):
            yield Note(text=request.text, number=number)

    async def client_stream(self, stream: ServerStream[Note, Never]) -> Note:
        notes = [note async for note in stream]
        return Note(text="".join(note.text for note in notes), number=len(notes))

    async def both_stream(self, stream: ServerStream[Note, Note]) -> None:
        async for note in stream:
            await stream.send(note)


class Waiting(EchoBase):
    """Answers nothing until `go_on`; counts the handlers that run."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.running = 0

    async def _wait(self) -> None:
        self.running += 1
        try:
            await self.go_on.wait()
        finally:
            self.running -= 1

    async def unary(self, request: Note, call: ServerCall) -> Note:
        del call
        await self._wait()
        return request

    async def server_stream(self, request: Note, stream: ServerStream[Never, Note]) -> None:
        del request, stream
        await self._wait()

    async def client_stream(self, stream: ServerStream[Note, Never]) -> Note:
        del stream
        await self._wait()
        return NOTE

    async def both_stream(self, stream: ServerStream[Note, Note]) -> None:
        del stream
        await self._wait()


class Blocking(Echo):
    """Its handler of one → one is no coroutine, and blocks a thread until `go_on`."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def unary(self, request: Note, call: ServerCall) -> Note:  # type: ignore[override]  # a sync handler
        del call
        self.entered.set()
        self.go_on.wait()
        return request


@asynccontextmanager
async def echoing(
    service: EchoBase | None = None, *, limits: Limits | None = None, server_limits: Limits | None = None
) -> AsyncIterator[tuple[EchoClient, MemoryChannel]]:
    """A client of a service that echoes, or of another one."""
    async with connected(service or Echo(), limits=limits, server_limits=server_limits) as channel:
        yield EchoClient(channel), channel
