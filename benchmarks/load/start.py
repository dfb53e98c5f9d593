"""What a fresh process takes until its first message."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict

from benchmarks.certificate import Certificate
from benchmarks.load.lines import Start
from benchmarks.load.plan import Outcome, Plan
from benchmarks.load.programs import serving
from benchmarks.load.tables import aligned, ratio, spread
from benchmarks.peers import OURS, Peer

__all__ = ["start"]

MOST = {"grpcio_aio": 0.5}
"""What we promise: our time by the peer's, in each of the rows."""

STARTS_OF_A_ROUND = 5
"""They are quick, and scatter."""

Starts = Mapping[str, Sequence[Start]]
"""By name of the peer."""

ROWS: Sequence[tuple[str, Callable[[Start], float]]] = [
    ("import", lambda line: line.import_seconds),
    ("import, all that a client needs", lambda line: line.import_seconds + line.generated_seconds),
    ("connect, first message", lambda line: line.first_message_seconds),
    ("fresh process, first message", lambda line: line.process_seconds),
    ("its CPU", lambda line: line.cpu_seconds),
]


def start(plan: Plan) -> Outcome:
    """Measure in plaintext, and over TLS."""
    peers = [peer for peer in plan.peers if peer.starter]
    others = [peer for peer in peers if peer.name != OURS]
    lines, raw = [["ms", *[peer.title for peer in peers]]], {}
    for other in others:
        lines[0] += [f"ratio to {other.title}", "promised", ""]
    for title, certificate in (("plain", None), ("TLS", plan.certificate)):
        starts = _starts(plan, peers, title, certificate)
        for row, value in ROWS:
            values = {peer.name: [value(line) for line in starts[peer.name]] for peer in peers}
            cells = [f"{row}, {title}", *[spread(values[peer.name], 1e-3) for peer in peers]]
            for other in others:
                # A compiled program imports nothing.
                any_value = any(values[other.name])
                cells += ratio(values[OURS], values[other.name], MOST.get(other.name)) if any_value else ["", "", ""]
            lines.append(cells)
        raw[title] = {name: [asdict(line) for line in found] for name, found in starts.items()}
    return Outcome(aligned(lines), raw)


def _starts(plan: Plan, peers: Sequence[Peer], title: str, certificate: Certificate | None) -> Starts:
    found: dict[str, list[Start]] = defaultdict(list)
    with ExitStack() as stack:
        servers = {peer.name: stack.enter_context(serving(peer, certificate)) for peer in peers}
        for server in servers.values():
            server.start()  # the first one compiles, and fills the caches of files
        for peer in plan.turns(f"start, {title}", peers, plan.rounds * STARTS_OF_A_ROUND):
            found[peer.name].append(servers[peer.name].start())
    return found
