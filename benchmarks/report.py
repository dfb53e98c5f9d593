"""From samples to the table: medians, spread, and ratios against what was promised."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median

from benchmarks.peers import OURS, Peer
from benchmarks.rows import Better, Row
from benchmarks.sample import Sample
from benchmarks.scenarios import Scenario

__all__ = ["Comparison", "Samples", "Spread", "aligned", "compare", "promise", "short", "summary", "table"]

Samples = Mapping[tuple[str, str], Sequence[Sample]]
"""By names of peer and scenario: a sample of each round. Not all peers do all scenarios."""

HEAD = ["", "median (range)", "CPU s per million", "client MiB", "server MiB", "we are (range)", "promised", ""]
MIB = 1024 * 1024


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
        target = self.row.target(self.peer)
        if target is None:
            return ""
        return "ok" if target.is_met(self.ratio, self.row.better) else "MISSED"


def compare(row: Row, peer: str, ours: Sequence[Sample], theirs: Sequence[Sample]) -> Comparison:
    """Compare our samples of a row's scenario with those a peer made in the same rounds."""
    our_values = [row.value(sample) for sample in ours]
    their_values = [row.value(sample) for sample in theirs]
    rounds = [our_value / their_value for our_value, their_value in zip(our_values, their_values, strict=True)]
    return Comparison(row, peer, median(our_values) / median(their_values), Spread.of(rounds))


def table(scenarios: Sequence[Scenario], peers: Sequence[Peer], samples: Samples, failed: Collection[str] = ()) -> str:
    """Give the table: a paragraph for each row, a line in it for each peer, also for one that is missing.

    Args:
        scenarios: Those that were run.
        peers: All that belong into the table.
        samples: Of the peers that were run.
        failed: Those that have no samples because they failed.
    """
    lines: list[Sequence[str]] = [HEAD]
    for scenario in scenarios:
        for row in scenario.rows:
            lines += [[], [f"{row.title}: {row.unit}, {row.better.value} is better"]]
            lines += _paragraph(scenario, row, peers, samples, failed)
    return aligned(lines)


def summary(scenarios: Sequence[Scenario], samples: Samples) -> str:
    """Count the promises that are kept, and name the others, with what was measured."""
    kept, missed, unknown = 0, list[str](), list[str]()
    for scenario in scenarios:
        ours = samples.get((OURS, scenario.name))
        for row, target in [(one, target) for one in scenario.rows for target in one.targets]:
            name = f"{row.title} / {target.peer}"
            theirs = samples.get((target.peer, scenario.name))
            if not ours or not theirs:
                unknown.append(name)
            elif (found := compare(row, target.peer, ours, theirs)).verdict == "ok":
                kept += 1
            else:
                missed.append(f"{name}: {found.ratio:.2f}x, {promise(row, target.peer)} promised")
    promised = kept + len(missed) + len(unknown)
    lines = [f"{kept} of {promised} promises kept, {len(missed)} missed, {len(unknown)} not measured"]
    lines += [f"  missed: {line}" for line in missed]
    lines += [f"  not measured: {', '.join(unknown)}"] if unknown else []
    return "\n".join(lines)


def _paragraph(
    scenario: Scenario, row: Row, peers: Sequence[Peer], samples: Samples, failed: Collection[str]
) -> Iterator[Sequence[str]]:
    ours = samples.get((OURS, scenario.name))
    for peer in peers:
        theirs = samples.get((peer.name, scenario.name))
        if theirs:
            compared = compare(row, peer.name, ours, theirs) if ours and peer.name != OURS else None
            yield [f"  {peer.title}", *_measured(row, theirs), *(_compared(compared) if compared else [])]
        elif peer.does(scenario.name) or row.target(peer.name):
            yield [f"  {peer.title}", _why_not(peer, scenario, failed), "", "", "", "", promise(row, peer.name)]
    known = {peer.name for peer in peers}
    for target in row.targets:
        if target.peer not in known:
            yield [f"  {target.peer}", "not run", "", "", "", "", promise(row, target.peer)]


def _why_not(peer: Peer, scenario: Scenario, failed: Collection[str]) -> str:
    if peer.name in failed:
        return "failed"
    return peer.why_missing or ("not run" if peer.does(scenario.name) else "does not do this")


def _measured(row: Row, samples: Sequence[Sample]) -> Iterator[str]:
    spread = Spread.of([row.value(sample) for sample in samples])
    yield f"{short(spread.median)} ({short(spread.least)} - {short(spread.most)})"
    yield _known(median(sample.cpu_seconds_per_million for sample in samples), "{:.3g}")
    yield _known(median(sample.client_rss_bytes for sample in samples) / MIB, "{:.0f}")
    yield _known(median(sample.server_rss_bytes for sample in samples) / MIB, "{:.0f}")


def _known(value: float, form: str) -> str:
    return form.format(value) if value else ""


def _compared(found: Comparison) -> Iterator[str]:
    yield f"{found.ratio:.2f}x ({found.rounds.least:.2f} - {found.rounds.most:.2f})"
    yield promise(found.row, found.peer)
    yield found.verdict


def promise(row: Row, peer: str) -> str:
    """Give the promised ratio; empty where there is none."""
    target = row.target(peer)
    return f"{'>=' if row.better is Better.HIGHER else '<='} {target.ratio:g}x" if target else ""


def short(value: float) -> str:
    """Write a figure with as many digits as mean something."""
    return f"{value / 1000:,.1f}k" if value >= 10_000 else f"{value:,.0f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Align the columns; a line of one cell is a heading and may be longer than its column."""
    columns = zip_longest(*[line for line in lines if len(line) > 1], fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    padded = ("  ".join(map(str.ljust, line, widths)) if len(line) > 1 else "".join(line) for line in lines)
    return "\n".join(line.rstrip() for line in padded)
