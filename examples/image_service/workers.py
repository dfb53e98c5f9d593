"""Threads that work on pictures, several at once, with the results in the order the pictures came."""

import asyncio
import os
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from examples.image_service.work import Improved, NotAPictureError, improve

Outcome = Improved | NotAPictureError

Pictures = AsyncGenerator[tuple[bytes, object], None]
"""The bytes of each, and its last message."""


class Workers:
    """A thread for each core: Pillow lets go of the interpreter while it works, so they do not wait for each other.

    Args:
        count: How many pictures are worked on at once; the cores of this process, unless given.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="image")

    def begin(self, data: bytes) -> asyncio.Future[Outcome]:
        """Work on a picture when a thread is free. Cancelled before that, it is not worked on."""
        return asyncio.get_running_loop().run_in_executor(self._pool, _attempt, data)

    async def in_order(self, pictures: Pictures) -> AsyncGenerator[Outcome, None]:
        """Take pictures, work on several at once, and give what became of each, in their order.

        One more is taken than there are threads, so that none of them waits for the next to arrive. Then nothing is
        taken until a result is: the stream's window closes, and the sender waits.

        Raises:
            Exception: What `pictures` raises, after the results of those before.
        """
        begun = asyncio.Queue[asyncio.Future[Outcome] | None]()
        room = asyncio.Semaphore(self.count + 1)
        taking = asyncio.create_task(self._take(pictures, begun, room))
        try:
            while (future := await begun.get()) is not None:
                yield await future
                room.release()
            await taking
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            while not begun.empty():
                if (future := begun.get_nowait()) is not None:
                    future.cancel()

    async def _take(
        self,
        pictures: Pictures,
        begun: asyncio.Queue[asyncio.Future[Outcome] | None],
        room: asyncio.Semaphore,
    ) -> None:
        try:
            async with aclosing(pictures):
                async for data, _ in pictures:
                    await room.acquire()
                    begun.put_nowait(self.begin(data))
        finally:
            begun.put_nowait(None)


def _attempt(data: bytes) -> Outcome:
    """Return the error too: nobody may be there any more to hear it raised."""
    try:
        return improve(data)
    except NotAPictureError as error:
        return error
