from pathlib import Path

import pytest

from benchmarks.peers import OURS, Peer
from benchmarks.report import Samples, Spread, compare, promise, summary, table
from benchmarks.rows import Better, Row, Target
from benchmarks.sample import Sample
from tests.unit.benchmarks.samples import peer, rate_row, sample, scenario

TARGET = Target("other", 50)
PEERS = [peer(OURS, "ours"), peer("other", "theirs")]


def samples(ours: list[int], theirs: list[int]) -> Samples:
    return {(OURS, "things"): [sample(one) for one in ours], ("other", "things"): [sample(one) for one in theirs]}


def lines(row: Row, peers: list[Peer], found: Samples) -> list[str]:
    """Give what the table says below its head, single spaces between words."""
    head, blank, *rest = table([scenario(row)], peers, found).splitlines()
    assert " ".join(head.split()) == ("median (range) CPU s per million client MiB server MiB we are (range) promised")
    assert not blank
    return [" ".join(line.split()) for line in rest]


def test_a_ratio_is_that_of_the_medians_and_its_range_that_of_the_rounds() -> None:
    ours, theirs = samples([10, 20, 90], [1, 10, 3]).values()
    found = compare(rate_row(), "other", ours, theirs)
    assert found.ratio == 20 / 3
    assert found.rounds == Spread(median=10, least=2, most=30)


@pytest.mark.parametrize(("count", "verdict"), [(499, "MISSED"), (500, "ok"), (501, "ok")])
def test_a_promise_where_higher_is_better_is_a_least_ratio(count: int, verdict: str) -> None:
    row = rate_row(TARGET)
    found = compare(row, "other", [sample(count)], [sample(10)])
    assert (found.verdict, promise(row, "other")) == (verdict, ">= 50x")


@pytest.mark.parametrize(("count", "verdict"), [(54, "ok"), (55, "ok"), (56, "MISSED")])
def test_a_promise_where_lower_is_better_is_a_greatest_ratio(count: int, verdict: str) -> None:
    row = rate_row(Target("other", 0.55), better=Better.LOWER)
    found = compare(row, "other", [sample(count)], [sample(100)])
    assert (found.verdict, promise(row, "other")) == (verdict, "<= 0.55x")


@pytest.mark.parametrize("targets", [[], [Target("a third one", 50)]])
def test_without_a_promise_about_the_peer_there_is_no_verdict(targets: list[Target]) -> None:
    row = rate_row(*targets)
    assert (compare(row, "other", [sample(1)], [sample(100)]).verdict, promise(row, "other")) == ("", "")


def test_each_promise_of_a_row_is_about_a_peer_of_its_own() -> None:
    row = rate_row(TARGET, Target("third", 2))
    found = {**samples([100], [1]), ("third", "things"): [sample(60)]}
    assert lines(row, [*PEERS, peer("third")], found) == [
        "things: 1/s, higher is better",
        "ours 100 (100 - 100)",
        "theirs 1 (1 - 1) 100.00x (100.00 - 100.00) >= 50x ok",
        "third 60 (60 - 60) 1.67x (1.67 - 1.67) >= 2x MISSED",
    ]


def test_a_line_has_median_and_range() -> None:
    found = lines(rate_row(TARGET), PEERS, samples([900, 1000, 123_456], [9999, 10_000, 20_000]))
    assert found[1:] == [
        "ours 1,000 (900 - 123.5k)",
        "theirs 10.0k (9,999 - 20.0k) 0.10x (0.09 - 6.17) >= 50x MISSED",
    ]


def test_a_line_has_what_was_used() -> None:
    used = Sample("things", 2_000_000, 1.0, {}, 1.5, 2.5, 50 * 1024**2, 60 * 1024**2)
    assert lines(rate_row(), PEERS[:1], {(OURS, "things"): [used]})[1] == "ours 2,000.0k (2,000.0k - 2,000.0k) 2 50 60"


def test_peers_that_were_not_run_are_said(tmp_path: Path) -> None:
    unbuilt = Peer("unbuilt", "unbuilt one", [], [], make="it", made=tmp_path / "it")
    unable = Peer("unable", "unable one", [], [], scenarios=["others"])
    row = rate_row(Target("unbuilt", 2), Target("unable", 3), Target("unknown", 4))
    assert lines(row, [PEERS[0], unbuilt, unable, peer("idle")], samples([1], [1]))[2:] == [
        "unbuilt one not built: make it >= 2x",
        "unable one does not do this >= 3x",
        "idle not run",
        "unknown not run >= 4x",
    ]


def test_a_peer_that_does_not_do_something_is_left_out_where_nothing_is_promised() -> None:
    unable = Peer("unable", "unable one", [], [], scenarios=["others"])
    assert len(lines(rate_row(), [PEERS[0], unable], samples([1], [1]))) == 2


def test_a_peer_is_there_once_it_is_made(tmp_path: Path) -> None:
    one = Peer("one", "one", [], [], make="it", made=tmp_path / "it")
    assert one.why_missing == "not built: make it"
    (tmp_path / "it").touch()
    assert not one.why_missing


def test_the_table_without_us_has_no_ratio() -> None:
    both = {("other", "things"): [sample(1)], ("third", "things"): [sample(1)]}
    assert lines(rate_row(), [PEERS[1], peer("third")], both)[1:] == ["theirs 1 (1 - 1)", "third 1 (1 - 1)"]


def test_the_summary_counts_promises_and_names_those_that_are_not_kept() -> None:
    row = rate_row(TARGET, Target("third", 2), Target("fourth", 3), Target("fifth", 4))
    found = {**samples([100], [1]), ("third", "things"): [sample(60)]}
    assert summary([scenario(row)], found).splitlines() == [
        "1 of 4 promises kept, 1 missed, 2 not measured",
        "  missed: things / third: 1.67x, >= 2x promised",
        "  not measured: things / fourth, things / fifth",
    ]
    assert summary([scenario(rate_row(TARGET))], found) == "1 of 1 promises kept, 0 missed, 0 not measured"
    assert summary([scenario(rate_row())], found) == "0 of 0 promises kept, 0 missed, 0 not measured"
