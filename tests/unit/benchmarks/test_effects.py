from pathlib import Path

from benchmarks.peers.grpc_go.effects import AS_IT_IS, compared, row, variant
from benchmarks.sample import Sample


def sample(cpu_seconds: float, seconds: float) -> Sample:
    return Sample("unary", 1_000, seconds, client_cpu_seconds=cpu_seconds / 2, server_cpu_seconds=cpu_seconds / 2)


def test_settings_go_in_one_variable_and_those_of_the_runtime_in_their_own() -> None:
    peer = variant("no_retry=1,GOGC=400,stream_workers=2", Path("/programs"))
    assert peer.server == ["env", "BENCH_GRPC_GO=no_retry=1,stream_workers=2", "GOGC=400", "/programs/server"]
    assert peer.client == [*peer.server[:-1], "/programs/client"]


def test_as_it_is_nothing_is_set() -> None:
    assert variant(AS_IT_IS, Path("/programs")).server == ["env", "/programs/server"]


def test_ratios_are_of_the_lower_quartiles_and_of_each_round() -> None:
    assert compared([2.0, 2.0, 2.0, 2.0, 8.0], [4.0, 4.0, 4.0, 4.0, 4.0]) == "0.50, 0.50 (0.50-0.50)"
    assert compared([3.0], [4.0]) == "0.75, 0.75 (0.75-0.75)"


def test_a_row_compares_cpu_and_time_per_unit() -> None:
    rounds = [{"x=1": {"unary": sample(1.0, 3.0)}, AS_IT_IS: {"unary": sample(2.0, 2.0)}}]
    assert row("x=1", "unary", rounds).split()[:5] == ["x=1", "unary", "CPU", "0.50,", "0.50"]
    assert "time 1.50, 1.50" in row("x=1", "unary", rounds)
