"""`make attack`: every attack against a server with default settings; a table, and 1 if a promise was missed."""

import argparse
import statistics
import sys
from collections.abc import Sequence

from tests.stress.attacks.catalogue import ATTACKS, Attack
from tests.stress.attacks.scene import RATIO, Result, play

SECONDS = 3.0
SLOW_SECONDS = 13.0
"""For what is cut off by a time limit."""

HEAD = (
    f"{'attack':<27}{'frames/s':>11}{'conn.':>6}{'memory':>10}{'p99 without':>13}{'with':>10}{'ratio':>7}"
    f"  {'outcome':<10}{'after':>8}{'lines':>6}  counter, GOAWAY"
)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make attack")
    parser.add_argument("--only", nargs="+", metavar="ATTACK", choices=[attack.name for attack in ATTACKS])
    parser.add_argument("--rounds", type=int, default=1, help="the neighbour's median round counts (default: 1)")
    parser.add_argument("--uvloop", action="store_true", help="the server runs on uvloop")
    options = parser.parse_args()
    chosen = [attack for attack in ATTACKS if attack.name in (options.only or [attack.name])]
    print(HEAD)
    missed = [miss for attack in chosen for miss in _tell(attack, options.rounds, options.uvloop)]
    print(*[f"MISSED: {miss}" for miss in missed] or ["all as promised"], sep="\n")
    return 1 if missed else 0


def _tell(attack: Attack, rounds: int, uvloop: bool) -> Sequence[str]:
    seconds = SECONDS if attack.within_seconds <= SECONDS else SLOW_SECONDS
    results = [play(attack, seconds, loop="uvloop" if uvloop else "asyncio") for _ in range(rounds)]
    ratio = statistics.median(result.ratio for result in results)
    for result in results:
        print(_row(result))
    misses = {f"{attack.name}: {miss}" for result in results for miss in result.misses()}
    if ratio >= RATIO:
        misses.add(f"{attack.name}: the neighbour's p99 is {ratio:.1f} times its own")
    return sorted(misses)


def _row(result: Result) -> str:
    after = "-" if result.after is None else f"{1000 * result.after:.0f} ms"
    counters = ", ".join(f"{name} {count}" for name, count in result.counters.items()) or "-"
    return (
        f"{result.attack.name:<27}{result.frames_per_second:>11,.0f}{result.connections:>6}"
        f"{result.grown_bytes / 2**20:>6.1f} MiB{1e6 * result.p99_without:>10.0f} us{1e6 * result.p99_with:>7.0f} us"
        f"{result.ratio:>7.1f}  {result.attack.end:<10}{after:>8}{len(result.lines):>6}  {counters}  {result.go_away}"
    )


if __name__ == "__main__":
    sys.exit(main())
