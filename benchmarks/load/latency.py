"""How long messages take at half of what a peer can do, ours at the same rate."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from statistics import median

from benchmarks.load.lines import Trips
from benchmarks.load.plan import Outcome, Plan
from benchmarks.load.programs import serving
from benchmarks.load.tables import aligned, ratio, spread
from benchmarks.peers import OURS, Peer

__all__ = ["latency"]

MOST = {"grpcio_aio": 0.25, "grpc_go": 1.2}
"""What we promise: our p99 by the peer's."""

HEAD = ["", "can do", "rate", "p50 us", "p99 us", "loader late p99 us", "ratio of p99", "promised", ""]


def latency(plan: Plan) -> Outcome:
    """Measure with each other peer in turn."""
    lines, raw = [HEAD], {}
    for other in plan.others:
        with serving(other, plan.shown) as running:
            plan.tell(f"latency: what {other.title} can do")
            most = [running.maximum(plan.streams, 1, plan.seconds) for _ in range(plan.rounds)]
        rate = median(each.rate for each in most) / 2
        found = _at(plan, other, rate)
        cells = ratio(_p99(found[OURS]), _p99(found[other.name]), MOST.get(other.name))
        lines.append([other.title, spread([each.rate for each in most]), *_cells(rate, found[other.name]), "", "", ""])
        lines.append([plan.ours.title, "", *_cells(rate, found[OURS]), *cells])
        steady = {name: [asdict(each) for each in rounds] for name, rounds in found.items()}
        raw[other.name] = {"maximum": [asdict(each) for each in most], "steady": steady}
    return Outcome(aligned(lines), raw)


def _at(plan: Plan, other: Peer, rate: float) -> dict[str, list[Trips]]:
    found: dict[str, list[Trips]] = defaultdict(list)
    for peer in plan.turns(f"latency at {rate:,.0f} a second", [plan.ours, other]):
        with serving(peer, plan.shown) as running:
            found[peer.name].append(running.steady(plan.streams, 1, plan.seconds, rate))
    return found


def _cells(rate: float, found: Sequence[Trips]) -> list[str]:
    late = [each.late_us["p99"] for each in found]
    return [f"{rate:,.0f}", spread([each.latency_us["p50"] for each in found]), spread(_p99(found)), spread(late)]


def _p99(found: Sequence[Trips]) -> list[float]:
    return [each.latency_us["p99"] for each in found]
