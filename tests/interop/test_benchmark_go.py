"""The benchmarks' programs in Go do all of their work, with one another and with ours."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

import pytest

from benchmarks.certificate import made
from benchmarks.idle import cost_of
from benchmarks.load.programs import serving
from benchmarks.peers import OURS, PEERS, Peer
from benchmarks.processes import run_scenarios
from benchmarks.scenarios import SCENARIOS
from tests.interop.pairs import BUILDS
from tests.interop.standard.programs import make

pytestmark = BUILDS

PERCENTILES = {"p50", "p90", "p99"}


@pytest.fixture
def peers() -> Mapping[str, Peer]:
    """Give ours and Go's, which is built."""
    found = {peer.name: peer for peer in PEERS}
    make(found["grpc_go"].make, "go")
    return found


@pytest.mark.parametrize(
    ("client", "server", "over_tls"),
    [
        ("grpc_go", "grpc_go", True),
        ("grpc_go", OURS, False),
        (OURS, "grpc_go", True),
    ],
)
def test_every_scenario_works(peers: Mapping[str, Peer], client: str, server: str, *, over_tls: bool) -> None:
    pair = replace(peers[client], server=peers[server].server)
    with made() if over_tls else nullcontext() as certificate:
        samples = run_scenarios(pair, SCENARIOS, 0.0, certificate)
    for sample in samples:  # the programs have looked at every message
        assert sample.count > 0
        assert set(sample.latency_us) == (PERCENTILES if sample.scenario in {"unary", "ping_pong"} else set())
        assert min(sample.client_rss_bytes, sample.server_rss_bytes) > 1_000_000
    assert sum(sample.client_cpu_seconds for sample in samples) > 0
    assert sum(sample.server_cpu_seconds for sample in samples) > 0


def test_streams_are_held(peers: Mapping[str, Peer]) -> None:
    cost = cost_of(peers["grpc_go"], 200)
    assert cost.streams == 200
    assert min(cost.empty_us, cost.among_us) > 0


def test_what_is_sent_at_a_rate_comes_back(peers: Mapping[str, Peer]) -> None:
    with serving(peers["grpc_go"], None) as running:
        most = running.maximum(20, 2, 0.1)
        assert most.count > 0
        steady = running.steady(20, 2, 0.2, 1_000.0)
    assert (steady.streams, steady.connections, steady.count) == (20, 2, 200)
    assert set(steady.latency_us) == set(steady.late_us) == {*PERCENTILES, "most"}


def test_calls_are_made_beside_busy_streams(peers: Mapping[str, Peer]) -> None:
    with serving(peers["grpc_go"], None) as running:
        line = running.beside(10, 0.2)
    assert line.count > 0
    assert (line.small.streams, line.large.streams) == (5, 5)
    assert min(line.small.count, line.large.count) > 0


def test_a_fresh_process_exchanges_a_message(peers: Mapping[str, Peer]) -> None:
    with serving(peers["grpc_go"], None) as running:
        line = running.start()
    assert 0 < line.first_message_seconds < line.process_seconds
