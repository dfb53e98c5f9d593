"""What a soak has missed: on either side, and where the two do not agree."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from penstock import End
from tests.stress.soak.events import Events
from tests.stress.soak.lines import SORTS
from tests.stress.soak.soak import Soak
from tests.stress.soak.ways import WAYS

ABNORMAL = {end.value for end in End} - {End.CLOSED.value}


def misses(soak: Soak) -> list[str]:
    """Give what was promised and did not hold, a line for each."""
    return [
        *_of_side("client", soak.client),
        *_of_side("server", soak.server),
        *[miss for report in soak.events.reports for miss in _of_side("a doomed server", report)],
        *_of_handlers(soak),
        *_of_connections(soak),
        *_of_counts(soak),
        *[f"memory of the {memory}" for memory in soak.memory.values() if not memory.is_flat],
        *[f"no call ended by the way {name!r}" for name in WAYS if not by_way(soak.client)[name]],
    ]


def by_way(report: dict[str, Any]) -> Counter[str]:
    """Count calls by their way."""
    counts: Counter[str] = Counter()
    for _, way, _, count in report["calls"]:
        counts[way] += count
    return counts


def by_end(report: dict[str, Any]) -> Counter[str]:
    """Count the calls that a process has counted itself, by the value of their end."""
    counts: Counter[str] = Counter()
    for statistics in report["statistics"].values():
        counts.update(statistics["ends"])
    return counts


def _of_side(side: str, report: dict[str, Any]) -> Iterator[str]:
    if report["wrong"]:
        yield f"{report['wrong']} wrong on the {side}; the first of them:"
        yield from (f"  {told}" for told in report["told"])
    yield from (f"left on the {side}: {left}" for left in report["left"])
    for name, statistics in report["statistics"].items():
        ended = sum(statistics["ends"].values())
        if statistics["calls_open"] or statistics.get("stragglers_open") or statistics["calls_begun"] != ended:
            yield f"{side}, {name}: {statistics['calls_begun']} calls began, {ended} ended: {statistics}"
        if statistics.get("handlers_detached_in_all"):
            yield f"{side}, {name}: {statistics['handlers_detached_in_all']} handlers were detached"


def _of_handlers(soak: Soak) -> Iterator[str]:
    for report in (soak.server, *soak.events.reports):
        yield from (f"a handler was not closed: {plan}" for plan in report["running"])
        if report["open"]:
            yield f"{report['open']} calls have no end"


def _of_connections(soak: Soak) -> Iterator[str]:
    """No connection ends but those that something was done to."""
    for line, statistics in soak.client["statistics"].items():
        events = soak.events.by_line[line]
        lost = {end: count for end, count in statistics["connection_ends"].items() if count and end in ABNORMAL}
        if sum(lost.values()) > events:
            yield f"{line}: {events} events, and connections of the client ended so: {lost}"
    yield from _of_servers_connections(soak.server, soak.events)


def _of_servers_connections(report: dict[str, Any], events: Events) -> Iterator[str]:
    for name, statistics in report["statistics"].items():
        if SORTS[name].of_client or name == "direct":
            done = sum(count for line, count in events.by_line.items() if line.rstrip("0123456789") == name)
            lost = {end: count for end, count in statistics["connection_ends"].items() if count and end in ABNORMAL}
            if sum(lost.values()) > done:
                yield f"{name}: {done} events, and connections of the server ended so: {lost}"


def _of_counts(soak: Soak) -> Iterator[str]:
    """Where nothing disturbs a line, both sides have seen the same."""
    clients, servers = _on("direct", soak.client), _on("direct", soak.server)
    for name, way in WAYS.items():
        if not way.of_server and servers[name]:
            yield f"direct, {name}: handlers ran {servers[name]} times"
        if way.of_server and clients[name] < servers[name]:
            yield f"direct, {name}: {clients[name]} on the client, {servers[name]} on the server"
        if way.program in {"finish", "wait"} and clients[name] != servers[name]:
            yield f"direct, {name}: {clients[name]} on the client, {servers[name]} on the server"


def _on(line: str, report: dict[str, Any]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for on, way, _, count in report["calls"]:
        counts[way] += count if on == line else 0
    return counts
