"""Rows of the tables: medians of rounds, ratios of ours to another's, and whether a promise is kept."""

from collections.abc import Sequence
from statistics import median

from benchmarks.report import Spread

__all__ = ["aligned", "ratio", "spread", "verdict"]


def spread(values: Sequence[float], unit: float = 1.0) -> str:
    """Give median and range, divided by a unit."""
    found = Spread.of([value / unit for value in values])
    return f"{_short(found.median)} ({_short(found.least)} - {_short(found.most)})"


def ratio(ours: Sequence[float], theirs: Sequence[float], most: float | None) -> list[str]:
    """Give our median by theirs with the range of the rounds, what is promised, and whether it is kept: three cells."""
    found = median(ours) / median(theirs)
    rounds = Spread.of([our / their for our, their in zip(ours, theirs, strict=True)])
    promise, kept = ("", "") if most is None else (f"<= {most:g}x", verdict(kept=found <= most))
    return [f"{found:.2f}x ({rounds.least:.2f} - {rounds.most:.2f})", promise, kept]


def verdict(*, kept: bool) -> str:
    """Say whether a promise is kept."""
    return "ok" if kept else "MISSED"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Give the lines with their cells below each other."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def _short(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:,.1f}k"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
