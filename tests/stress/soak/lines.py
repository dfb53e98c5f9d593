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
    proxied: bool = False
    apart: bool = False
    """Its server has a process of its own, which ends and begins again."""
    server: Limits = SERVER
    client_keepalive: ClientKeepalive = penstock.keepalive.DEFAULT.client
    server_keepalive: ServerKeepalive = penstock.keepalive.DEFAULT.server

    def options(self) -> dict[str, Any]:
        """For its `Server`."""
        return {"limits": self.server, "admission": ADMISSION, "keepalive": self.server_keepalive}


SORTS = {
    sort.name: sort
    for sort in (
        # Nothing is done to it: every call ends as its way says.
        Sort("direct", 50),
        # Connections are reset, closed, cut in the middle of a frame.
        Sort(
            "cut",
            12,
            count=2,
            of_client=(LOST, UNREACHED),
            of_server=(End.CONNECTION_LOST,),
            connection_ends=(End.CLOSED, End.CONNECTION_LOST),
            proxied=True,
        ),
        # The network goes silent, or loses one side.
        Sort(
            "dark",
            8,
            count=4,
            of_client=(LOST, UNREACHED, SILENT),
            of_server=(End.CONNECTION_LOST, End.PEER_SILENT, End.SEND_STALLED),
            connection_ends=(End.CLOSED, End.CONNECTION_LOST, End.PEER_SILENT),
            proxied=True,
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
        # The process of the server is killed, exits, drains, loses its loop.
        Sort(
            "doomed",
            12,
            count=2,
            of_client=(LOST, UNREACHED, SENT_AWAY, DROPPED),
            of_server=(End.DRAINED, End.EXITED, End.TASK_CANCELLED),
            connection_ends=(End.CLOSED, End.CONNECTION_LOST, End.EXITED),
            apart=True,
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
