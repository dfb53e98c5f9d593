"""What a change costs: CPU time of the same work with this tree and with another one.

Both run at the same time, each in a process of its own, and take turns that last a fraction of a second. Whatever else
the machine does meets both, so the median of the turns' ratios stands still where absolute figures move by tens of
percent. Where a process has its memory, and how it hashes, is luck worth some percent: there are several of each.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers import FOLDER
from benchmarks.processes import Failed

__all__ = ["main"]

UNITS = {
    "unary": 2_000,
    "unary_64": 64 * 50,
    "server_stream": 60_000,
    "ping_pong": 3_000,
    "blobs_1kib": 30_000,
    "blobs_16kib": 4_000,
    "blobs_64kib": 1_000,
    "blobs_1mib": 64,
    "unary_tls": 1_500,
    "server_stream_tls": 60_000,
    "blobs_1kib_tls": 20_000,
    "blobs_16kib_tls": 2_000,
    "blobs_64kib_tls": 500,
    "blobs_1mib_tls": 32,
}
"""How many a turn does: about a tenth of a second."""

TURNS = 100
TURNS_OF_A_PROCESS = 5
WARM_UP_TURNS = 2


class Version:
    """A process that works with one tree's packages."""

    def __init__(self, tree: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "src")])}
        program = Path(__file__).with_name("spending.py")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(program)],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def spend(self, name: str) -> float:
        """Give the microseconds of CPU that one unit of this work takes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([name, UNITS[name]]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise Failed("a version ended in the middle of its work")
        return float(answer)

    def end(self) -> None:
        """Let it go."""
        self._process.communicate()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description="What a change costs.")
    parser.add_argument("other", type=Path, help="the tree to compare with, its engine built in place")
    parser.add_argument("--tree", type=Path, default=FOLDER, help="the tree that is judged (default: this one)")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"how many turns (default: {TURNS})")
    parser.add_argument("--only", nargs="+", choices=UNITS, default=list(UNITS), help="work to do (default: all)")
    options = parser.parse_args(arguments)
    print("work               before us   now us   ratio  (half of the turns)")
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in options.only}
    try:
        for done in range(0, options.turns, TURNS_OF_A_PROCESS):
            turns = min(TURNS_OF_A_PROCESS, options.turns - done)
            with _working(options.other) as other, _working(options.tree) as this:
                for name, taken in pairs.items():
                    taken.extend(_turns(other, this, name, turns))
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, taken in pairs.items():
        print(_row(name, taken))
    return 0


@contextmanager
def _working(tree: Path) -> Iterator[Version]:
    version = Version(tree.resolve())
    try:
        yield version
    finally:
        version.end()


def _turns(other: Version, this: Version, name: str, turns: int) -> list[tuple[float, float]]:
    """Give pairs: what a unit took before, and takes now."""
    pairs = []
    for _ in range(turns + WARM_UP_TURNS):
        taken = {}
        for version in random.sample([other, this], 2):
            taken[version] = version.spend(name)
        pairs.append((taken[other], taken[this]))
    return pairs[WARM_UP_TURNS:]


def _row(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    before = statistics.median(before for before, _ in pairs)
    now = statistics.median(now for _, now in pairs)
    low, ratio, high = statistics.quantiles((now / before for before, now in pairs), n=4)
    return f"{name:<17}  {before:9.2f}  {now:7.2f}  {ratio:6.3f}  ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
