"""The check that nothing of Penstock is left behind."""

from __future__ import annotations

import gc
import time
from types import TracebackType
from typing import Self

from penstock.testing import leftovers, origins
from penstock.testing.leftovers import Baseline
from penstock.testing.settling import settle

__all__ = ["LeftBehind", "assert_nothing_left", "nothing_left_behind"]

CLOSING_SECONDS = 1.0
"""What connections get to close: the other side of a socket hears of the end when the kernel says so."""
LOOK_SECONDS = 0.001


class LeftBehind(AssertionError):
    """Something is left; the text names it, and where it was made if that is known."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("left behind:\n" + "\n".join(found))
        self.found = found
        """A line for each."""


def assert_nothing_left() -> None:
    """Look for anything of Penstock in this process: connections, calls, tasks of the running loop, open generators.

    Does not wait: what is still closing counts as left. For that, and to hear where things were made, use
    `nothing_left_behind`.

    Raises:
        LeftBehind: There is something.
    """
    gc.collect()  # what is unreachable is not left
    _raise_for(leftovers.find(Baseline(everything=True)))


class nothing_left_behind:  # noqa: N801 - it reads as what it asserts: `async with nothing_left_behind():`
    """Within its block things may come and go; when it is left, none that came within may still be there.

    Looked for are connections and their calls, servers that listen, calls that are not sent yet, tasks, generators of
    handlers that were not closed, and memory of the engine. What was there before may stay, and a channel or a server
    that was there may make connections. In the block each call costs some microseconds more: it is remembered where it
    was made.

    With `async with` the end waits for what is closing, up to a second of real time; with `with`, around
    `asyncio.run` for example, it does not wait. An exception from the block goes on, and nothing is looked for.

    Args:
        all_tasks: Look for tasks that are not Penstock's, too.

    Raises:
        LeftBehind: Something is left.
    """

    def __init__(self, *, all_tasks: bool = False) -> None:
        self._all_tasks = all_tasks
        self._before = Baseline(everything=True)

    def __enter__(self) -> Self:
        self._before = Baseline(everything=False)
        origins.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, traceback
        try:
            if error is None:
                gc.collect()
                _raise_for(leftovers.find(self._before, all_tasks=self._all_tasks))
        finally:
            origins.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await settle()
            await _until_closed(self._before)
        self.__exit__(kind, error, traceback)


async def _until_closed(before: Baseline) -> None:
    """Wait until there are no connections but those there were before, for a second of real time at most."""
    end = time.monotonic() + CLOSING_SECONDS
    while leftovers.are_open(before) and time.monotonic() < end:
        await settle()
        time.sleep(LOOK_SECONDS)  # noqa: ASYNC251 - the loop's own time may stand still, and all that is ready has run


def _raise_for(found: list[str]) -> None:
    if found:
        raise LeftBehind(found)
