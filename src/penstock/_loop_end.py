"""The end of an event loop, told to what must end with it.

`asyncio.run` cancels the tasks that are left and closes the async generators; a socket that nobody closes it leaves to
the garbage collector, and the peer waits for that. So what has a socket keeps an async generator in the loop.

What begins tasks of its own accord has to know earlier: while the tasks that are left are waited for, calls still come,
and nobody cancels the handlers that they get. So a server keeps a task, which is cancelled with all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable


def watch(on_end: Callable[[], object]) -> AsyncGenerator[None, None]:
    """Have a function called when the running loop shuts its generators down; keep the result until `unwatch`."""
    watching = _watching(on_end)
    _step(watching.__anext__())
    return watching


def unwatch(watching: AsyncGenerator[None, None]) -> None:
    """It ended before the loop. Harmless when repeated."""
    _step(watching.asend(None))


async def _watching(on_end: Callable[[], object]) -> AsyncGenerator[None, None]:
    try:
        yield
    except GeneratorExit:
        on_end()
        raise


def _step(step: Any) -> None:
    # It never waits: no task is needed to run it, only the hook that the running loop has set.
    try:
        step.send(None)
    except (StopIteration, StopAsyncIteration):
        return


class Sentinel:
    """A task that waits to be cancelled with all others, and then does something before the loop can go on to end."""

    def __init__(self, name: str, on_end: Callable[[], Awaitable[object]]) -> None:
        loop = asyncio.get_running_loop()
        self._left: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._wait(on_end), name=name)

    async def _wait(self, on_end: Callable[[], Awaitable[object]]) -> None:
        try:
            await self._left
        except asyncio.CancelledError:
            await on_end()
            raise

    async def leave(self) -> None:
        """End it before the loop ends. Harmless when repeated, and in `on_end`."""
        if self._task is asyncio.current_task():
            return
        if not self._left.done():
            self._left.set_result(None)
        await asyncio.wait([self._task])

    CODE = _wait.__code__
    """What such a task runs, for who looks through all tasks."""
