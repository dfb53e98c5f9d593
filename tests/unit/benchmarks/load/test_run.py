"""The command, with little of everything: so that the programs of all peers are known to work."""

import json
from pathlib import Path

import pytest

from benchmarks.load import run, spread, start


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "STARTS_OF_A_ROUND", 1)
    monkeypatch.setattr(spread, "STREAMS", (1, 2))
    monkeypatch.setattr(spread, "CONNECTIONS", (1, 2))
    monkeypatch.setattr(spread, "RATE", 500.0)


LITTLE = ["--streams", "4", "--seconds", "0.05", "--rounds", "1", "--peers", "grpcio_aio"]


@pytest.mark.timeout(180)
def test_every_section_gives_a_table_and_raw_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "load.json"
    assert run.main([*LITTLE, "--json", str(path)]) == 0
    _head, *tables = capsys.readouterr().out.split("\n\n")
    assert [table.splitlines()[1].split("  ")[0] for table in tables] == [
        "grpcio aio",
        "penstock",
        "import, plain",
        "1 streams",
    ]
    raw = json.loads(path.read_text())["sections"]
    assert {line["section"] for line in raw["latency"]["grpcio_aio"]["maximum"]} == {"maximum"}
    assert {name: len(lines) for name, lines in raw["latency"]["grpcio_aio"]["steady"].items()} == {
        "penstock_aio": 1,
        "grpcio_aio": 1,
    }
    assert all(line["small"]["least"] > 0 for lines in raw["beside"].values() for line in lines)
    assert all(line["first_message_seconds"] > 0 for lines in raw["start"]["TLS"].values() for line in lines)
    assert [(line["streams"], line["connections"]) for line in raw["spread"]] == [(1, 1), (2, 1), (2, 2)]


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(["unknown"])
    assert "there are latency, beside, start, spread" in capsys.readouterr().err
