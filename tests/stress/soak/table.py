"""What a soak prints."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from penstock import End
from tests.stress.soak.promises import seen
from tests.stress.soak.soak import Soak
from tests.stress.soak.verdict import by_end, by_way
from tests.stress.soak.ways import WAYS


def rows(soak: Soak) -> Iterator[str]:
    """Give its lines."""
    client, server = by_way(soak.client), by_way(soak.server)
    for report in soak.events.visits:
        client.update(by_way(report))
    yield f"{'promised':<28}{'client':>10}{'server':>10}"
    for name, counts in seen(soak).items():
        yield f"{name:<28}" + "".join(f"{'-' if count is None else f'{count:,}':>10}" for count in counts)
    yield ""
    yield f"{'way':<28}{'client':>10}{'server':>10}"
    yield from (f"{way:<28}{client[way]:>10,}{server[way]:>10,}" for way in WAYS)
    yield ""
    yield from _ends(soak)
    yield ""
    yield f"{'done to lines and processes':<28}{'times':>10}"
    yield from (f"{what:<28}{count:>10,}" for what, count in sorted(soak.events.counts.items()))
    yield ""
    yield from (str(memory) for memory in soak.memory.values())
    made = soak.client["made"]
    pace = f"{made:,} calls in {soak.took_seconds:.0f} s, {made / soak.took_seconds:,.0f} a second"
    wrong = soak.client["wrong"] + soak.server["wrong"] + sum(report["wrong"] for report in soak.events.reports)
    left = [*soak.client["left"], *soak.server["left"]]
    yield f"{pace}; seed {soak.seed}; {wrong} wrong, {len(left)} left"


def _ends(soak: Soak) -> Iterator[str]:
    doomed: Counter[str] = Counter()
    for report in soak.events.reports:
        doomed.update(by_end(report))
    sides: list[Any] = [by_end(soak.client), by_end(soak.server), doomed]
    yield f"{'ended':<28}{'client':>10}{'server':>10}{'doomed':>10}"
    for end in End:
        counts = [side[end.value] for side in sides]
        if any(counts):
            yield f"{end.name:<28}" + "".join(f"{count:>10,}" for count in counts)
