import pytest

from benchmarks.peers import OURS, Peer
from benchmarks.report import Samples, Spread, compare, table
from benchmarks.scenarios import Better, Target
from tests.unit.benchmarks.samples import rate_row, sample, scenario

TARGET = Target("other", 50)
PEERS = [Peer(OURS, "ours", [], [], [], []), Peer("other", "theirs", [], [], [], [])]


def samples(ours: list[int], theirs: list[int]) -> Samples:
    return {(OURS, "things"): [sample(one) for one in ours], ("other", "things"): [sample(one) for one in theirs]}


def test_a_ratio_is_that_of_the_medians_and_its_range_that_of_the_rounds() -> None:
    ours, theirs = samples([10, 20, 90], [1, 10, 3]).values()
    found = compare(rate_row(), "other", ours, theirs)
    assert found.ratio == 20 / 3
    assert found.rounds == Spread(median=10, least=2, most=30)


@pytest.mark.parametrize(("count", "verdict"), [(499, "MISSED"), (500, "ok"), (501, "ok")])
def test_a_promise_where_higher_is_better_is_a_least_ratio(count: int, verdict: str) -> None:
    found = compare(rate_row(TARGET), "other", [sample(count)], [sample(10)])
    assert (found.verdict, found.promise) == (verdict, ">= 50x")


@pytest.mark.parametrize(("count", "verdict"), [(54, "ok"), (55, "ok"), (56, "MISSED")])
def test_a_promise_where_lower_is_better_is_a_greatest_ratio(count: int, verdict: str) -> None:
    row = rate_row(Target("other", 0.55), Better.LOWER)
    found = compare(row, "other", [sample(count)], [sample(100)])
    assert (found.verdict, found.promise) == (verdict, "<= 0.55x")


@pytest.mark.parametrize("target", [None, Target("a third one", 50)])
def test_without_a_promise_about_the_peer_there_is_no_verdict(target: Target | None) -> None:
    found = compare(rate_row(target), "other", [sample(1)], [sample(100)])
    assert (found.verdict, found.promise) == ("", "")


def test_the_table_has_values_ratio_and_promise_in_each_row() -> None:
    text = table([scenario(rate_row(TARGET))], PEERS, samples([900, 1000, 123_456], [9999, 10_000, 20_000]))
    head, row = text.splitlines()
    assert " ".join(head.split()) == "ours theirs ratio to theirs promised"
    assert " ".join(row.split()) == (
        "things 1/s 1,000 (900 - 123.5k) 10.0k (9,999 - 20.0k) 0.10x (0.09 - 6.17) >= 50x MISSED"
    )


def test_the_table_of_one_peer_has_no_ratio() -> None:
    for peer in PEERS:
        head, _ = table([scenario(rate_row(TARGET))], [peer], samples([1], [1])).splitlines()
        assert head.split() == [peer.title]


def test_the_table_without_us_has_no_ratio() -> None:
    third = Peer("third", "third", [], [], [], [])
    both = {**samples([1], [1]), ("third", "things"): [sample(1)]}
    assert "ratio" not in table([scenario(rate_row(TARGET))], [PEERS[1], third], both)
