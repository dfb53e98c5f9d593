"""Memory of a process over the time of a soak: is it flat?"""

from dataclasses import dataclass, field

MIB = 2**20
WARM_UP = 1 / 3
"""The part of the time that is not judged: caches fill, allocators find their size."""
LEAST_SECONDS = 60.0
"""What is left of a shorter soak behind the warm-up says nothing."""
FLAT_MIB = 5.0
"""What the slope may add up to in the time that is judged, and the second half of it may lie above the first."""


@dataclass
class Memory:
    """Samples of one process."""

    name: str
    samples: list[tuple[float, int, int]] = field(default_factory=list)
    """Seconds, calls made until then, bytes."""

    def judged(self) -> list[tuple[float, int, int]]:
        """Give what comes after the warm-up."""
        if not self.samples:
            return []
        begin, end = self.samples[0][0], self.samples[-1][0]
        return [sample for sample in self.samples if sample[0] >= begin + WARM_UP * (end - begin)]

    @property
    def mib_per_minute(self) -> float:
        """Least squares over time."""
        return 60 * _slope([(seconds, rss) for seconds, _, rss in self.judged()]) / MIB

    @property
    def mib_per_100k_calls(self) -> float:
        """Least squares over calls."""
        return 100_000 * _slope([(calls, rss) for _, calls, rss in self.judged()]) / MIB

    @property
    def slope_mib(self) -> float:
        """What the slope adds up to in the time that is judged."""
        judged = self.judged()
        return self.mib_per_minute * (judged[-1][0] - judged[0][0]) / 60 if judged else 0.0

    @property
    def halves_mib(self) -> float:
        """How far the mean of the second half lies above that of the first."""
        sizes = [rss for _, _, rss in self.judged()]
        half = len(sizes) // 2
        if not half:
            return 0.0
        return (sum(sizes[-half:]) - sum(sizes[:half])) / half / MIB

    @property
    def is_flat(self) -> bool:
        """Both say so, or it was too short to say."""
        return not self.is_judged or (self.slope_mib < FLAT_MIB and self.halves_mib < FLAT_MIB)

    @property
    def is_judged(self) -> bool:
        """It was long enough."""
        judged = self.judged()
        return bool(judged) and judged[-1][0] - judged[0][0] >= LEAST_SECONDS

    def __str__(self) -> str:
        sizes = [rss / MIB for _, _, rss in self.judged()] or [0.0]
        verdict = ("flat" if self.is_flat else "NOT FLAT") if self.is_judged else "too short to be judged"
        return (
            f"{self.name}: {sizes[0]:.1f} to {sizes[-1]:.1f} MiB, at most {max(sizes):.1f}; "
            f"{self.mib_per_minute:+.2f} MiB a minute, {self.mib_per_100k_calls:+.2f} MiB in 100,000 calls; "
            f"second half {self.halves_mib:+.2f} MiB: {verdict}"
        )


def _slope(points: list[tuple[float, float]]) -> float:
    if len(points) < 2:
        return 0.0
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
