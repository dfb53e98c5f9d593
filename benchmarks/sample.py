"""What a client program measures and prints."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Sample", "percentile", "summary"]


@dataclass(frozen=True)
class Sample:
    """One measurement, as a client program prints it."""

    scenario: str
    count: int
    """Messages (both ways: in each direction), round trips, calls or deliveries."""
    seconds: float
    latency_us: Mapping[str, float] = field(default_factory=dict)
    """Of one round trip or call, in microseconds: "p50", "p90" and "p99". Empty where only the rate counts."""
    client_cpu_seconds: float = 0.0
    """Of the client's process, all its threads, user and system, while it measured. 0: not known, here and below."""
    server_cpu_seconds: float = 0.0
    client_rss_bytes: int = 0
    """Memory of the process that was in the machine's, when the measurement was over."""
    server_rss_bytes: int = 0

    @property
    def cpu_seconds_per_million(self) -> float:
        """What a million messages cost both sides together."""
        return (self.client_cpu_seconds + self.server_cpu_seconds) / self.count * 1e6


def summary(latencies: Sequence[float]) -> dict[str, float]:
    """Reduce latencies in seconds to what a sample says of them."""
    if not latencies:
        return {}
    ordered = sorted(latencies)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    return {name: percentile(ordered, share) * 1e6 for name, share in shares.items()}


def percentile(ordered: Sequence[float], share: float) -> float:
    """Give the value that `share` of the ordered values do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
