"""What each setting of grpc-go does: measures it alone, beside the settings that the programs have.

    python -m benchmarks.peers.grpc_go.effects stream_window_bytes=1048576 GOGC=400

Names in small letters are settings of `work/settings.go`, those in capitals are variables of Go's runtime; what is
joined by commas is set together. In each round each variant in turn gets a fresh server and a fresh client.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import FOLDER, Peer
from benchmarks.processes import run_scenarios
from benchmarks.sample import Sample
from benchmarks.scenarios import SCENARIOS, Scenario

__all__ = ["main"]

PROGRAMS = FOLDER / "build/benchmarks/grpc_go"
ROUNDS = 11
LEAST_SECONDS = 0.2
"""Of each measurement: short, so that what slows the machine meanwhile is less likely to slow only one of two."""

AS_IT_IS = ""
"""The variant that the others are compared with."""

Round = dict[str, dict[str, Sample]]
"""By variant and scenario."""


def main() -> None:
    """Print for each scenario and variant the processor time of both sides, and the time, beside those as it is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.grpc_go.effects", description=__doc__)
    parser.add_argument("variants", nargs="+", metavar="NAME=VALUE[,NAME=VALUE]")
    parser.add_argument("--only", nargs="+", metavar="SCENARIO", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--programs", type=Path, default=PROGRAMS)
    options = parser.parse_args()
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in (options.only or [scenario.name])]
    peers = [variant(text, options.programs) for text in [AS_IT_IS, *options.variants]]
    rounds = []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        rounds.append(one_round(peers, scenarios, number))
    for name in options.variants:
        for scenario in scenarios:
            print(row(name, scenario.name, rounds), flush=True)


def variant(assignments: str, programs: Path) -> Peer:
    """Give the peer with other settings."""
    variables: dict[str, list[str]] = defaultdict(list)
    for assignment in filter(None, assignments.split(",")):
        name, _, value = assignment.partition("=")
        variables[name if name.isupper() else "BENCH_GRPC_GO"].append(value if name.isupper() else assignment)
    environment = ["env", *(f"{name}={','.join(values)}" for name, values in variables.items())]
    server, client = ([*environment, str(programs / program)] for program in ("server", "client"))
    return Peer(assignments, assignments or "as it is", server, client)


def one_round(peers: Sequence[Peer], scenarios: Sequence[Scenario], number: int) -> Round:
    """Measure each once; another one goes first each time."""
    first = number % len(peers)
    return {
        peer.name: {sample.scenario: sample for sample in run_scenarios(peer, scenarios, LEAST_SECONDS)}
        for peer in [*peers[first:], *peers[:first]]
    }


def row(name: str, scenario: str, rounds: Sequence[Round]) -> str:
    """Give how CPU and time compare."""
    samples, bases = ([samples[peer][scenario] for samples in rounds] for peer in (name, AS_IT_IS))
    cpu = compared([_cpu(sample) for sample in samples], [_cpu(base) for base in bases])
    time = compared([_seconds(sample) for sample in samples], [_seconds(base) for base in bases])
    return f"{name:<40} {scenario:<20} CPU {cpu}   time {time}"


def compared(values: Sequence[float], bases: Sequence[float]) -> str:
    """Give the ratio of the lower quartiles, for a busy machine only ever adds; then the rounds' own ratios.

    Of these the median, and the half that is in the middle.
    """
    quickest = _quartiles(values)[0] / _quartiles(bases)[0]
    low, middle, high = _quartiles([value / base for value, base in zip(values, bases, strict=True)])
    return f"{quickest:.2f}, {middle:.2f} ({low:.2f}-{high:.2f})"


def _quartiles(values: Sequence[float]) -> Sequence[float]:
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3


def _cpu(sample: Sample) -> float:
    return sample.cpu_seconds_per_million


def _seconds(sample: Sample) -> float:
    return sample.seconds / sample.count


if __name__ == "__main__":
    main()
