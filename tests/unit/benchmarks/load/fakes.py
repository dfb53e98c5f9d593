"""A client that has no server: what it is asked for is written down."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["FakeClient", "FakePair"]


class FakePair:
    """Answers nothing before it may."""

    def __init__(self, client: "FakeClient", number: int) -> None:
        self._client = client
        self._number = number

    async def trip(self) -> None:
        """Come back a turn of the loop later."""
        self._client.trips.append(self._number)
        await asyncio.sleep(0)

    def post(self) -> None:
        """Write down which stream it was."""
        self._client.posted.append(self._number)
        if len(self._client.posted) == self._client.answers_after:
            self._client.may_answer.set()

    async def follow(self, count: int, heard: Callable[[], None]) -> None:
        """Answer everything at once, when it may."""
        await self._client.may_answer.wait()
        for _ in range(count):
            heard()


class FakeClient:
    """Its streams wait until so many messages were posted on all of them."""

    def __init__(self, answers_after: int = 0) -> None:
        self.answers_after = answers_after
        self.may_answer = asyncio.Event()
        self.connections: list[int] = []
        self.trips: list[int] = []
        self.posted: list[int] = []
        self.calls = 0
        self.ends_early = False

    @asynccontextmanager
    async def pair(self, connection: int) -> AsyncIterator[FakePair]:
        """Open one."""
        self.connections.append(connection)
        yield FakePair(self, len(self.connections) - 1)

    async def read(self, *, large: bool, heard: Callable[[], None]) -> None:
        """Bring one message a turn of the loop, a small one twice."""
        while True:
            heard()
            if not large:
                heard()
            if self.ends_early and self.calls:
                return
            await asyncio.sleep(0)

    async def unary(self) -> None:
        """Come back a turn of the loop later."""
        self.calls += 1
        await asyncio.sleep(0)
