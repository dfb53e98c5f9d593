"""Two trees that take turns: here both are this one."""

import re

import pytest

from benchmarks import versions
from benchmarks.peers import FOLDER
from benchmarks.processes import Failed


def test_each_work_is_done_by_both_and_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "UNITS", dict.fromkeys(versions.UNITS, 64))
    assert versions.main([str(FOLDER), "--turns", "2"]) == 0
    _head, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == list(versions.UNITS)
    for row in rows:
        assert re.fullmatch(r"\w+ +[\d.]+ +[\d.]+ +\d\.\d{3}  \(\d\.\d{3} to \d\.\d{3}\)", row)


def test_a_row_has_the_medians_and_the_median_of_the_ratios_of_the_turns() -> None:
    row = versions._row("unary", [(10, 20), (100, 100), (50, 60)])
    assert row.split()[:4] == ["unary", "50.00", "60.00", "1.200"]


def test_a_version_that_ends_early_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions.Version, "spend", _end)
    assert versions.main([str(FOLDER), "--turns", "2", "--only", "unary"]) == 1
    assert "ended in the middle" in capsys.readouterr().err


def _end(_version: versions.Version, _name: str) -> float:
    raise Failed("a version ended in the middle of its work")
