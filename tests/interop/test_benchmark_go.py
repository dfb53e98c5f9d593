"""The benchmarks' programs in Go do all of their work, with one another and with ours."""

from collections.abc import Mapping

import pytest

from benchmarks.load.programs import serving
from benchmarks.peers import OURS, Peer
from tests.interop.benchmarked import PERCENTILES, built, check_holder, check_scenarios
from tests.interop.pairs import BUILDS

pytestmark = BUILDS


@pytest.fixture
def peers() -> Mapping[str, Peer]:
    """Give ours and Go's, which is built."""
    return built("grpc_go", "go")


@pytest.mark.parametrize(
    ("client", "server", "over_tls"),
    [
        ("grpc_go", "grpc_go", True),
        ("grpc_go", OURS, False),
        (OURS, "grpc_go", True),
    ],
)
def test_every_scenario_works(peers: Mapping[str, Peer], client: str, server: str, *, over_tls: bool) -> None:
    check_scenarios(peers[client], peers[server], over_tls=over_tls)


def test_streams_are_held(peers: Mapping[str, Peer]) -> None:
    check_holder(peers["grpc_go"])


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
