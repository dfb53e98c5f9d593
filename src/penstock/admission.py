"""How much a server takes on: calls, streams, connections, bytes. Above that the answer is immediate, and says so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from penstock.errors import UsageError

__all__ = ["Admission"]

MOST_SECONDS = 1_400_000.0
"""The hint, up to half as much again in whole milliseconds, is kept by clients in 32 bits with a sign."""

MOST = 2**63 - 1
"""Where the engine's numbers end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a `Server` takes on at once. All are checked when the object is made.

    A call above a limit ends at once with RESOURCE_EXHAUSTED, a text that names the limit, and a hint when to try
    again (`grpc-retry-pushback-ms`); no handler runs for it. A connection above a limit is closed before TLS or HTTP/2
    cost anything; to its client that is a failed attempt, after which it pauses. Refusals are counted, and logged at
    most once a second for each limit.

    A call counts until it is over and its handler has ended: a handler that cleans up after its client left counts
    too, where HTTP/2 (`Limits.max_concurrent_streams`) counts it no more. Above that HTTP/2's own rules hold and
    clients wait, most of them in silence; so a limit for one connection that clients should hear of lies below it.

    A *stream* is a call with many messages, either way; what a fallback serves is one. A *peer* is the address of a
    client without its port: what stands behind one proxy is one peer, and so is everybody on a Unix socket.
    `authenticate` runs later and changes nothing here.

    Limits count at the same time, and one that another always reaches first costs nothing. The defaults are large:
    they are there for the day on which something goes wrong.
    """

    max_calls: int = 100_000
    """Calls of all clients, streams included. Each costs a task, about 8 KiB without its messages."""

    max_calls_per_peer: int = 100_000
    """Calls of all connections from one address, or one /64 of IPv6."""

    max_calls_per_connection: int = 10_000
    """Calls of one connection. What opens calls and resets them faster than handlers end comes to this one."""

    max_calls_per_method: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Calls of one method by its path, `{"/package.Service/Method": 50}`, or of all methods of a service together,
    `{"/package.Service/": 200}`."""

    max_streams: int = 100_000
    """Streams of all clients."""

    max_streams_per_peer: int = 100_000
    """Streams of all connections from one address, or one /64 of IPv6."""

    max_streams_per_connection: int = 10_000
    """Streams of one connection. Below `Limits.max_concurrent_streams` it keeps places for unary calls beside them."""

    unary_share: float = 0.1
    """The part of `max_calls` that streams leave free for one → one calls: at least one place, unless it is 0."""

    max_health_calls: int = 100
    """Calls of `grpc.health.v1.Health/Check` that are taken whatever else is full, and as many of `Watch`. Further ones
    count as any other call."""

    max_connections: int = 10_000
    """Clients connected. Mind the number of files that the system lets a process open."""

    max_connections_per_peer: int = 10_000
    """Connections from one address, or one /64 of IPv6."""

    max_buffered_bytes: int = 2 * 1024**3
    """Bytes that all calls of all clients keep, received and not taken, or queued to be sent. Above that the largest
    call of the connection that keeps most ends with RESOURCE_EXHAUSTED: a call with messages that its handler does not
    take, or one whose client does not read. What one call may hold (`Limits`) is always allowed. For one connection
    there is `Limits.connection_buffer_bytes`."""

    max_buffered_bytes_per_peer: int = 2 * 1024**3
    """The same for the calls of all connections from one address, or one /64 of IPv6: one of theirs ends."""

    max_buffered_bytes_per_method: Mapping[str, int] = field(default_factory=dict, hash=False)
    """The same for the calls of one method, or of all methods of a service together, by the names of
    `max_calls_per_method`: one of them ends, of the connection whose calls of these methods keep most."""

    retry_after_seconds: float = 1.0
    """When a refused client should try again: each is told a time of its own between half of this and half as much
    again, so that they do not all come back in one moment. 0: at once; `math.inf`: never.
    Source: gRPC A6, "Pushback"."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name.endswith("_per_method"):
                # A copy: what the program does with its own changes nothing any more.
                object.__setattr__(self, each.name, _checked_methods(each.name, value))
            elif each.name.startswith("max_"):
                _check_count(each.name, value)
        _check_range("unary_share", self.unary_share, "from 0 to below 1", 0, math.nextafter(1, 0))
        if self.retry_after_seconds != math.inf:
            what = f"from 0 to {MOST_SECONDS:g}, or math.inf"
            _check_range("retry_after_seconds", self.retry_after_seconds, what, 0, MOST_SECONDS)


def _checked_methods(name: str, given: object) -> dict[str, int]:
    if not isinstance(given, Mapping):
        msg = f"{name} is a mapping of paths to whole numbers, not {given!r}"
        raise UsageError(msg)
    for path, most in given.items():
        if not isinstance(path, str) or path.count("/") != 2 or not path.startswith("/") or path.startswith("//"):
            msg = f"{name} has '/package.Service/Method' or '/package.Service/', not {path!r}"
            raise UsageError(msg)
        _check_count(f"{name}[{path!r}]", most)
    return dict(given)


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{name} is a whole number, not {value!r}"
        raise UsageError(msg)
    if not 1 <= value <= MOST:
        msg = f"{name} must be {'above 0' if value < 1 else 'below 2**63'}, not {value!r}"
        raise UsageError(msg)


def _check_range(name: str, value: object, what: str, least: float, most: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        msg = f"{name} is a number, not {value!r}"
        raise UsageError(msg)
    if not least <= value <= most:
        msg = f"{name} must be {what}, not {value!r}"
        raise UsageError(msg)
