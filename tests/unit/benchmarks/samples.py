"""Scenarios and samples to compute with."""

from benchmarks.peers import Peer
from benchmarks.rows import Better, Row, Target
from benchmarks.sample import Sample
from benchmarks.scenarios import Scenario

__all__ = ["peer", "rate_row", "sample", "scenario"]


async def _nothing(_client: object, _count: int) -> None:
    pass


def rate_row(*targets: Target, better: Better = Better.HIGHER) -> Row:
    """Give a row whose value is the count of a sample."""
    return Row("things", "1/s", better, lambda sample: sample.count, targets)


def scenario(row: Row) -> Scenario:
    """Give a scenario with this row that does nothing."""
    return Scenario("things", first_count=1, run=_nothing, rows=[row])


def sample(count: int) -> Sample:
    """Give a measurement of one second."""
    return Sample("things", count, 1.0)


def peer(name: str, title: str = "") -> Peer:
    """Give one without programs."""
    return Peer(name, title or name, [], [])
