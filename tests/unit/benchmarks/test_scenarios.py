import pytest

from benchmarks.sample import Sample
from benchmarks.scenarios import SCENARIOS, named
from benchmarks.work import TEXT

MEDIUM, LARGE, BLOBS = {"grpcio_aio": 20, "grpc_go": 1}, {"grpcio_aio": 5, "grpc_go": 1}, {"grpcio_aio": 1.6}
PROMISES = {
    "server_stream": {"grpcio_aio": 70, "grpc_go": 1.4, "bare_engine": 0.85},
    "client_stream": {"grpcio_aio": 70, "grpc_go": 1.4, "bare_engine": 0.85},
    "both_stream": {"grpcio_aio": 80, "grpc_go": 1.5, "bare_engine": 0.85},
    "raw_server_stream": {"grpcio_aio": 200, "grpc_go": 4, "tonic": 0.35},
    "raw_client_stream": {"grpcio_aio": 200, "grpc_go": 4, "tonic": 0.35},
    **{f"{kind}_stream_1kib": MEDIUM for kind in ("server", "client", "both")},
    **{f"{kind}_stream_16kib": LARGE for kind in ("server", "client", "both")},
    "ping_pong": {"grpcio_aio": 0.4, "grpc_go": 1.3, "raw_asyncio": 1.2},
    "unary": {"grpcio_aio": 0.22, "grpc_go": 1.2, "raw_asyncio": 1.4},
    "unary_64": {"grpcio_aio": 9, "grpc_go": 0.9, "tonic": 0.75},
    "blobs_64kib": BLOBS | {"grpc_go": 1.5, "tonic": 1.2},
    "blobs_1mib": BLOBS | {"grpc_go": 1.5, "tonic": 1.2},
    "broadcast_1000": {"grpcio_aio": 20, "grpc_go": 1, "bare_engine": 0.9},
}


def test_what_is_promised() -> None:
    found = {one.name: {target.peer: target.ratio for target in one.rows[0].targets} for one in SCENARIOS}
    assert found == PROMISES
    assert not any(row.targets for one in SCENARIOS for row in one.rows[1:])


def test_small_messages_are_32_bytes() -> None:
    assert len(TEXT.encode()) == 32


@pytest.mark.parametrize(
    ("name", "value"),
    [("server_stream", 50.0), ("unary_64", 50.0), ("blobs_64kib", 3.2768), ("blobs_1mib", 104.8576 / 2)],
)
def test_rates_are_per_second(name: str, value: float) -> None:
    (row,) = named([name])[0].rows
    assert row.value(Sample(name, count=100, seconds=2.0)) == pytest.approx(value)


def test_scenarios_are_named_in_the_order_of_the_table() -> None:
    assert [one.name for one in named(["unary", "server_stream", "unary"])] == ["server_stream", "unary"]
    with pytest.raises(KeyError):
        named(["unknown"])
