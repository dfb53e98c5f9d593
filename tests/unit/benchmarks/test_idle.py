"""What idle streams cost: measured with few, so that the programs are known to work."""

import sys

import pytest

from benchmarks import idle
from benchmarks.peers import Peer


@pytest.mark.timeout(60)
@pytest.mark.parametrize("peer", idle.HOLDERS, ids=lambda peer: peer.name)
def test_every_peer_holds_streams(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    assert idle.main(["--streams", "20", "--rounds", "1", "--peers", peer.name]) == 0
    *_head, row = capsys.readouterr().out.splitlines()
    assert row.startswith(peer.title)
    assert row[len(peer.title) :].split()[0] == "20"


def test_a_client_that_fails_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    program = [sys.executable, "-c"]
    server = 'import sys; print(\'{"address": "here"}\', flush=True); sys.stdin.read()'
    broken = Peer("broken", "broken one", [*program, server], [], [*program, "import sys; sys.exit(3)"])
    monkeypatch.setattr(idle, "HOLDERS", [broken])
    assert idle.main(["--rounds", "1"]) == 1
    assert "the client of broken one failed" in capsys.readouterr().err
