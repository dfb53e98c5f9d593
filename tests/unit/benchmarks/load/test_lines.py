"""What loaders print."""

import pytest

from benchmarks.load.lines import Crowd, Trips, microseconds


def test_fairness_is_the_least_by_the_mean() -> None:
    assert Crowd.of([10, 20, 30]).fairness == 0.5
    assert Crowd.of([7, 7]).fairness == 1.0
    assert Crowd.of([0, 0]).fairness == 0.0
    assert Crowd.of([]) == Crowd(0, 0, 0, 0)


def test_latencies_are_nearest_ranks_in_microseconds() -> None:
    found = microseconds([number / 1e6 for number in range(100, 0, -1)])
    assert found == pytest.approx({"p50": 50, "p90": 90, "p99": 99, "most": 100})
    assert microseconds([]) == {}


def test_the_cost_of_a_message_is_that_of_both_sides() -> None:
    found = Trips("steady", 1, 1, 1.0, 1_000, 1_000.0, {}, {}, client_cpu_seconds=0.01, server_cpu_seconds=0.02)
    assert found.cpu_us == pytest.approx(30.0)
