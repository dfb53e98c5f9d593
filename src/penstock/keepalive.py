"""Finding out that a peer is gone without a word: a cable pulled, a machine that lost power, a balancer that forgot.

A side that hears nothing for a while sends an HTTP/2 PING; no answer in time, and the connection is over. Client and
server must agree: one that pings more often than the other allows is sent away with GOAWAY "too_many_pings". So the
presets are pairs, and `check` says whether a pair of your own fits. Source: gRPC keepalive.md, proposals A8 and A18.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf

from penstock._arguments import check_flag, check_kind, is_number
from penstock.errors import UsageError

__all__ = ["DEFAULT", "FRUGAL", "GRPC", "LIVELY", "STEADY", "ClientKeepalive", "Pair", "ServerKeepalive", "check"]

LEAST_SECONDS = 10.0
"""A client asks no sooner, whatever it is told. Source: gRPC proposal A8."""

UNUSED_SECONDS = 7200.0
"""How often a client may ask while it has no call, where the server does not allow it more often. Source: A8."""


class _Checked:
    """Settings: seconds above 0, and what is done or not."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # its subclasses are dataclasses
            value = getattr(self, field.name)
            if not field.name.endswith("_seconds"):
                check_flag(field.name, value)
            elif not is_number(value) or not value > 0:
                msg = f"{field.name} is a number of seconds above 0, not {value!r}"
                raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKeepalive(_Checked):
    """When a client asks whether its server is there: `Channel(keepalive=...)`. Off unless asked for, as in gRPC."""

    time_seconds: float = inf
    """A PING goes out when nothing was read for so long; less than 10 counts as 10. What a server allows is in its
    `ServerKeepalive.min_ping_interval_seconds`; gRPC's other servers allow 300 unless they are told otherwise. After a
    GOAWAY "too_many_pings" the channel doubles it for the connections that follow."""

    timeout_seconds: float = 20.0
    """The server is gone when nothing came for so long after the PING: calls end with UNAVAILABLE. It is also the most
    that written bytes may stay unacknowledged (TCP_USER_TIMEOUT, where the system has it)."""

    without_calls: bool = False
    """Ask while no call is open, too. Without, a connection that stood unused is asked when a call begins on it."""

    @property
    def _interval_seconds(self) -> float:
        """How long nothing is read before it asks."""
        return max(self.time_seconds, LEAST_SECONDS)

    @property
    def _asks_without_calls(self) -> bool:
        """The same as `without_calls`."""
        return self.without_calls


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKeepalive(_Checked):
    """When a server asks, and how often its clients may: `Server(keepalive=...)`."""

    time_seconds: float = 60.0
    """A PING goes out when nothing was read for so long, with or without calls; `math.inf` for never. gRPC's default is
    two hours: as long as that a stream whose client has vanished would hold its place."""

    timeout_seconds: float = 20.0
    """The client is gone when nothing came for so long after the PING: its calls end with CANCELLED. It is also the
    most that written bytes may stay unacknowledged (TCP_USER_TIMEOUT, where the system has it)."""

    min_ping_interval_seconds: float = 5.0
    """A client that asks sooner than this after it asked before, three times and with nothing sent to it between, is
    sent away. gRPC's default is 300, which punishes clients that are set up as many guides say; a PING costs a
    microsecond."""

    without_calls: bool = True
    """Clients may ask that often while they have no call. Without, once in two hours."""

    @property
    def _interval_seconds(self) -> float:
        """How long nothing is read before it asks."""
        return self.time_seconds

    @property
    def _asks_without_calls(self) -> bool:
        """A server always asks while no call is open, too."""
        return True


@dataclass(frozen=True, slots=True)
class Pair:
    """Settings of both sides that fit."""

    client: ClientKeepalive
    """For `Channel(keepalive=...)`."""
    server: ServerKeepalive
    """For `Server(keepalive=...)`."""


def check(client: ClientKeepalive, server: ServerKeepalive) -> None:
    """Look whether the server would send the client away for its PINGs.

    Does not promise: anything about a server that is set up elsewhere; give what it is set to.

    Raises:
        UsageError: It would; the text says what to change. Or the two are not a client's and a server's, in this order.
    """
    check_kind(client, ClientKeepalive, "client is ClientKeepalive(...)")
    check_kind(server, ServerKeepalive, "server is ServerKeepalive(...)")
    asks = client._interval_seconds
    if asks == inf:
        return
    if asks < server.min_ping_interval_seconds:
        msg = (
            f"the client asks every {asks:g} s, and the server allows it every {server.min_ping_interval_seconds:g} s: "
            "raise ClientKeepalive.time_seconds or lower ServerKeepalive.min_ping_interval_seconds"
        )
        raise UsageError(msg)
    if client.without_calls and not server.without_calls and asks < UNUSED_SECONDS:
        msg = (
            f"the client asks every {asks:g} s without a call, and the server allows that every {UNUSED_SECONDS:g} s: "
            "set without_calls on both sides or on neither"
        )
        raise UsageError(msg)


DEFAULT = Pair(ClientKeepalive(), ServerKeepalive())
"""What `Channel` and `Server` have: the server finds a client that is gone within 80 s; the client does not ask."""

LIVELY = Pair(
    ClientKeepalive(time_seconds=10, timeout_seconds=5, without_calls=True),
    ServerKeepalive(time_seconds=10, timeout_seconds=5),
)
"""Within 15 s on either side. For a network of one's own; a loop that is blocked for 5 s counts as gone."""

STEADY = Pair(ClientKeepalive(time_seconds=60, without_calls=True), ServerKeepalive())
"""Within 80 s on either side, and often enough for the tables of most routers and balancers."""

FRUGAL = Pair(
    ClientKeepalive(time_seconds=240, timeout_seconds=30),
    ServerKeepalive(time_seconds=600, timeout_seconds=30, min_ping_interval_seconds=120),
)
"""For devices that pay for each packet: the client within four and a half minutes, the server within ten and a half."""

GRPC = Pair(
    ClientKeepalive(time_seconds=330),
    ServerKeepalive(time_seconds=UNUSED_SECONDS, min_ping_interval_seconds=300, without_calls=False),
)
"""A client for servers of other makes that stand at gRPC's defaults, and a server that behaves as they do."""
