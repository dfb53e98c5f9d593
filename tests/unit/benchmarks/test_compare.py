import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import differences, main, verdict
from benchmarks.peers import OURS
from benchmarks.report import Spread
from benchmarks.results import Results, read, write
from benchmarks.rows import Better
from benchmarks.sample import Sample

FACTS: dict[str, Any] = {
    "date": "today",
    "commit": "abc",
    "processor": "fast",
    "cores": 2,
    "packages": {"grpcio": "1"},
    "load": {"before": 0.25},
}


def results(counts: Sequence[int], cpu_seconds: float = 0.0, **facts: object) -> Results:
    """Give rounds of one second in which so many messages came, for one peer we know and one that we do not."""
    rounds = [Sample("server_stream", count, 1.0, client_cpu_seconds=cpu_seconds) for count in counts]
    return Results({**FACTS, **facts}, {(OURS, "server_stream"): rounds, ("another", "server_stream"): rounds})


def test_what_was_written_is_read(tmp_path: Path) -> None:
    latencies = Sample("unary", 7, 0.5, {"p50": 1.5, "p99": 3.5}, 0.25, 0.75, 1000, 2000)
    written = Results(FACTS, {(OURS, "unary"): [latencies, latencies], ("another", "unary"): [latencies]})
    write(tmp_path / "new" / "raw.json", written)
    assert read(tmp_path / "new" / "raw.json") == written


@pytest.mark.parametrize(
    ("after", "higher"),
    [((11, 12), "better"), ((10, 12), ""), ((6, 12), ""), ((5, 8), ""), ((7, 9), ""), ((4, 7), ""), ((3, 4), "worse")],
)
def test_only_rounds_that_do_not_meet_differ(after: tuple[int, int], higher: str) -> None:
    before, later = Spread(8, 5, 10), Spread(8, *after)
    assert verdict(Better.HIGHER, before, later) == higher
    assert verdict(Better.LOWER, before, later) == {"better": "worse", "worse": "better", "": ""}[higher]


def test_two_files_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "before.json", tmp_path / "after.json"]
    write(paths[0], results([90, 100, 110], cpu_seconds=0.2))
    write(paths[1], results([111, 150, 200], cpu_seconds=0.6, commit="def", cores=4))
    assert main(list(map(str, paths))) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "before: today (abc), load 0.25",
        "after: today (def), load 0.25",
        "differs: cores: 2, then 4",
        "",
        "before (range) after (range) after / before CPU after / before",
        "",
        "server stream: msg/s, higher is better",
        "penstock 100 (90 - 110) 150 (111 - 200) 1.500 better 2.000",
        "another 100 (90 - 110) 150 (111 - 200) 1.500 better 2.000",
    ]


def test_a_scenario_that_only_one_file_has_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "before.json", results([1]))
    write(tmp_path / "after.json", Results(FACTS, {(OURS, "client_stream"): [Sample("client_stream", 1, 1.0)]}))
    assert main([str(tmp_path / "before.json"), str(tmp_path / "after.json")]) == 0
    assert "higher" not in capsys.readouterr().out


def test_what_is_made_of_something_else_is_said() -> None:
    after = results([1], tls=True, packages={"grpcio": "2", "uvloop": "3"})
    assert list(differences(results([1], tls=False), after)) == [
        "tls: False, then True",
        "grpcio: 1, then 2",
        "uvloop: not there, then 3",
    ]


@pytest.mark.parametrize("content", [None, "", "[]", "{}", json.dumps({"samples": {"a": {"b": [{"x": 1}]}}})])
def test_what_is_no_file_of_results_is_an_error(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.json"
    if content is not None:
        path.write_text(content)
    assert main([str(path), str(path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
