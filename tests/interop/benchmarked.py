"""What the programs of a benchmarked peer have to do, in whatever language."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

from benchmarks.certificate import made
from benchmarks.idle import cost_of
from benchmarks.peers import PEERS, Peer
from benchmarks.processes import run_scenarios
from benchmarks.scenarios import SCENARIOS
from tests.interop.standard.programs import make

PERCENTILES = {"p50", "p90", "p99"}


def built(name: str, needs: str) -> Mapping[str, Peer]:
    """Give all peers, after the programs of this one were made."""
    found = {peer.name: peer for peer in PEERS}
    make(found[name].make, needs)
    return found


def check_scenarios(client: Peer, server: Peer, *, over_tls: bool) -> None:
    """Have a client do all of its work with a server; the programs look at every message."""
    pair = replace(client, server=server.server)
    with made() if over_tls else nullcontext() as certificate:
        samples = run_scenarios(pair, SCENARIOS, 0.0, certificate)
    for sample in samples:
        assert sample.count > 0
        assert set(sample.latency_us) == (PERCENTILES if sample.scenario in {"unary", "ping_pong"} else set())
        assert min(sample.client_rss_bytes, sample.server_rss_bytes) > 1_000_000
    assert sum(sample.client_cpu_seconds for sample in samples) > 0
    assert sum(sample.server_cpu_seconds for sample in samples) > 0


def check_holder(peer: Peer) -> None:
    """Have it hold streams."""
    cost = cost_of(peer, 200)
    assert cost.streams == 200
    assert min(cost.empty_us, cost.among_us) > 0
