"""The end of an event loop, told to what must end with it.

`asyncio.run` cancels the tasks that are left and closes the async generators; a socket that nobody closes it leaves to
the garbage collector, and the peer waits for that. So what has a socket keeps an async generator in the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


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
