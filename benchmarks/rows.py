"""Rows of the table: what a measurement is worth, and which ratios are promised."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from benchmarks.sample import Sample

__all__ = ["Better", "Row", "Target", "latency", "rate", "throughput"]


class Better(Enum):
    """Which of two values is the better one."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Target:
    """A promise: our value divided by that peer's, at least this (at most, where lower is better)."""

    peer: str
    ratio: float

    def is_met(self, ratio: float, better: Better) -> bool:
        """Say whether a measured ratio keeps the promise."""
        return ratio >= self.ratio if better is Better.HIGHER else ratio <= self.ratio


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    title: str
    unit: str
    better: Better
    value: Callable[[Sample], float]
    """From a measurement to the figure in `unit`."""
    targets: Sequence[Target] = ()

    def target(self, peer: str) -> Target | None:
        """Give what is promised about a peer."""
        return next((target for target in self.targets if target.peer == peer), None)


def rate(title: str, unit: str, *targets: Target) -> Sequence[Row]:
    """Count what is done in a second."""
    return [Row(title, unit, Better.HIGHER, lambda sample: sample.count / sample.seconds, targets)]


def latency(title: str, *targets: Target) -> Sequence[Row]:
    """Show the median, about which the promises are, and the slowest hundredth."""
    return [
        Row(f"{title}, p50", "us", Better.LOWER, lambda sample: sample.latency_us["p50"], targets),
        Row(f"{title}, p99", "us", Better.LOWER, lambda sample: sample.latency_us["p99"]),
    ]


def throughput(title: str, blob_bytes: int, *targets: Target) -> Sequence[Row]:
    """Count the payload of a second, in 10^6 bytes."""
    return [Row(title, "MB/s", Better.HIGHER, lambda sample: sample.count * blob_bytes / 1e6 / sample.seconds, targets)]
