"""What a soak has missed: on either side, and where the two do not agree."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from penstock import End
from tests.stress.soak.events import NAMES
from tests.stress.soak.lines import sort_of
from tests.stress.soak.promises import seen
from tests.stress.soak.soak import Soak
from tests.stress.soak.ways import OF_PROCESSES, WAYS

ABNORMAL = {end.value for end in End} - {End.CLOSED.value}


def misses(soak: Soak) -> list[str]:
    """Give what was promised and did not hold, a line for each."""
    return [
        *_of_side("the client", soak.client),
        *_of_side("the server", soak.server),
        *[miss for report in soak.events.reports for miss in _of_side("a doomed server", report)],
        *_of_handlers(soak),
        *_of_connections(soak),
        *_of_counts(soak),
        *[miss for visit in soak.events.visits for miss in _of_tally("a client that ended", visit)],
        *[f"memory of the {memory}" for memory in soak.memory.values() if not memory.is_flat],
        *_of_numbers(soak),
    ]


def by_way(report: dict[str, Any]) -> Counter[str]:
    """Count calls by their way."""
    counts: Counter[str] = Counter()
    for _, way, _, _, count in report["calls"]:
        counts[way] += count
    return counts


def by_end(report: dict[str, Any]) -> Counter[str]:
    """Count the calls that a process has counted itself, by the value of their end."""
    counts: Counter[str] = Counter()
    for statistics in report["statistics"].values():
        counts.update(statistics["ends"])
    return counts


def _of_tally(side: str, report: dict[str, Any]) -> Iterator[str]:
    if report["wrong"]:
        yield f"{report['wrong']} wrong on {side}; the first of them:"
        yield from (f"  {told}" for told in report["told"])


def _of_side(side: str, report: dict[str, Any]) -> Iterator[str]:
    yield from _of_tally(side, report)
    yield from (f"left on {side}: {left}" for left in report["left"])
    for name, statistics in report["statistics"].items():
        ended = sum(statistics["ends"].values())
        if statistics["calls_open"] or statistics.get("stragglers_open") or statistics["calls_begun"] != ended:
            yield f"{side}, {name}: {statistics['calls_begun']} calls began, {ended} ended: {statistics}"
        if statistics.get("handlers_detached_in_all"):
            yield f"{side}, {name}: {statistics['handlers_detached_in_all']} handlers were detached"


def _of_numbers(soak: Soak) -> Iterator[str]:
    """Each event, each way, and each of those that were promised on each side: so often at least."""
    made = by_way(soak.client)
    counts: list[tuple[str, int | None]] = [
        *[(name, soak.events.counts[name]) for name in NAMES],
        *[(f"the way {name!r}", made[name]) for name, way in WAYS.items() if way not in OF_PROCESSES],
        *[(f"{name}, on the client", on_client) for name, (on_client, _) in seen(soak).items()],
        *[(f"{name}, on the server", on_server) for name, (_, on_server) in seen(soak).items()],
    ]
    for name, count in counts:
        if count is not None and count < soak.least:
            yield f"{name}: {count} times, and it should be {soak.least} at least"


def _of_handlers(soak: Soak) -> Iterator[str]:
    for report in (soak.server, *soak.events.reports):
        yield from (f"a handler was not closed: {plan}" for plan in report["running"])
        if report["open"]:
            yield f"{report['open']} calls have no end"


def _of_connections(soak: Soak) -> Iterator[str]:
    """No connection ends but those that something was done to, and as what was done says."""
    for side, report in (("client", soak.client), ("server", soak.server)):
        for name, statistics in report["statistics"].items():
            sort = sort_of(name)
            lost = {end: count for end, count in statistics["connection_ends"].items() if count and end in ABNORMAL}
            done = sum(count for line, count in soak.events.by_line.items() if name in {line, sort_of(line).name})
            is_disturbed = side == "server" and sort.name == "visited"  # by clients that are no line of the soak
            if sum(lost.values()) > done and not is_disturbed:
                yield f"{name}: {done} events, and connections of the {side} ended so: {lost}"
            if lost.keys() - {end.value for end in sort.connection_ends}:
                yield f"{name}: connections of the {side} ended so: {lost}"


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
    for on, way, _, _, count in report["calls"]:
        counts[way] += count if on == line else 0
    return counts
