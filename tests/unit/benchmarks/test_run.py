import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.peers import OURS, PEERS, Peer

TWO = [peer for peer in PEERS if peer.name in (OURS, "grpcio_aio")]


@pytest.mark.timeout(60)
def test_a_run_prints_the_table_and_writes_the_raw_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "raw.json"
    monkeypatch.setattr(
        run, "PEERS", [*TWO, replace(TWO[0], name="unbuilt", title="unbuilt one", make="it", made=tmp_path / "it")]
    )
    names = ["--only", "unary_64", "ping_pong"]
    assert run.main(["--rounds", "2", "--seconds", "0.001", *names, "--json", str(path)]) == 0
    printed = capsys.readouterr()
    rows = [line.partition(":")[0] for line in printed.out.splitlines() if line.endswith(" is better")]
    assert rows == ["ping-pong, p50", "ping-pong, p99", "unary, 64 at once"]
    assert printed.out.count("unbuilt one") == printed.out.count("not built: make it") == 3
    turns = [line for line in printed.err.splitlines() if line.startswith("round")]
    assert turns == [
        "round 1 of 2: penstock",
        "round 1 of 2: grpcio aio",
        "round 2 of 2: grpcio aio",
        "round 2 of 2: penstock",
    ]
    raw = json.loads(path.read_text())
    assert set(raw["packages"]) == {"grpcio", "penstock", "protobuf"}
    assert {"processor", "cores", "python", "date", "commit", "load"} <= set(raw)
    assert {(peer, name): len(found) for peer in raw["samples"] for name, found in raw["samples"][peer].items()} == {
        (peer.name, name): 2 for peer in TWO for name in ("ping_pong", "unary_64")
    }


def test_a_peer_that_fails_is_said_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Peer("broken", "broken one", [sys.executable, "-c", ""], [])
    monkeypatch.setattr(run, "PEERS", [TWO[0], broken])
    path = tmp_path / "raw.json"
    assert run.main(["--seconds", "0.001", "--rounds", "2", "--only", "unary_64", "--json", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("error: the server of broken one did not say its address") == 1
    assert "  broken one  failed" in printed.out
    assert set(json.loads(path.read_text())["samples"]) == {OURS}


@pytest.mark.timeout(60)
def test_each_client_calls_each_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = replace(TWO[0], name="limit", title="a limit", grpc=False)
    monkeypatch.setattr(run, "PEERS", [*TWO, limit])
    path = tmp_path / "raw.json"
    arguments = ["--cross", "--tls", "--seconds", "0.001", "--rounds", "1", "--only", "unary_64", "--json", str(path)]
    assert run.main(arguments) == 0
    head, _, row, ours, theirs = capsys.readouterr().out.splitlines()[-5:]
    assert head.split() == ["client,", "below", "server:", "penstock", "grpcio", "aio"]
    assert row == "unary, 64 at once: calls/s, higher is better"
    assert (ours.split()[0], len(ours.split())) == ("penstock", 3)
    assert (theirs.split()[:2], len(theirs.split())) == (["grpcio", "aio"], 4)
    raw = json.loads(path.read_text())
    assert raw["tls"]
    assert set(raw["samples"]) == {f"{client.name} calls {server.name}" for client in TWO for server in TWO}


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--only", "unknown"], ["--peers", "unknown"]])
def test_what_means_nothing_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(arguments)
