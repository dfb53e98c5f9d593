"""Messages there and back: what is sent when, and what counts."""

from benchmarks.load import trips
from tests.unit.benchmarks.load.fakes import FakeClient


async def test_the_maximum_counts_trips_of_all_streams_after_the_warm_up() -> None:
    client = FakeClient()
    found = await trips.maximum(client, streams=4, connections=2, seconds=0.02)
    assert client.connections == [0, 1, 0, 1]
    assert client.trips[:4] == [0, 1, 2, 3]  # each has had one before it begins
    assert 0 < found.count < len(client.trips)
    assert found.rate == found.count / found.seconds
    assert set(client.trips) == {0, 1, 2, 3}


async def test_a_schedule_sends_every_message_on_the_stream_it_is_meant_for() -> None:
    client = FakeClient(answers_after=25)
    found = await trips.steady(client, streams=3, connections=1, seconds=0.02, rate=1_000)
    assert client.posted == [number % 3 for number in range(25)]
    assert found.count == 20  # the first 5 were the warm-up
    assert found.section == "steady"


async def test_latency_runs_from_when_a_message_was_meant_to_go() -> None:
    # All are answered when the last was posted, so the first measured one waits at least for the 19 after it.
    client = FakeClient(answers_after=25)
    found = await trips.steady(client, streams=3, connections=1, seconds=0.02, rate=1_000)
    assert found.latency_us["most"] >= 19_000
    assert found.latency_us["p50"] >= 9_000


async def test_a_loader_that_is_late_leaves_nothing_out() -> None:
    client = FakeClient(answers_after=1_250)
    found = await trips.steady(client, streams=10, connections=1, seconds=0.001, rate=1_000_000)
    assert len(client.posted) == 1_250
    assert found.count == 1_000
