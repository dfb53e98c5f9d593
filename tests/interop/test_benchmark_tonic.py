"""The benchmarks' programs with tonic do all of their work, with one another and with ours."""

import os
from collections.abc import Mapping

import pytest

from benchmarks.peers import OURS, PEERS, Peer
from tests.interop.benchmarked import built, check_holder, check_scenarios

pytestmark = pytest.mark.timeout(900)  # tonic is built within the first of them


@pytest.fixture
def peers() -> Mapping[str, Peer]:
    """Give ours and tonic's. It takes minutes to build, which is left to CI and to who wants to measure it."""
    (tonic,) = [peer for peer in PEERS if peer.name == "tonic"]
    if tonic.why_missing and os.environ.get("CI") != "true":
        pytest.skip(tonic.why_missing)
    return built("tonic", "cargo")


@pytest.mark.parametrize(
    ("client", "server", "over_tls"),
    [("tonic", "tonic", False), ("tonic", "tonic", True), ("tonic", OURS, False), (OURS, "tonic", True)],
)
def test_every_scenario_works(peers: Mapping[str, Peer], client: str, server: str, *, over_tls: bool) -> None:
    check_scenarios(peers[client], peers[server], over_tls=over_tls)


def test_streams_are_held(peers: Mapping[str, Peer]) -> None:
    check_holder(peers["tonic"])
