"""Measure token streams: as many tokens as are delivered, then as many as grpcio can just hold.

In each round each server gets a turn with fresh processes, so what slows the machine for a while slows all of them.
"""

import argparse
import json
import resource
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.peers import PEERS
from benchmarks.processes import Failed
from benchmarks.tokens.load import Sample
from benchmarks.tokens.report import HELD_SHARE, OURS, PEER, Samples, evenness, rates, table
from benchmarks.tokens.running import PACKAGES, SERVERS, Server, run

STREAMS = (1, 32, 1_024, 4_096)

HELD_STREAMS = (32, 1_024)
"""At which gaps are compared at one rate. With fewer, steps would follow each other faster than a loop's timers."""

EASE = 0.9
"""What is tried first is this share of grpcio's most, then this share of that, until it is held."""

RESULTS = Path(__file__).parents[1] / "results" / "tokens.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: a promise that was missed is in the text, not in the code."""
    options = _parse(arguments)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    servers = [server for server in SERVERS if server.name in (options.servers or [server.name])]
    facts = machine.facts([peer for peer in PEERS if peer.name in ("penstock_aio", "grpcio_aio")])
    packages = {found.metadata["Name"]: found.version for found in distributions(path=[str(PACKAGES)])}
    print(f"{facts}, {', '.join(f'{name} {version}' for name, version in sorted(packages.items()))}")
    print(f"load {machine.load():.2f} before; medians of {options.rounds} rounds (range)")
    raw: dict[str, object] = {**asdict(facts), "others": packages}
    try:
        for streams in options.streams:
            raw |= _measure(servers, streams, options.rounds, options.seconds)
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(raw, indent=2) + "\n", "utf-8")
    print(f"raw results: {options.json}", file=sys.stderr)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokens", description="Token streams beside others.")
    names = [server.name for server in SERVERS]
    parser.add_argument("--streams", nargs="+", type=int, default=STREAMS, help="default: 1 32 1024 4096")
    parser.add_argument("--rounds", type=int, default=5, help="how often (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement (default: 1.5)")
    parser.add_argument("--servers", nargs="+", metavar="SERVER", choices=names, help="%(choices)s")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help="where the raw results go")
    return parser.parse_args(arguments)


def _measure(servers: Sequence[Server], streams: int, rounds: int, seconds: float) -> dict[str, object]:
    most = _rounds(servers, streams, 0, rounds, seconds)
    print(f"\n{streams} streams, as many tokens as are delivered\n{table(most)}")
    print(*rates(streams, most), sep="\n", flush=True)
    raw: dict[str, object] = {f"{streams} streams": _raw(most)}
    both = [server for server in servers if server.client == ["grpc"]]
    if streams in HELD_STREAMS and {OURS, PEER} <= set(most):
        steps = _held(next(server for server in both if server.name == PEER), streams, most[PEER], seconds)
        held = _rounds(both, streams, steps, rounds, seconds)
        rate = steps * streams
        print(f"\n{streams} streams, {rate:,.0f} tokens/s: what grpcio can just hold, a step each {1e3 / steps:.2f} ms")
        print(table(held), *evenness(streams, 1 / steps, held), sep="\n", flush=True)
        raw[f"{streams} streams, {rate:.0f} tokens/s"] = _raw(held)
    return raw


def _held(server: Server, streams: int, most: Sequence[Sample], seconds: float) -> float:
    """Find how many steps a second the server holds."""
    steps = median(sample.rate for sample in most) / streams
    while True:
        steps *= EASE
        print(f"{streams} streams: does {server.title} hold {steps:.1f} steps/s?", file=sys.stderr)
        if run(server, streams, steps, seconds).rate >= HELD_SHARE * steps * streams:
            return steps


def _rounds(servers: Sequence[Server], streams: int, steps: float, rounds: int, seconds: float) -> Samples:
    samples: dict[str, list[Sample]] = defaultdict(list)
    for number in range(rounds):
        # Another one goes first each time: none always follows the same one.
        first = number % len(servers)
        for server in [*servers[first:], *servers[:first]]:
            print(f"{streams} streams, round {number + 1} of {rounds}: {server.title}", file=sys.stderr)
            samples[server.name].append(run(server, streams, steps, seconds))
    return {server.name: samples[server.name] for server in servers}


def _raw(samples: Samples) -> dict[str, list[dict[str, object]]]:
    return {name: [asdict(sample) for sample in rounds] for name, rounds in samples.items()}


if __name__ == "__main__":
    sys.exit(main())
