"""Two files of raw results side by side: `python -m benchmarks.compare before.json after.json`.

Each was made in its own minutes, so what the machine did meanwhile is in the ratio. Only where no round of one file
reaches into those of the other is it called better or worse; `benchmarks.versions` sees smaller differences.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.peers import PEERS
from benchmarks.report import Spread, aligned, short
from benchmarks.results import Results, read
from benchmarks.rows import Better, Row
from benchmarks.sample import Sample
from benchmarks.scenarios import SCENARIOS

__all__ = ["differences", "main", "verdict"]

HEAD = ["", "before (range)", "after (range)", "after / before", "", "CPU after / before"]

SAME = ("processor", "cores", "system", "python", "tls")
"""Facts that two files should have in common."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description="Two files of results.")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    try:
        before, after = read(options.before), read(options.after)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (ValueError, KeyError, TypeError) as error:
        print(f"error: no results of benchmarks.run: {error!r}", file=sys.stderr)
        return 1
    for name, results in (("before", before), ("after", after)):
        load = results.facts.get("load", {}).get("before", 0.0)
        print(f"{name:>6}: {results.facts['date']} ({results.facts['commit']}), load {load:.2f}")
    for line in differences(before, after):
        print(f"differs: {line}")
    print()
    print(_table(before, after))
    return 0


def differences(before: Results, after: Results) -> Iterator[str]:
    """Say which facts are not the same, so that ratios may come from them."""
    for name in SAME:
        if before.facts.get(name) != after.facts.get(name):
            yield f"{name}: {before.facts.get(name)}, then {after.facts.get(name)}"
    packages, later = before.facts["packages"], after.facts["packages"]
    for name in sorted({*packages, *later}):
        if packages.get(name) != later.get(name):
            yield f"{name}: {packages.get(name, 'not there')}, then {later.get(name, 'not there')}"


def _table(before: Results, after: Results) -> str:
    titles = {peer.name: peer.title for peer in PEERS}
    peers = list(dict.fromkeys(peer for peer, _ in [*before.samples, *after.samples]))
    lines: list[Sequence[str]] = [HEAD]
    for scenario in SCENARIOS:
        both = [peer for peer in peers if all((peer, scenario.name) in one.samples for one in (before, after))]
        for row in scenario.rows if both else ():
            lines += [[], [f"{row.title}: {row.unit}, {row.better.value} is better"]]
            for peer in both:
                key = peer, scenario.name
                lines.append([f"  {titles.get(peer, peer)}", *_cells(row, before.samples[key], after.samples[key])])
    return aligned(lines)


def _cells(row: Row, before: Sequence[Sample], after: Sequence[Sample]) -> Iterator[str]:
    earlier, later = (Spread.of([row.value(sample) for sample in samples]) for samples in (before, after))
    for spread in (earlier, later):
        yield f"{short(spread.median)} ({short(spread.least)} - {short(spread.most)})"
    yield f"{later.median / earlier.median:.3f}"
    yield verdict(row.better, earlier, later)
    cpu_before, cpu_after = (median(one.cpu_seconds_per_million for one in samples) for samples in (before, after))
    yield f"{cpu_after / cpu_before:.3f}" if cpu_before and cpu_after else ""


def verdict(better: Better, before: Spread, after: Spread) -> str:
    """Say whether all rounds of one are beyond all of the other; empty where they are not."""
    if after.least > before.most:
        return "better" if better is Better.HIGHER else "worse"
    if after.most < before.least:
        return "worse" if better is Better.HIGHER else "better"
    return ""


if __name__ == "__main__":
    sys.exit(main())
