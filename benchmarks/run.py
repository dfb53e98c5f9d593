"""Runs the scenarios on the peers, round by round, and prints how they compare.

In each round each peer in turn gets a fresh server process and a fresh client process, so what slows the machine for a
while slows all of them.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine
from benchmarks.certificate import Certificate, made
from benchmarks.cross import crossed, matrix
from benchmarks.peers import PEERS, Peer
from benchmarks.processes import Failed, run_scenarios
from benchmarks.report import Samples, summary, table
from benchmarks.results import Results, write
from benchmarks.sample import Sample
from benchmarks.scenarios import SCENARIOS, Scenario

__all__ = ["main"]

ROUNDS = 5
LEAST_SECONDS = 1.0
"""Of each measurement."""

RESULTS = Path(__file__).parent / "results"
BUSY_LOAD = 0.5
"""Above this, before anything of ours runs, other programs take time from what is measured."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: 1 if a peer failed. A promise that was missed is in the table only."""
    options = _parse(arguments)
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in (options.only or [scenario.name])]
    peers = [peer for peer in PEERS if peer.name in (options.peers or _names(everybody=options.all))]
    there = [peer for peer in peers if not peer.why_missing and (peer.tls or not options.tls)]
    facts = machine.facts(there)
    load_before = machine.load()
    with made() if options.tls else nullcontext() as certificate:
        turns = crossed(there) if options.cross else there
        samples, failed = _measure(turns, scenarios, options.rounds, options.seconds, certificate)
    loads = {"before": load_before, "after": machine.load()}
    path = options.json or RESULTS / _file(options)
    write(path, Results({**asdict(facts), "tls": options.tls, "load": loads}, samples))
    print(facts)
    how = "over TLS" if options.tls else "in plaintext"
    print(f"load {loads['before']:.2f} before, {loads['after']:.2f} after; {how}; medians of {options.rounds} rounds\n")
    if options.cross:
        print(matrix(scenarios, peers, samples, failed))
    else:
        print(f"{table(scenarios, peers, samples, failed)}\n\n{summary(scenarios, samples)}")
    print(f"raw results: {path}", file=sys.stderr)
    if load_before > BUSY_LOAD:
        print(f"warning: the machine was busy before (load {load_before:.2f}); run this again", file=sys.stderr)
    return 1 if failed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Penstock beside its peers.")
    parser.add_argument("--rounds", type=_at_least_one, default=ROUNDS, help=f"how often (default: {ROUNDS})")
    parser.add_argument(
        "--only", nargs="+", metavar="SCENARIO", choices=[scenario.name for scenario in SCENARIOS], help="%(choices)s"
    )
    parser.add_argument("--peers", nargs="+", metavar="PEER", choices=_names(everybody=True), help="%(choices)s")
    parser.add_argument("--all", action="store_true", help="all peers, not the usual ones only")
    parser.add_argument(
        "--seconds",
        type=float,
        default=LEAST_SECONDS,
        help=f"of each measurement, at least (default: {LEAST_SECONDS:g})",
    )
    parser.add_argument("--tls", action="store_true", help="all of it over TLS")
    parser.add_argument("--cross", action="store_true", help="each client against each server")
    parser.add_argument("--json", type=Path, metavar="PATH", help="where the raw results go")
    return parser.parse_args(arguments)


def _file(options: argparse.Namespace) -> str:
    return f"latest{'-tls' if options.tls else ''}{'-cross' if options.cross else ''}.json"


def _names(everybody: bool) -> Sequence[str]:
    return [peer.name for peer in PEERS if peer.usual or everybody]


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = "at least 1"
        raise argparse.ArgumentTypeError(msg)
    return number


def _measure(
    peers: Sequence[Peer],
    scenarios: Sequence[Scenario],
    rounds: int,
    least_seconds: float,
    certificate: Certificate | None,
) -> tuple[Samples, Collection[str]]:
    """Give the samples of each peer that did everything in all rounds, and the names of the others."""
    samples = defaultdict[tuple[str, str], list[Sample]](list)
    failed = set[str]()
    for number in range(rounds):
        # Another one goes first each time: none always follows the same one.
        first = number % len(peers)
        for peer in [*peers[first:], *peers[:first]]:
            work = [scenario for scenario in scenarios if peer.does(scenario.name)]
            if not work or peer.name in failed:
                continue
            print(f"round {number + 1} of {rounds}: {peer.title}", file=sys.stderr)
            try:
                for sample in run_scenarios(peer, work, least_seconds, certificate):
                    samples[peer.name, sample.scenario].append(sample)
            except Failed as error:
                print(f"error: {error}", file=sys.stderr)
                failed.add(peer.name)
    return {(peer, name): found for (peer, name), found in samples.items() if peer not in failed}, failed


if __name__ == "__main__":
    sys.exit(main())
