"""Memory of a process over the time of a soak: is it flat?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import median

MIB = 2**20
WARM_UP = 1 / 2
"""The part of the time that is not judged: caches fill, allocators find their size."""
LEAST_SECONDS = 45.0
"""What is left of a shorter soak behind the warm-up says nothing."""
FLAT_MIB = 5.0
"""What may come together in the time that is judged; allocators alone go up and down by as much as that."""
FLOORS = 12
"""So many parts the time that is judged has. Of each the lowest sample counts: calls under way come on top of it, and
allocators give back late; what is leaked is in every sample."""


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

    def floors(self) -> list[tuple[int, int]]:
        """Give the lowest sample of each part: calls made until then, bytes."""
        judged = self.judged()
        bounds = [len(judged) * number // FLOORS for number in range(FLOORS + 1)]
        parts = [judged[begin:end] for begin, end in pairwise(bounds) if end > begin]
        return [(calls, rss) for _, calls, rss in (min(part, key=lambda sample: sample[2]) for part in parts)]

    @property
    def judged_calls(self) -> int:
        """Calls made in that time."""
        judged = self.judged()
        return judged[-1][1] - judged[0][1] if judged else 0

    @property
    def mib_per_100k_calls(self) -> float:
        """By the slope that half of all pairs of floors exceed: a single step, or a peak, does not make it."""
        return 100_000 * _slope(self.floors()) / MIB

    @property
    def slope_mib(self) -> float:
        """What that adds up to in the calls that are judged."""
        return self.mib_per_100k_calls * self.judged_calls / 100_000

    @property
    def halves_mib(self) -> float:
        """How far the floors of the second half of that time lie above the first's: so it sees a step as well."""
        sizes = [rss for _, rss in self.floors()]
        half = len(sizes) // 2
        return (median(sizes[-half:]) - median(sizes[:half])) / MIB if half else 0.0

    @property
    def is_flat(self) -> bool:
        """Both say so, or it was too short to say."""
        return not self.is_judged or (self.slope_mib < FLAT_MIB and self.halves_mib < FLAT_MIB)

    @property
    def is_judged(self) -> bool:
        """It was long enough."""
        judged = self.judged()
        return bool(judged) and judged[-1][0] - judged[0][0] >= LEAST_SECONDS

    @property
    def least_leak_bytes(self) -> float:
        """What a call would have to leave behind to be found."""
        return FLAT_MIB * MIB / max(1, self.judged_calls)

    def __str__(self) -> str:
        sizes = [rss / MIB for _, _, rss in self.judged()] or [0.0]
        verdict = ("flat" if self.is_flat else "NOT FLAT") if self.is_judged else "too short to be judged"
        return (
            f"{self.name}: {sizes[0]:.1f} to {sizes[-1]:.1f} MiB in the last {self.judged_calls:,} calls, "
            f"at most {max(sizes):.1f}; slope {self.mib_per_100k_calls:+.2f} MiB in 100,000 calls; "
            f"second half of them {self.halves_mib:+.2f} MiB: {verdict} "
            f"(a leak of {self.least_leak_bytes:.0f} bytes a call would show)"
        )


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen's: the median of the slopes between any two points."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 != x1]
    return median(slopes) if slopes else 0.0
