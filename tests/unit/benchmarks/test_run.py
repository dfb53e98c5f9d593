import json
import sys
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.peers import PEERS, Peer


def test_a_run_prints_the_table_and_writes_the_raw_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "LEAST_SECONDS", 0.001)
    path = tmp_path / "new" / "raw.json"
    assert run.main(["--rounds", "2", "--only", "unary_64", "ping_pong", "--json", str(path)]) == 0
    printed = capsys.readouterr()
    rows = [line.partition("  ")[0] for line in printed.out.splitlines()[-3:]]
    assert rows == ["ping-pong, p50", "ping-pong, p99", "unary, 64 at once"]
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
        (peer.name, name): 2 for peer in PEERS for name in ("ping_pong", "unary_64")
    }


def test_a_peer_that_fails_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Peer("broken", "broken one", [sys.executable, "-c", ""], [], [], [])
    monkeypatch.setattr(run, "PEERS", [broken])
    path = tmp_path / "raw.json"
    assert run.main(["--json", str(path)]) == 1
    assert "error: the server of broken one did not say its address" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--only", "unknown"], ["--peers", "unknown"]])
def test_what_means_nothing_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(arguments)
