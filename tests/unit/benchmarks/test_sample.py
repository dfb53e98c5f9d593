import pytest

from benchmarks.sample import Sample, percentile, summary


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.75, 3), (0.76, 4), (1.0, 4)])
def test_a_percentile_is_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], share) == value


def test_without_latencies_nothing_is_said_of_them() -> None:
    assert summary([]) == {}
    assert summary([3e-6, 1e-6, 2e-6]) == pytest.approx({"p50": 2, "p90": 3, "p99": 3})


def test_cpu_time_is_that_of_both_sides_for_a_million_messages() -> None:
    sample = Sample("any", count=500, seconds=1.0, client_cpu_seconds=0.5, server_cpu_seconds=1.5)
    assert sample.cpu_seconds_per_million == 4000
