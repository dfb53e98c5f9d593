"""Counting what a server has taken on, and refusing what is too much."""

from __future__ import annotations

import logging
import math
import random
import time
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock import _address
from penstock.ends import End
from penstock.errors import UsageError
from penstock.method import Kind
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock._memory import Quota
    from penstock.admission import Admission
    from penstock.server_calls import ServerStream

logger = logging.getLogger("penstock.server")

PUSHBACK = "grpc-retry-pushback-ms"
"""Trailer with the hint. Source: gRPC A6, "Pushback"."""

HEALTH = {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}
"""Whoever asks whether a server still works must not be told that it is busy."""

QUIET_SECONDS = 1.0
"""Between two lines in the log about the same limit: a flood of calls must not become one of lines."""


class Meter:
    """How much of a limit is taken: in all, by one peer, on one connection."""

    __slots__ = ("most", "setting", "taken")

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.most = setting.most
        self.taken = 0


Meters = tuple[Meter, ...]


class Setting:
    """A setting, and what a call hears that finds it reached."""

    __slots__ = ("most", "name", "status")

    def __init__(self, name: str, most: int, text: str = "") -> None:
        self.name = name
        self.most = most
        self.status = Status(StatusCode.RESOURCE_EXHAUSTED, text or f"{name}={most} is reached")

    @classmethod
    def of(cls, settings: Admission, name: str) -> Setting:
        """The setting of this name."""
        return cls(name, getattr(settings, name))


class Gate(NamedTuple):
    """What the calls of one method have to pass beside what holds for all."""

    is_stream: bool
    methods: Meters = ()
    """Limits for the method, and for its service."""
    share: Meter | None = None
    """As long as this has room a call passes nothing else."""


FALLBACK = Gate(is_stream=True)


class Peer:
    """What one address, or one network, has taken."""

    __slots__ = ("__weakref__", "calls", "connections", "quota", "streams")

    def __init__(self, calls: Setting, streams: Setting, connections: Setting) -> None:
        self.calls = Meter(calls)
        self.streams = Meter(streams)
        self.connections = Meter(connections)
        self.quota: Quota | None = None
        """What its calls may keep in memory; made when its first connection needs one."""


class Gatekeeper:
    """What a server has taken on.

    Args:
        settings: How much that may be.
        kinds: Of each method by its path; what is not among them is for a fallback.
        clock: Seconds, for the pace of the log.
    """

    def __init__(
        self, settings: Admission, kinds: Mapping[str, Kind], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self.refused: Counter[str] = Counter()
        """Calls and connections that were refused, and calls ended that kept too much, by the name of the limit."""
        self.calls = Meter(Setting.of(settings, "max_calls"))
        """Calls that count."""
        self.streams = Meter(_for_streams(settings))
        """Those of them that are streams."""
        self.connections = Meter(Setting.of(settings, "max_connections"))
        self.of_connection = tuple(Setting.of(settings, f"max_{what}_per_connection") for what in ("calls", "streams"))
        """Calls, streams."""
        self._of_peer = [Setting.of(settings, f"max_{what}_per_peer") for what in ("calls", "streams", "connections")]
        self._methods = {
            key: Meter(Setting(f"max_calls_per_method[{key!r}]", most))
            for key, most in settings.max_calls_per_method.items()
        }
        self._shares = {path: Meter(Setting.of(settings, "max_health_calls")) for path in HEALTH}
        self._gates = {path: self._gate(path, kind) for path, kind in kinds.items()}
        # Held by the connections from there: what nobody holds has nothing taken.
        self._peers: weakref.WeakValueDictionary[str, Peer] = weakref.WeakValueDictionary()
        self._clock = clock
        self._quiet_until: dict[str, float] = {}

    def check_methods(self) -> None:
        """Look whether each limit for a method is for one that a service has.

        Raises:
            UsageError: One is not; the text says which.
        """
        served = {key for path in self._gates for key in method_keys(path)}
        for name in ("max_calls_per_method", "max_buffered_bytes_per_method"):
            for key in getattr(self.settings, name).keys() - served:
                msg = f"{name} has {key!r}, which no service has"
                raise UsageError(msg)

    def is_served(self, path: str) -> bool:
        """A service has it."""
        return path in self._gates

    def gate(self, path: str) -> Gate:
        """What the calls of a method have to pass."""
        gate = self._gates.get(path)
        if gate is not None:
            return gate
        # A fallback's: any path that a client may think of, so nothing is kept.
        return self._gate(path, Kind.BOTH_STREAM) if self._methods or path in HEALTH else FALLBACK

    def _gate(self, path: str, kind: Kind) -> Gate:
        methods = tuple(self._methods[key] for key in method_keys(path) if key in self._methods)
        return Gate(kind is not Kind.UNARY, methods, self._shares.get(path))

    def peer(self, address: str) -> Peer:
        """What the host of an address has taken, whatever its port."""
        is_unix = address.startswith(_address.UNIX)
        network = _address.UNIX if is_unix else _address.network_of(_address.host_of(address))
        peer = self._peers.get(network)
        if peer is None:
            peer = self._peers[network] = Peer(*self._of_peer)
        return peer

    def full_for(self, address: str) -> Setting | None:
        """The limit that one more connection from there would exceed."""
        for meter in (self.peer(address).connections, self.connections):
            if meter.taken >= meter.most:
                return meter.setting
        return None

    def refuse(self, setting: Setting, what: str, address: str) -> None:
        """Count a refusal and, if it is time, log it."""
        self.refused[setting.name] += 1
        now = self._clock()
        if now >= self._quiet_until.get(setting.name, -math.inf):
            self._quiet_until[setting.name] = now + QUIET_SECONDS
            so_far = self.refused[setting.name]
            logger.warning("%s from %s is refused: %s; %d so far", what, address, setting.status.message, so_far)

    def pushback_ms(self) -> int:
        """When the next refused client should try again; below 0: never."""
        seconds = self.settings.retry_after_seconds
        # Not 0: to grpcio that is no hint at all, and it keeps to its own pause.
        return -1 if seconds == math.inf else max(1, round(1000 * seconds * random.uniform(0.5, 1.5)))


class Entrance:
    """Where the calls of one connection come in; the connection itself counts as long as this is not closed."""

    __slots__ = ("_connections", "_keeper", "_known", "_stream", "_unary", "peer")

    def __init__(self, keeper: Gatekeeper, address: str) -> None:
        settings = keeper.settings
        self._keeper = keeper
        self.peer = peer = keeper.peer(address)
        """Whose connection it is."""
        calls, streams = map(Meter, keeper.of_connection)
        # What can be full only when another one is, is not counted: a call costs what its meters cost.
        unary, stream = [calls], [calls, streams]
        if settings.max_calls_per_peer < settings.max_calls:
            unary.append(peer.calls)
            stream.append(peer.calls)
        if settings.max_streams_per_peer < keeper.streams.most:
            stream.append(peer.streams)
        self._unary: Meters = (*unary, keeper.calls)
        self._stream: Meters = (*stream, keeper.calls, keeper.streams)
        self._known: dict[str, Meters] = {}
        self._connections: Meters = (peer.connections, keeper.connections)
        for meter in self._connections:
            meter.taken += 1

    def admit(self, call: ServerStream[Any, Any]) -> bool:
        """Give a call its places, and whoever forgets it gives them back; or refuse it."""
        meters = self._known.get(call.method) or self._meters(call.method)
        for meter in meters:
            if meter.taken >= meter.most:
                self._refuse(call, meters, meter)
                return False
            meter.taken += 1
        call._places = meters
        return True

    def close(self) -> None:
        """The connection is gone; its calls may still count."""
        for meter in self._connections:
            meter.taken -= 1
        self._connections = ()

    def _meters(self, path: str) -> Meters:
        gate = self._keeper.gate(path)
        if gate.share is not None and gate.share.taken < gate.share.most:
            return (gate.share,)
        meters = (self._stream if gate.is_stream else self._unary) + gate.methods
        # Not of any path that a client may think of.
        if gate.share is None and self._keeper.is_served(path):
            self._known[path] = meters
        return meters

    def _refuse(self, call: ServerStream[Any, Any], meters: Meters, full: Meter) -> None:
        for meter in meters[: meters.index(full)]:
            meter.taken -= 1
        self._keeper.refuse(full.setting, call.method, call.peer)
        call._close(full.setting.status, End.REFUSED, [(PUSHBACK, str(self._keeper.pushback_ms()))])


def method_keys(path: str) -> tuple[str, str]:
    """What limits for a method are named after: itself, and its service."""
    return path, path[: path.rfind("/") + 1]


def _for_streams(settings: Admission) -> Setting:
    """What streams leave free is a limit for them."""
    kept = min(math.ceil(round(settings.max_calls * settings.unary_share, 6)), settings.max_calls - 1)
    most = settings.max_calls - kept
    if settings.max_streams <= most:
        return Setting.of(settings, "max_streams")
    text = f"max_calls={settings.max_calls} is reached for streams: unary_share={settings.unary_share} stays free"
    return Setting("unary_share", most, text)
