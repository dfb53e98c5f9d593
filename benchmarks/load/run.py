"""Measures the sections, one after another, and prints the table of each."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine
from benchmarks.certificate import made
from benchmarks.load.beside import beside
from benchmarks.load.latency import latency
from benchmarks.load.plan import Outcome, Plan
from benchmarks.load.spread import spread_out
from benchmarks.load.start import start
from benchmarks.peers import OURS, PEERS
from benchmarks.processes import Failed

__all__ = ["main"]

STREAMS = 1_000
ROUNDS = 5
SECONDS = 3.0

SECTIONS: Mapping[str, Callable[[Plan], Outcome]] = {
    "latency": latency,
    "beside": beside,
    "start": start,
    "spread": spread_out,
}

RESULTS = Path(__file__).parents[1] / "results" / "load.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: a promise that was missed is in the table, not in the code."""
    options = _parse(arguments)
    wanted = {OURS, *(options.peers or [peer.name for peer in PEERS])}
    peers = [peer for peer in PEERS if peer.name in wanted and peer.loader and not peer.why_missing]
    facts, raw = machine.facts(peers), {}
    print(f"{facts}\nload {machine.load():.2f} before; medians of {options.rounds} rounds (range)")
    with made() as certificate:
        plan = Plan(peers, options.streams, options.rounds, options.seconds, certificate, options.tls, _tell)
        try:
            for name in options.sections or SECTIONS:
                outcome = SECTIONS[name](plan)
                raw[name] = outcome.raw
                print(f"\n{outcome.table}", flush=True)
        except Failed as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({**asdict(facts), "sections": raw}, indent=2) + "\n", "utf-8")
    print(f"raw results: {options.json}", file=sys.stderr)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="Penstock and its peers under load.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--streams", type=int, default=STREAMS, help=f"of latency and beside (default: {STREAMS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often (default: {ROUNDS})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of a measurement (default: {SECONDS:g})")
    parser.add_argument("--peers", nargs="+", metavar="PEER", choices=[peer.name for peer in PEERS], help="%(choices)s")
    parser.add_argument("--tls", action="store_true", help="all of it over TLS (start: both, always)")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help="where the raw results go")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]}; there are {', '.join(SECTIONS)}")
    return options


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
