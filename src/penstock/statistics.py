"""Numbers for dashboards and alarms: what is open now, and what was counted from the beginning.

Every object is a frozen dataclass of plain numbers and read-only mappings. What is called `..._open` or `..._busy` says
how much there is now, as a gauge does; the other numbers of servers and channels only grow.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from penstock import _engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from penstock._counters import Counters
    from penstock._server_core import ServerCore
    from penstock._transport import Transport
    from penstock.channel import Channel
    from penstock.ends import End

__all__ = ["ChannelStatistics", "ConnectionStatistics", "ServerStatistics"]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What the dataclasses below have in common."""

    def to_dict(self) -> dict[str, str | float | dict[str, int]]:
        """All of it as JSON can say it: an `End` by its value."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStatistics(_Numbers):
    """One connection that is open."""

    peer: str
    """Address of the other side."""
    age_seconds: float
    """Since the socket was connected."""
    idle_seconds: float
    """Since the peer's last byte."""
    calls_open: int
    """Calls on it that have not ended."""
    bytes_received: int
    """Everything that the peer sent, TLS not included."""
    bytes_sent: int
    """Everything that was sent to it, TLS not included."""
    pings_received: int
    """PING frames, answers to ours not included."""
    ping_strikes: int
    """Those of them that came too early: the third is the end (`ServerKeepalive.min_ping_interval_seconds`)."""
    pings_sent: int
    """PING frames of this side's keepalive."""
    resets_received: int
    """RST_STREAM frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statistics(_Numbers):
    """What servers and channels have in common."""

    calls_begun: int
    """Calls that began: those that are open, and those that ended."""
    calls_open: int
    """Calls that have not ended, those of a client that are not sent yet included."""
    ends: Mapping[End, int]
    """How many calls ended in which way."""
    connections_made: int
    """Connections that were made, or accepted."""
    connections_open: int
    """Sockets that are connected."""
    connection_ends: Mapping[End, int]
    """Why connections ended: `CLOSED` in order and without a call on them, `DRAINED` by a server that stopped, `LIMIT`
    in a handshake that took too long, `BROKEN` by a peer that speaks something else, `PEER_SILENT`, or
    `CONNECTION_LOST`."""
    bytes_received: int
    """Everything that peers sent, TLS not included."""
    bytes_sent: int
    """Everything that was sent to them, TLS not included."""
    pings_received: int
    """PING frames, answers to ours not included."""
    ping_strikes: int
    """Those of them that came too early; always 0 of a channel, whose servers may ask when they like."""
    pings_sent: int
    """PING frames of this side's keepalive."""
    resets_received: int
    """RST_STREAM frames: calls that the other side gave up."""

    @property
    def calls_ended(self) -> int:
        """Calls that ended, in whatever way."""
        return sum(self.ends.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatistics(_Statistics):
    """A server, as it was when it was asked."""

    stragglers_open: int
    """Handlers that still run although their call has ended."""
    detached_open: int
    """Those of them that took longer than `Limits.handler_cleanup_seconds`: nobody waits for them any more."""
    detached: int
    """Handlers that took longer, those that have ended since included."""
    loop_blocked: int
    """How often the event loop was blocked for longer than `Limits.blocked_loop_seconds`."""
    threads_open: int
    """Threads for sync handlers."""
    threads_busy: int
    """Those of them in which a handler works."""
    thread_waits_open: int
    """Steps of sync handlers that wait for a thread."""
    thread_refusals: int
    """Calls of sync handlers that were refused because too many waited for a thread."""
    refusals: Mapping[str, int]
    """Calls and connections that were refused, or calls ended (`max_buffered_bytes...`), by the name of the limit in
    `Admission`."""
    abuses: Mapping[str, int]
    """Connections that were closed, or are served more slowly, for what their client did, by its kind. The kinds are in
    docs/limits-and-threats.md."""

    @property
    def is_idle(self) -> bool:
        """No call is open, and no handler runs."""
        return not self.calls_open and not self.stragglers_open


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatistics(_Statistics):
    """A channel, as it was when it was asked."""

    unsent_open: int
    """Open calls that are not sent yet: they wait for a connection, a place, an interceptor or credentials."""

    @property
    def is_idle(self) -> bool:
        """No call is open."""
        return not self.calls_open


def of_server(core: ServerCore) -> ServerStatistics:
    """What `Server.statistics` gives."""
    # Copies: the loop may go on while another thread looks.
    connections = list(core.connections)
    calls = sum(len(connection.calls) for connection in (*connections, *core.gone))
    calls_open = sum(call._status is None for connection in connections for call in list(connection.calls))
    equipment = core.equipment
    pool = None if equipment is None else equipment.pool
    return ServerStatistics(
        **_common(core.counters, connections),
        calls_open=calls_open,
        stragglers_open=calls - calls_open + len(core.detached),
        detached_open=len(core.detached),
        detached=0 if equipment is None else equipment.stragglers.detached_in_all,
        loop_blocked=core.blocked_in_all,
        threads_open=0 if pool is None else pool.threads,
        threads_busy=0 if pool is None else pool.running,
        thread_waits_open=0 if pool is None else pool.waiting,
        thread_refusals=0 if pool is None else pool.refused,
        refusals=MappingProxyType(dict(core.gatekeeper.refused)),
        abuses=MappingProxyType(dict(core.abuses)),
    )


def of_channel(channel: Channel) -> ChannelStatistics:
    """What `Channel.statistics` gives."""
    connections = [] if channel._connector is None else list(channel._connector.connections)
    # One that was ended by another task is among them until its own looks, or until its turn comes.
    starting = sum(call._status is None for call in list(channel._starting))
    sent = sum(call._status is None for connection in connections for call in list(connection.calls))
    return ChannelStatistics(
        **_common(channel._counters, connections),
        calls_open=starting + sent,
        unsent_open=starting,
    )


def of_connections(connections: Iterable[Transport], peer: str) -> Iterator[ConnectionStatistics]:
    """What `connections` of both gives."""
    for connection in list(connections):
        if connection.peer.startswith(peer) and not connection.ended.done():
            engine, now = connection.engine, _engine.now()
            yield ConnectionStatistics(
                peer=connection.peer,
                age_seconds=now - connection.began,
                idle_seconds=now - engine.last_read_at,
                calls_open=engine.open_calls,
                bytes_received=engine.bytes_received,
                bytes_sent=engine.bytes_sent,
                pings_received=engine.pings_received,
                ping_strikes=engine.ping_strikes,
                pings_sent=engine.pings_sent,
                resets_received=engine.resets_received,
            )


def _common(counters: Counters, connections: Iterable[Transport]) -> dict[str, Any]:
    engines = [connection.engine for connection in connections]
    return {
        "calls_begun": counters.calls_begun,
        "ends": MappingProxyType(dict(counters.ends)),
        "connections_made": counters.connections_made,
        "connections_open": len(engines),
        "connection_ends": MappingProxyType(dict(counters.connection_ends)),
        "bytes_received": counters.bytes_received + sum(engine.bytes_received for engine in engines),
        "bytes_sent": counters.bytes_sent + sum(engine.bytes_sent for engine in engines),
        "pings_received": counters.pings + sum(engine.pings_received for engine in engines),
        "ping_strikes": counters.ping_strikes + sum(engine.ping_strikes for engine in engines),
        "pings_sent": counters.pings_sent + sum(engine.pings_sent for engine in engines),
        "resets_received": counters.resets + sum(engine.resets_received for engine in engines),
    }


def _plain(value: Any) -> str | float | dict[str, int]:
    if not isinstance(value, MappingProxyType):
        number: str | float = value
        return number
    return {key.value if isinstance(key, Enum) else key: count for key, count in value.items()}
