"""From samples to the table: medians, spread, and ratios against what was promised."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.peers import OURS, Peer
from benchmarks.scenarios import Better, Row, Sample, Scenario

__all__ = ["Comparison", "Samples", "Spread", "compare", "table"]

Samples = Mapping[tuple[str, str], Sequence[Sample]]
"""By names of peer and scenario: a sample of each round."""


@dataclass(frozen=True)
class Spread:
    """Values of all rounds, as a table shows them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Reduce at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Comparison:
    """One row of the table for one other peer."""

    row: Row
    peer: str
    ratio: float
    """Our median divided by the peer's."""
    rounds: Spread
    """The ratio in each round."""

    @property
    def verdict(self) -> str:
        """Say whether the promise is kept; empty where there is none."""
        target = self.row.target
        if target is None or target.peer != self.peer:
            return ""
        return "ok" if target.is_met(self.ratio, self.row.better) else "MISSED"

    @property
    def promise(self) -> str:
        """Give the promised ratio; empty where there is none."""
        target = self.row.target
        if target is None or target.peer != self.peer:
            return ""
        return f"{'>=' if self.row.better is Better.HIGHER else '<='} {target.ratio:g}x"


def compare(row: Row, peer: str, ours: Sequence[Sample], theirs: Sequence[Sample]) -> Comparison:
    """Compare our samples of a row's scenario with those a peer made in the same rounds."""
    our_values = [row.value(sample) for sample in ours]
    their_values = [row.value(sample) for sample in theirs]
    rounds = [our_value / their_value for our_value, their_value in zip(our_values, their_values, strict=True)]
    return Comparison(row, peer, median(our_values) / median(their_values), Spread.of(rounds))


def table(scenarios: Sequence[Scenario], peers: Sequence[Peer], samples: Samples) -> str:
    """Give the table: a column for each peer, and one for each ratio of ours to another's."""
    names = [peer.name for peer in peers]
    others = [peer for peer in peers if peer.name != OURS] if OURS in names else []
    head = ["", "", *[peer.title for peer in peers]]
    for other in others:
        head += [f"ratio to {other.title}", "promised", ""]
    rows = [(scenario, row) for scenario in scenarios for row in scenario.rows]
    return _aligned([head, *[list(_cells(scenario, row, names, others, samples)) for scenario, row in rows]])


def _cells(
    scenario: Scenario, row: Row, names: Sequence[str], others: Sequence[Peer], samples: Samples
) -> Iterator[str]:
    yield row.title
    yield row.unit
    for name in names:
        spread = Spread.of([row.value(sample) for sample in samples[name, scenario.name]])
        yield f"{_short(spread.median)} ({_short(spread.least)} - {_short(spread.most)})"
    for other in others:
        found = compare(row, other.name, samples[OURS, scenario.name], samples[other.name, scenario.name])
        yield f"{found.ratio:.2f}x ({found.rounds.least:.2f} - {found.rounds.most:.2f})"
        yield found.promise
        yield found.verdict


def _short(value: float) -> str:
    return f"{value / 1000:,.1f}k" if value >= 10_000 else f"{value:,.0f}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))] for line in lines)
    return "\n".join(text.rstrip() for (text,) in padded)
