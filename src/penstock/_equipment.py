"""What a server needs of the loop it serves in: timers, threads, whose turn it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock._expansions import Expansions
from penstock._pool import Pool
from penstock._stragglers import Stragglers
from penstock._timers import Timers

if TYPE_CHECKING:
    import asyncio

    from penstock.limits import Limits


class Equipment:
    """All that a server has in one loop; in another loop it gets another one.

    Args:
        loop: The running loop.
        limits: The server's.
        before: What it had in the loop before: its sums go on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, before: Equipment | None = None) -> None:
        self.loop = loop
        self._limits = limits
        self.timers = Timers(loop)
        """The deadlines of its calls."""
        self.connection_timers = Timers(loop)
        """What its connections are watched by, however many calls they have."""
        self.expansions = Expansions(loop)
        """Whose turn it is to expand a message."""
        self.stragglers = Stragglers(loop, limits.handler_cleanup_seconds)
        """Handlers that still run when their call is over."""
        self.pool = self._made_pool(0)
        """The threads of its sync handlers."""
        if before is not None:
            before.pool.close()
            self.pool.refused = before.pool.refused
            self.stragglers.detached_in_all = before.stragglers.detached_in_all

    def open_pool(self) -> None:
        """The server serves again: a pool that it closed keeps the threads that are stuck in it."""
        if self.pool.is_closed:
            self.pool = self._made_pool(self.pool.refused)

    def _made_pool(self, refused: int) -> Pool:
        limits = self._limits
        pool = Pool(self.loop, limits.max_sync_threads, limits.max_sync_queue_calls, limits.sync_queue_timeout_seconds)
        pool.refused = refused
        return pool
