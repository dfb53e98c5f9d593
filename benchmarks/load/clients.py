"""What a loader needs of a peer's client, in Python."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

__all__ = ["ENDLESS", "LARGE_BYTES", "Connect", "LoadClient", "Pair"]


class Pair(Protocol):
    """A stream both ways that is open."""

    async def trip(self) -> None:
        """Send `TEXT` and wait for it."""

    def post(self) -> None:
        """Have `TEXT` sent after what was posted before. Does not wait."""

    async def follow(self, count: int, heard: Callable[[], None]) -> None:
        """Receive `TEXT` so many times, and tell of each."""


class LoadClient(Protocol):
    """One peer's client: checks every message, and raises if one is wrong."""

    def pair(self, connection: int) -> AbstractAsyncContextManager[Pair]:
        """Open a stream both ways, on the connection of this number."""

    async def read(self, *, large: bool, heard: Callable[[], None]) -> None:
        """Receive all of a server stream on the first connection, and tell of each message."""

    async def unary(self) -> None:
        """Make one call on the first connection."""


Connect = Callable[[str, int, str | None], AbstractAsyncContextManager[LoadClient]]
"""From an address, how many connections, and the file of the authority to trust (None: no TLS)."""

ENDLESS = 4_000_000_000
"""Messages of a stream that is to be busy as long as it is open."""

LARGE_BYTES = 64 * 1024
