"""What the calls of a server keep in memory, and which of them ends when that is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock import _engine
from penstock._admission import Setting, method_keys

if TYPE_CHECKING:
    from collections.abc import Collection

    from penstock._admission import Gatekeeper, Peer
    from penstock._server_connection import ServerConnection
    from penstock.admission import Admission
    from penstock.limits import Limits

NO_LIMIT = 2**63 - 1


class Quota:
    """A limit in bytes, and what is kept of it: of what came and was not taken, and of what is queued."""

    __slots__ = ("budget", "setting")

    def __init__(self, setting: Setting, least: int) -> None:
        self.setting = setting
        self.budget = _engine.Budget(max(setting.most, least))

    @property
    def is_exceeded(self) -> bool:
        """Something has to go."""
        return self.budget.used_bytes > self.budget.limit_bytes


class Memory:
    """The quotas of a server: one for all clients, one for each peer, one for each method with a limit of its own."""

    def __init__(self, settings: Admission, limits: Limits, keeper: Gatekeeper) -> None:
        self._least = limits._most_held_bytes
        """What one call may hold is always allowed."""
        self._keeper = keeper
        self.of_all = Quota(Setting.of(settings, "max_buffered_bytes"), self._least)
        self._of_peer = Setting.of(settings, "max_buffered_bytes_per_peer")
        self._methods = {
            key: Quota(Setting(f"max_buffered_bytes_per_method[{key!r}]", most), self._least)
            for key, most in settings.max_buffered_bytes_per_method.items()
        }
        self.bounds_methods = bool(self._methods)
        """Some methods have a limit of their own."""

    def of_peer(self, peer: Peer) -> list[Quota]:
        """What holds for all calls of its connections."""
        if self._of_peer.most >= self.of_all.setting.most:
            return [self.of_all]
        if peer.quota is None:
            peer.quota = Quota(self._of_peer, self._least)
        return [peer.quota, self.of_all]

    def of_method(self, path: str) -> list[Quota]:
        """What holds for all calls of a method."""
        return [self._methods[key] for key in method_keys(path) if key in self._methods]

    def relieve(self, grown: ServerConnection, connections: Collection[ServerConnection]) -> None:
        """A connection keeps more than before: end calls until no quota that holds for it is exceeded.

        It is the largest call of the connection that keeps most.
        """
        for quota in grown.portion.quotas:
            while quota.is_exceeded:
                fullest = max(connections, key=lambda connection: connection.portion.kept(quota), default=None)
                if fullest is None or not fullest.portion.shed(quota):
                    break
                self._keeper.refused[quota.setting.name] += 1  # the log has it as the end of a call


class Portion:
    """What one connection keeps of each quota that holds for it."""

    __slots__ = ("_engine", "_memory", "_parts", "_whole")

    def __init__(self, memory: Memory, engine: _engine.Connection, peer: Peer) -> None:
        self._memory = memory
        self._engine = engine
        self._whole = memory.of_peer(peer)
        self._parts: dict[Quota, _engine.Budget] = {}
        """Of the methods that have been called."""
        engine.share([quota.budget for quota in self._whole])

    @property
    def quotas(self) -> list[Quota]:
        """Narrow ones first."""
        return [*self._parts, *self._whole]

    def add(self, stream_id: int, path: str) -> None:
        """A call begins."""
        quotas = self._memory.of_method(path)
        if quotas:
            self._engine.share_call(stream_id, [*map(self._part, quotas), *(quota.budget for quota in quotas)])

    def _part(self, quota: Quota) -> _engine.Budget:
        part = self._parts.get(quota)
        if part is None:
            part = self._parts[quota] = _engine.Budget(NO_LIMIT)
        return part

    def kept(self, quota: Quota) -> int:
        """Bytes, as of its last turn."""
        if quota in self._whole:
            return self._engine.held_bytes + self._engine.queued_bytes
        part = self._parts.get(quota)
        return 0 if part is None else part.used_bytes

    def shed(self, quota: Quota) -> bool:
        """End the call that keeps most of it. False: none keeps anything."""
        return self.kept(quota) > 0 and self._engine.shed(self._parts.get(quota), quota.setting.status.message)
