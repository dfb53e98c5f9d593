"""What loaders and starters print: one line of JSON, in every language. README.md says what each figure is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.sample import percentile

__all__ = ["Beside", "Crowd", "Start", "Trips", "microseconds"]


@dataclass(frozen=True)
class Trips:
    """Of the sections `maximum` and `steady`."""

    section: str
    streams: int
    connections: int
    seconds: float
    count: int
    rate: float
    latency_us: Mapping[str, float]
    late_us: Mapping[str, float]
    client_cpu_seconds: float
    server_cpu_seconds: float

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU that a message there and back took, both sides together."""
        return (self.client_cpu_seconds + self.server_cpu_seconds) / self.count * 1e6


@dataclass(frozen=True)
class Crowd:
    """Messages of all streams of one kind."""

    streams: int
    count: int
    least: int
    most: int

    @classmethod
    def of(cls, counts: Sequence[int]) -> "Crowd":
        """Sum up the messages of each stream."""
        return cls(len(counts), sum(counts), min(counts, default=0), max(counts, default=0))

    @property
    def fairness(self) -> float:
        """What the stream that got least got, beside the mean: 1 is fair."""
        return self.least * self.streams / self.count if self.count else 0.0


@dataclass(frozen=True)
class Beside:
    """Of the section `beside`."""

    section: str
    streams: int
    seconds: float
    count: int
    latency_us: Mapping[str, float]
    small: Crowd
    large: Crowd
    client_cpu_seconds: float
    server_cpu_seconds: float


@dataclass(frozen=True)
class Start:
    """Of a starter."""

    section: str
    import_seconds: float
    generated_seconds: float
    first_message_seconds: float
    cpu_seconds: float
    process_seconds: float = 0.0
    """From before its process was there until it had ended: the runner adds it."""


def microseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Sum up latencies."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "most": 1.0}
    return {name: percentile(ordered, share) * 1e6 for name, share in shares.items()}
