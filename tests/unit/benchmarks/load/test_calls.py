"""Calls beside busy streams."""

import pytest

from benchmarks.load import calls
from tests.unit.benchmarks.load.fakes import FakeClient


async def test_calls_and_the_messages_of_each_kind_are_counted() -> None:
    client = FakeClient()
    found = await calls.beside(client, streams=5, seconds=0.02)
    assert 0 < found.count < client.calls
    assert (found.small.streams, found.large.streams) == (3, 2)
    assert found.small.count > found.large.count > 0
    assert found.small.fairness == pytest.approx(1.0, abs=0.1)
    assert set(found.latency_us) == {"p50", "p90", "p99", "most"}


async def test_a_stream_that_ends_is_a_failure() -> None:
    client = FakeClient()
    client.ends_early = True
    with pytest.raises(RuntimeError, match="a stream ended"):
        await calls.beside(client, streams=2, seconds=0.01)
