import pytest

from benchmarks.scenarios import SCENARIOS, Sample, named, percentile
from benchmarks.work import TEXT

KINDS = {"server_stream": 50, "client_stream": 50, "both_stream": 50, "ping_pong": 0.55, "unary": 0.55}
PROMISES = {**KINDS, "unary_64": 6, "blobs_1mib": 1}


def test_what_is_promised() -> None:
    found = {one.name: row.target.ratio for one in SCENARIOS for row in one.rows if row.target is not None}
    assert found == PROMISES


def test_small_messages_are_32_bytes() -> None:
    assert len(TEXT.encode()) == 32


@pytest.mark.parametrize(("name", "value"), [("server_stream", 50.0), ("unary_64", 50.0), ("blobs_1mib", 104.8576 / 2)])
def test_rates_are_per_second(name: str, value: float) -> None:
    (row,) = named([name])[0].rows
    assert row.value(Sample(name, count=100, seconds=2.0)) == pytest.approx(value)


def test_scenarios_are_named_in_the_order_of_the_table() -> None:
    assert [one.name for one in named(["unary", "server_stream", "unary"])] == ["server_stream", "unary"]
    with pytest.raises(KeyError):
        named(["unknown"])


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.75, 3), (0.76, 4), (1.0, 4)])
def test_a_percentile_is_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], share) == value
