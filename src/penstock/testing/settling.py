"""Letting everything happen that can happen by itself."""

from __future__ import annotations

import asyncio

__all__ = ["settle"]

MOST_TURNS = 10_000
"""A task that is always ready is not waited for without end."""
BLIND_TURNS = 50
"""On a loop that does not show what is ready: turns after which nothing is left that can go on by itself."""
QUIET_TURNS = 2
"""A turn begins with a look at the sockets: what one finds there is seen by the next."""


async def settle() -> None:
    """Let the running loop do what can be done without new input and without time passing.

    Waits until: nothing is ready to run, twice in succession; or, on uvloop, which does not show it, 50 turns of the
    loop have gone by. Tasks that wait for each other, and for sockets of this process, come to rest.
    Cancelling: loses nothing.
    Does not promise: that threads have finished, or that other processes have answered.
    """
    ready = getattr(asyncio.get_running_loop(), "_ready", None)
    if ready is None:
        for _ in range(BLIND_TURNS):
            await asyncio.sleep(0)
        return
    quiet = 0
    for _ in range(MOST_TURNS):
        await asyncio.sleep(0)
        quiet = 0 if ready else quiet + 1
        if quiet > QUIET_TURNS:
            return
