"""What is measured: the work of each scenario, the rows it fills, and the ratios that are promised.

A new scenario is an entry of SCENARIOS here, and what `Client` lacks for it in every peer.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from time import perf_counter
from typing import Protocol

from benchmarks.work import CONCURRENT_CALLS

__all__ = ["SCENARIOS", "Better", "Client", "Row", "Sample", "Scenario", "Target", "named"]

KIB = 1024
MIB = 1024 * KIB


class Client(Protocol):
    """One peer's client: each method does the whole work, checks every message, and raises if one is wrong."""

    async def unary(self) -> None:
        """Make one call: a text there, the same text back."""

    async def server_stream(self, count: int) -> None:
        """Receive `count` texts on one stream."""

    async def client_stream(self, count: int) -> None:
        """Send `count` texts on one stream; the server answers how many came."""

    async def both_stream(self, count: int) -> None:
        """Send `count` texts on one stream without waiting, and receive each back meanwhile."""

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Send a text on one stream and wait for it, `count` times; returns the seconds of each round trip."""

    async def blobs(self, count: int, blob_bytes: int) -> None:
        """Receive `count` blobs of this size on one stream."""


@dataclass(frozen=True)
class Sample:
    """One measurement, as a client program prints it."""

    scenario: str
    count: int
    """Messages (both ways: in each direction), round trips or calls."""
    seconds: float
    latency_us: Mapping[str, float] = field(default_factory=dict)
    """Of one round trip or call, in microseconds: "p50", "p90" and "p99". Empty where only the rate counts."""


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
    target: Target | None = None


@dataclass(frozen=True)
class Scenario:
    """Something to measure."""

    name: str
    first_count: int
    """Of the first run, which only warms up; later runs are longer, see `benchmarks.measure`."""
    run: Callable[[Client, int], Awaitable[Sequence[float] | None]]
    """Does the work `count` times; returns seconds of each, where latency counts."""
    rows: Sequence[Row]


def _per_second(sample: Sample) -> float:
    return sample.count / sample.seconds


def _megabytes_per_second(blob_bytes: int) -> Callable[[Sample], float]:
    return lambda sample: sample.count * blob_bytes / 1e6 / sample.seconds


def _percentile(name: str) -> Callable[[Sample], float]:
    return lambda sample: sample.latency_us[name]


def _grpcio(ratio: float) -> Target:
    return Target("grpcio_aio", ratio)


def _rate(title: str, unit: str, target: Target) -> Sequence[Row]:
    return [Row(title, unit, Better.HIGHER, _per_second, target)]


def _latency(title: str, target: Target) -> Sequence[Row]:
    return [
        Row(f"{title}, p50", "us", Better.LOWER, _percentile("p50"), target),
        Row(f"{title}, p99", "us", Better.LOWER, _percentile("p99")),
    ]


def _throughput(title: str, blob_bytes: int, target: Target | None = None) -> Sequence[Row]:
    return [Row(title, "MB/s", Better.HIGHER, _megabytes_per_second(blob_bytes), target)]


async def _one_after_another(client: Client, count: int) -> Sequence[float]:
    latencies = []
    for _ in range(count):
        started = perf_counter()
        await client.unary()
        latencies.append(perf_counter() - started)
    return latencies


async def _at_once(client: Client, count: int) -> None:
    async def caller(calls: int) -> None:
        for _ in range(calls):
            await client.unary()

    share, rest = divmod(count, CONCURRENT_CALLS)
    await asyncio.gather(*[caller(share + (number < rest)) for number in range(CONCURRENT_CALLS)])


SCENARIOS: Sequence[Scenario] = [
    Scenario(
        "server_stream",
        first_count=2_000,
        run=lambda client, count: client.server_stream(count),
        rows=_rate("server stream", "msg/s", _grpcio(50)),
    ),
    Scenario(
        "client_stream",
        first_count=2_000,
        run=lambda client, count: client.client_stream(count),
        rows=_rate("client stream", "msg/s", _grpcio(50)),
    ),
    Scenario(
        "both_stream",
        first_count=2_000,
        run=lambda client, count: client.both_stream(count),
        rows=_rate("both ways, each", "msg/s", _grpcio(50)),
    ),
    Scenario(
        "ping_pong",
        first_count=500,
        run=lambda client, count: client.ping_pong(count),
        rows=_latency("ping-pong", _grpcio(0.55)),
    ),
    Scenario(
        "unary",
        first_count=300,
        run=_one_after_another,
        rows=_latency("unary, one after another", _grpcio(0.55)),
    ),
    Scenario(
        "unary_64",
        first_count=20 * CONCURRENT_CALLS,
        run=_at_once,
        rows=_rate(f"unary, {CONCURRENT_CALLS} at once", "calls/s", _grpcio(6)),
    ),
    Scenario(
        "blobs_1mib",
        first_count=64,
        run=lambda client, count: client.blobs(count, MIB),
        rows=_throughput("1 MiB messages", MIB, _grpcio(1.0)),
    ),
    Scenario(
        "blobs_64kib",
        first_count=512,
        run=lambda client, count: client.blobs(count, 64 * KIB),
        rows=_throughput("64 KiB messages", 64 * KIB),
    ),
]


def named(names: Sequence[str]) -> Sequence[Scenario]:
    """Give the scenarios with these names, in the order of the table.

    Raises:
        KeyError: There is none of that name.
    """
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    wanted = {by_name[name].name for name in names}
    return [scenario for scenario in SCENARIOS if scenario.name in wanted]


def percentile(ordered: Sequence[float], share: float) -> float:
    """Give the value that `share` of the ordered values do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
