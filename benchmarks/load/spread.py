"""What a message costs with few and many streams and connections, all at one rate."""

import sys
from collections import defaultdict
from dataclasses import asdict, replace
from statistics import median

from benchmarks.load.plan import Outcome, Plan
from benchmarks.load.programs import serving
from benchmarks.load.tables import aligned, spread, verdict

__all__ = ["spread_out"]

WIDE_SERVER = [sys.executable, "-m", "benchmarks.load.wide_server"]

STREAMS = (1, 10, 100, 1_000, 10_000)
CONNECTIONS = (1, 4, 16)

RATE = 5_000.0
"""Messages a second there and back, of all streams: little enough for a turn of the loop for each, with every number of
streams. More would be cheaper on one stream alone, whose messages then share frames."""

MOST_UNEVEN = 1.5
"""What we promise: the dearest by the cheapest."""


def spread_out(plan: Plan) -> Outcome:
    """Measure CPU time of both sides, ours only."""
    cells = [(streams, many) for streams in STREAMS for many in CONNECTIONS if many <= streams]
    wide = replace(plan.ours, server=WIDE_SERVER)
    found = defaultdict(list)
    for number in range(plan.rounds):
        for streams, connections in cells:
            plan.tell(f"spread: round {number + 1} of {plan.rounds}, {streams} streams on {connections} connections")
            with serving(wide, plan.shown) as running:
                found[streams, connections].append(running.steady(streams, connections, plan.seconds, RATE))
    costs = {cell: [each.cpu_us for each in rounds] for cell, rounds in found.items()}
    lines = [["CPU us, there and back", *[f"{many} connections" for many in CONNECTIONS]]]
    for streams in STREAMS:
        row = [spread(costs[streams, many]) if many <= streams else "" for many in CONNECTIONS]
        lines.append([f"{streams:,} streams", *row])
    medians = [median(cost) for cost in costs.values()]
    uneven = max(medians) / min(medians)
    flat = f"dearest by cheapest: {uneven:.2f}, promised <= {MOST_UNEVEN:g}: {verdict(kept=uneven <= MOST_UNEVEN)}"
    return Outcome(f"{aligned(lines)}\n{flat}", [asdict(each) for rounds in found.values() for each in rounds])
