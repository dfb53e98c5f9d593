"""The ways to end that were promised to be seen, on each side: which of the calls that were counted are of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LOST = "CONNECTION_LOST"
STOPPED = ("TASK_CANCELLED", "EXITED", "DRAINED")
"""How calls end when all that runs in their process is stopped."""


@dataclass(frozen=True)
class Calls:
    """Some of a side's calls: those for which each of these holds that is given."""

    ends: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()

    def count(self, reports: Iterable[dict[str, Any]]) -> int:
        """Count them in what the processes of a side have seen."""
        return sum(count for report in reports for *call, count in report["calls"] if self._has(*call))

    def _has(self, line: str, way: str, end: str, code: str) -> bool:
        seen = ((self.lines, line.rstrip("0123456789")), (self.ways, way), (self.ends, end), (self.codes, code))
        return all(not wanted or value in wanted for wanted, value in seen)


@dataclass(frozen=True)
class Promise:
    """One way, as people name it."""

    name: str
    client: Calls | None
    """`None`: it makes no sense there."""
    server: Calls | None


def _either(name: str, *ends: str) -> Promise:
    return Promise(name, Calls(ends), Calls(ends))


GOODBYE = Calls(("RAISED", "UNPROCESSED"), codes=("UNAVAILABLE",), lines=("aging",))
PROMISES = (
    _either("return", "RETURNED"),
    Promise("raise", Calls(("LEFT",), ("raise in the block",)), Calls(("RAISED", "FAILED"))),
    Promise("break out of the loop", Calls(("LEFT",), ("break", "break, sync")), Calls(ways=("handler breaks out",))),
    Promise("leave the block", Calls(("LEFT",), ("leave",)), None),
    Promise("cancel()", Calls(("LEFT",), ("cancel()",)), Calls(("LEFT",))),
    _either("task cancelled", "TASK_CANCELLED"),
    _either("deadline", "DEADLINE"),
    _either("first-message timeout", "FIRST_MESSAGE"),
    _either("idle timeout, receiving", "RECEIVE_IDLE"),
    _either("idle timeout, sending", "SEND_IDLE"),
    Promise("peer cancels", Calls(("RAISED",), ("handler cancels",), codes=("CANCELLED",)), Calls(("PEER_CANCELLED",))),
    Promise("peer killed with -9", Calls((LOST,), lines=("killed",)), Calls((LOST,), ("client: kill",))),
    _either("network gone silent", "PEER_SILENT"),
    Promise("connection reset", Calls((LOST,), lines=("reset",)), Calls((LOST,), lines=("reset",))),
    Promise("GOAWAY", GOODBYE, Calls(("DRAINED",), lines=("aging",))),
    Promise(
        "drain",
        Calls(("RAISED", "UNPROCESSED"), codes=("UNAVAILABLE",), lines=("drained",)),
        Calls(("DRAINED",), lines=("drained",)),
    ),
    _either("killed by the operator", "KILLED"),
    _either("limit hit", "LIMIT"),
    Promise("loop closing", Calls(("EXITED",), ("loop closing",)), Calls(STOPPED, lines=("ending",))),
    Promise(
        "interpreter exit",
        Calls(STOPPED, ("client: exit", "client: return", "client: interrupt", "client: forget")),
        Calls(STOPPED, lines=("leaving",)),
    ),
    Promise(
        "peer's interpreter exits",
        Calls((LOST, "UNPROCESSED"), lines=("leaving",)),
        Calls((LOST, "PEER_CANCELLED"), ("client: exit", "client: return", "client: vanish", "client: forget")),
    ),
)


def seen(soak: Any) -> dict[str, tuple[int | None, int | None]]:
    """Count each on both sides."""
    clients, servers = [soak.client, *soak.events.visits], [soak.server, *soak.events.reports]
    return {
        promise.name: (
            None if promise.client is None else promise.client.count(clients),
            None if promise.server is None else promise.server.count(servers),
        )
        for promise in PROMISES
    }
