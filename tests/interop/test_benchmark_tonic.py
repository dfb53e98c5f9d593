"""The benchmarks' programs with tonic do all of their work, with one another and with ours."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

import pytest

from benchmarks.certificate import made
from benchmarks.idle import cost_of
from benchmarks.peers import OURS, PEERS, Peer
from benchmarks.processes import run_scenarios
from benchmarks.scenarios import SCENARIOS

PERCENTILES = {"p50", "p90", "p99"}


@pytest.fixture
def peers() -> Mapping[str, Peer]:
    """Give ours and tonic's. It takes minutes to build, so that is left to who wants to measure it."""
    found = {peer.name: peer for peer in PEERS}
    if found["tonic"].why_missing:
        pytest.skip(found["tonic"].why_missing)
    return found


@pytest.mark.parametrize(
    ("client", "server", "over_tls"),
    [("tonic", "tonic", False), ("tonic", "tonic", True), ("tonic", OURS, False), (OURS, "tonic", True)],
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
    cost = cost_of(peers["tonic"], 200)
    assert cost.streams == 200
    assert min(cost.empty_us, cost.among_us) > 0
