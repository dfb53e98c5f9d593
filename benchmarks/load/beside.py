"""What unary calls wait beside streams that are as busy as they can be, and how evenly those are served."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from statistics import median

from benchmarks.load.clients import LARGE_BYTES
from benchmarks.load.lines import Beside
from benchmarks.load.plan import Outcome, Plan
from benchmarks.load.programs import serving
from benchmarks.load.tables import aligned, ratio, spread, verdict
from benchmarks.peers import OURS

__all__ = ["beside"]

MOST = {"grpcio_aio": 0.2, "grpc_go": 1.0}
"""What we promise: our p50 by the peer's."""

LONGER = 5
"""Than other sections: all get the same share in bytes, so one of ours with large messages gets one in some 3
seconds; one more or less should not decide whether that is fair."""

LEAST_FAIR = 0.7
"""What we promise: the stream that gets least, beside the mean of its kind."""

HEAD = ["", "unary p50 ms", "p99 ms", "small msg/s", "least/mean", "large MB/s", "least/mean", "fair"]


def beside(plan: Plan) -> Outcome:
    """Measure each peer, on one connection."""
    found: dict[str, list[Beside]] = defaultdict(list)
    for peer in plan.turns("beside", plan.peers):
        with serving(peer, plan.shown) as running:
            found[peer.name].append(running.beside(plan.streams, plan.seconds * LONGER))
    lines = [[*HEAD, "ratio of p50", "promised", ""]]
    for peer in plan.peers:
        if peer.name == OURS:
            fair = median(min(each.small.fairness, each.large.fairness) for each in found[OURS])
            lines.append([peer.title, *_cells(found[OURS]), verdict(kept=fair >= LEAST_FAIR), "", "", ""])
        else:
            compared = ratio(_p50(found[OURS]), _p50(found[peer.name]), MOST.get(peer.name))
            lines.append([peer.title, *_cells(found[peer.name]), "", *compared])
    return Outcome(aligned(lines), {name: [asdict(each) for each in rounds] for name, rounds in found.items()})


def _cells(found: Sequence[Beside]) -> list[str]:
    return [
        spread(_p50(found), 1e3),
        spread([each.latency_us["p99"] for each in found], 1e3),
        spread([each.small.count / each.seconds for each in found]),
        spread([each.small.fairness for each in found]),
        spread([each.large.count * LARGE_BYTES / each.seconds for each in found], 1e6),
        spread([each.large.fairness for each in found]),
    ]


def _p50(found: Sequence[Beside]) -> list[float]:
    return [each.latency_us["p50"] for each in found]
