"""The lines between the client and the servers, and what is done to each: only that may end a call beside its way."""

from dataclasses import dataclass
from typing import Any

import penstock
from penstock import Admission, ClientKeepalive, End, Limits, ServerKeepalive, StatusCode
from tests.stress.soak.ways import Outcome

MOST_BYTES = 64 * 1024
"""Of a message; what is larger is a way to end."""
FULL = "/penstock.soak.Coroutines/Full"
"""A method that takes one call at a time."""

SERVER = Limits(max_receive_message_bytes=MOST_BYTES, send_stalled_timeout_seconds=4.0)
CLIENT = Limits(
    max_receive_message_bytes=MOST_BYTES,
    stream_window_bytes=MOST_BYTES,
    reconnect_initial_seconds=0.05,
    reconnect_max_seconds=0.2,
)
ADMISSION = Admission(max_calls_per_method={FULL: 1})

UNAVAILABLE = StatusCode.UNAVAILABLE
LOST = (End.CONNECTION_LOST, UNAVAILABLE)
UNREACHED = (End.UNPROCESSED, UNAVAILABLE)
SILENT = (End.PEER_SILENT, UNAVAILABLE)
SENT_AWAY = (End.RAISED, UNAVAILABLE)
DROPPED = (End.RAISED, StatusCode.CANCELLED)


@dataclass(frozen=True)
class Sort:
    """What lines of a sort have in common: a server, and a fate."""

    name: str
    workers: int
    """Calls under way on a line at the same time."""
    count: int = 1
    """How many there are."""
    of_client: tuple[Outcome, ...] = ()
    """How calls may end beside their way: what is done to the line."""
    of_server: tuple[End, ...] = ()
    connection_ends: tuple[End, ...] = (End.CLOSED,)
    """How its connections may end, on both sides."""
    network: tuple[str, ...] = ()
    """What happens to its network, one after the other: names of events."""
    process: tuple[str, ...] = ()
    """How the process of its server ends, one after the other; then it has one of its own, which begins again."""
    server: Limits = SERVER
    client_keepalive: ClientKeepalive = penstock.keepalive.DEFAULT.client
    server_keepalive: ServerKeepalive = penstock.keepalive.DEFAULT.server

    def options(self) -> dict[str, Any]:
        """For its `Server`."""
        return {"limits": self.server, "admission": ADMISSION, "keepalive": self.server_keepalive}


STOPPED = (End.TASK_CANCELLED, End.EXITED, End.DRAINED)
BROKEN_OFF = (LOST, UNREACHED, SENT_AWAY, DROPPED)


def _doomed(name: str, *process: str, of_client: tuple[Outcome, ...], of_server: tuple[End, ...]) -> Sort:
    ends = (End.CLOSED, End.CONNECTION_LOST, End.EXITED)
    return Sort(
        name, 8, count=len(process), of_client=of_client, of_server=of_server, connection_ends=ends, process=process
    )


SORTS = {
    sort.name: sort
    for sort in (
        # Nothing is done to it: every call ends as its way says.
        Sort("direct", 50),
        # Connections are reset.
        Sort(
            "reset",
            12,
            of_client=(LOST, UNREACHED),
            of_server=(End.CONNECTION_LOST,),
            connection_ends=(End.CLOSED, End.CONNECTION_LOST),
            network=("connection reset",),
        ),
        # Connections are closed, or cut in the middle.
        Sort(
            "cut",
            12,
            of_client=(LOST, UNREACHED),
            of_server=(End.CONNECTION_LOST,),
            connection_ends=(End.CLOSED, End.CONNECTION_LOST),
            network=("connection closed", "connection cut", "cut in a frame"),
        ),
        # The network goes silent, or loses one side.
        Sort(
            "dark",
            8,
            count=4,
            of_client=(LOST, UNREACHED, SILENT),
            of_server=(End.CONNECTION_LOST, End.PEER_SILENT, End.SEND_STALLED),
            connection_ends=(End.CLOSED, End.CONNECTION_LOST, End.PEER_SILENT),
            network=("black hole", "half-open", "outage of 0.3 s"),
            client_keepalive=ClientKeepalive(time_seconds=1.0, timeout_seconds=1.5),
            server_keepalive=ServerKeepalive(time_seconds=1.0, timeout_seconds=1.5, min_ping_interval_seconds=0.5),
        ),
        # Connections come to their age: GOAWAY, and the end of what is open half a second later.
        Sort(
            "aging",
            12,
            of_client=(SENT_AWAY, UNREACHED),  # UNREACHED: what has not arrived when the grace is over
            connection_ends=(End.CLOSED,),
            of_server=(End.DRAINED,),
            server=Limits(
                max_receive_message_bytes=MOST_BYTES,
                send_stalled_timeout_seconds=4.0,
                max_connection_age_seconds=1.0,
                max_connection_age_grace_seconds=0.5,
            ),
        ),
        # The process of the server comes to its end.
        _doomed("killed", "server: kill", of_client=(LOST, UNREACHED), of_server=()),
        _doomed("drained", "server: drain", of_client=(SENT_AWAY, UNREACHED), of_server=(End.DRAINED,)),
        _doomed("leaving", "server: exit", of_client=BROKEN_OFF, of_server=STOPPED),
        _doomed(
            "ending",
            "server: loop ends",
            "server: return",
            of_client=BROKEN_OFF,
            of_server=STOPPED,
        ),
        # Clients come, and go in the middle of their calls.
        Sort(
            "visited",
            4,
            of_server=(End.PEER_CANCELLED, End.CONNECTION_LOST),
            connection_ends=(End.CLOSED, End.CONNECTION_LOST),
        ),
    )
}


def sort_of(line: str) -> Sort:
    """What a line is: its name is the sort's, and a number."""
    return SORTS[line.rstrip("0123456789")]
