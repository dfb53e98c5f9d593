import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks import certificate
from benchmarks.peers import PEERS, Peer
from benchmarks.processes import Failed, run_scenarios
from benchmarks.scenarios import SCENARIOS, Scenario, named

SERVER = 'import sys; print(\'{"address": "here"}\', flush=True); sys.stdin.read()'
CLIENT = """
import json, sys
for name in sys.argv[3:]:
    print(json.dumps({"scenario": name, "count": 3, "seconds": 0.5}))
"""


def peer(server: str = SERVER, client: str = CLIENT) -> Peer:
    program = [sys.executable, "-c"]
    return Peer("fake", "fake", [*program, server], [*program, client])


def two() -> Sequence[Scenario]:
    return named(["server_stream", "unary"])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("real", PEERS, ids=lambda peer: peer.name)
def test_every_peer_does_every_scenario(real: Peer) -> None:
    if real.why_missing:
        pytest.skip(real.why_missing)
    scenarios = [scenario for scenario in SCENARIOS if real.does(scenario.name)]
    if "--loop" in real.client:  # the same program as that of another peer, on another loop
        scenarios = list(named(["unary_64"]))
    # The CPU time of a server is counted in steps of 10 ms: of few scenarios each has to take many.
    samples = run_scenarios(real, scenarios, least_seconds=0.001 if len(scenarios) > 2 else 0.2)
    for scenario, sample in zip(scenarios, samples, strict=True):
        assert sample.scenario == scenario.name
        assert sample.count >= scenario.first_count
        assert sample.count % scenario.multiple == 0
        assert all(row.value(sample) > 0 for row in scenario.rows)
        assert sample.client_rss_bytes > 1_000_000
        assert sample.server_rss_bytes > 1_000_000
    assert sum(sample.client_cpu_seconds for sample in samples) > 0
    assert sum(sample.server_cpu_seconds for sample in samples) > 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("real", PEERS, ids=lambda peer: peer.name)
def test_every_peer_speaks_tls_and_its_client_looks_whom_it_speaks_to(real: Peer) -> None:
    if real.why_missing or not real.tls:
        pytest.skip(real.why_missing or "not over TLS")
    first = [scenario for scenario in SCENARIOS if real.does(scenario.name)][:1]
    with certificate.made() as files, certificate.made() as others:
        assert len(run_scenarios(real, first, 0.001, files)) == 1
        with pytest.raises(Failed, match=f"the client of {real.title} failed"):
            run_scenarios(real, first, 0.001, replace(files, ca=others.ca))


def test_the_client_gets_address_seconds_and_scenarios() -> None:
    saying = "import os, sys; assert sys.argv[1:] == ['here', '0.25', 'server_stream', 'unary']\n"
    saying += "os.kill(int(os.environ['BENCH_SERVER_PID']), 0)" + CLIENT
    assert [sample.count for sample in run_scenarios(peer(client=saying), two(), 0.25)] == [3, 3]


@pytest.mark.parametrize(
    ("server", "text"),
    [
        ("", "the server of fake did not say its address"),
        (SERVER + "; sys.exit(3)", "the server of fake ended with 3"),
    ],
)
def test_a_server_that_fails_is_said(server: str, text: str) -> None:
    with pytest.raises(Failed, match=text):
        run_scenarios(peer(server=server), two(), 0.25)


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("import sys; sys.exit(3)", "the client of fake failed: .* non-zero exit status 3"),
        ("", r"the client of fake measured \[\], not \['server_stream', 'unary'\]"),
    ],
)
def test_a_client_that_fails_is_said(client: str, text: str) -> None:
    with pytest.raises(Failed, match=text):
        run_scenarios(peer(client=client), two(), 0.25)
