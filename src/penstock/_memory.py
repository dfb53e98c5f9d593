"""What the calls of a server keep in memory, and which of them ends when that is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock import _engine
from penstock._admission import Setting
from penstock.ends import End

if TYPE_CHECKING:
    from collections.abc import Collection

    from penstock._admission import Gatekeeper
    from penstock._server_connection import ServerConnection
    from penstock.admission import Admission
    from penstock.limits import Limits


class Memory:
    """Bytes that came and were not taken, and bytes that are queued: all connections share one budget."""

    def __init__(self, settings: Admission, limits: Limits, keeper: Gatekeeper) -> None:
        self._setting = Setting.of(settings, "max_buffered_bytes")
        self._keeper = keeper
        self.budget = _engine.Budget(max(settings.max_buffered_bytes, limits._most_held_bytes))

    def relieve(self, connections: Collection[ServerConnection]) -> None:
        """End calls until all keep no more than they may: the largest one of the connection that keeps most."""
        while self.budget.used_bytes > self.budget.limit_bytes:
            fullest = max(connections, key=_kept_bytes, default=None)
            if fullest is None or not self._relieve(fullest):
                return
            self._keeper.refuse(self._setting, "the largest call", fullest.peer, "ended")

    def _relieve(self, connection: ServerConnection) -> bool:
        engine = connection.engine
        if engine.held_bytes >= engine.queued_bytes:
            return engine.shed()
        call = max(connection.calls, key=lambda call: call._queued_bytes, default=None)
        if call is None or not call._queued_bytes:
            return False
        call._close(self._setting.status, End.LIMIT)
        engine.flush()  # only then the budget knows
        return True


def _kept_bytes(connection: ServerConnection) -> int:
    return connection.engine.held_bytes + connection.engine.queued_bytes
