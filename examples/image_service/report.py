"""The tables that people read."""

from collections.abc import Iterator, Sequence
from statistics import median

from examples.image_service.comparison import Figures, Results, Row
from examples.leak.report import table

PROMISED = 0.3
"""What is not image work, on a stream of ours, is to be at most this part of what it is in calls to grpcio."""

OURS = Row("Penstock", "stream")
THEIRS = [Row("grpcio, threads", "unary"), Row("grpcio, asyncio", "unary")]


def one_by_one(results: Results) -> Iterator[str]:
    """Tell what a picture took, and how much of it was image work."""
    head = ("a picture, in ms", "whole", "image work", "everything else", "(range)")
    yield from table(
        head,
        [
            (
                str(row),
                f"{median(figures.whole_ms for figures in rounds):.1f}",
                f"{median(figures.image_ms for figures in rounds):.1f}",
                f"{median(figures.other_ms for figures in rounds):.2f}",
                _range([figures.other_ms for figures in rounds]),
            )
            for row, rounds in results.items()
        ],
    )
    ratios = other_ratios(results)
    verdict = "as promised" if median(ratios) <= PROMISED else "MISSED"
    yield (
        f"  Everything else, a stream of Penstock / calls to grpcio: {median(ratios):.2f} ({_range(ratios)});"
        f" promised at most {PROMISED}: {verdict}"
    )


def several_at_once(results: Results) -> Iterator[str]:
    """Tell how many pictures come back in a second, and how many are worked on at any time."""
    head = ("several pictures at once", "pictures/s", "(range)", "worked on at once")
    yield from table(
        head,
        [
            (
                str(row),
                f"{median(_rates(rounds)):.2f}",
                _range(_rates(rounds)),
                f"{median(figures.image_ms / figures.whole_ms for figures in rounds):.2f}",
            )
            for row, rounds in results.items()
        ],
    )


def other_ratios(results: Results) -> list[float]:
    """Give what is not image work, ours by the better one of theirs, for each round."""
    theirs = min((results[row] for row in THEIRS), key=lambda rounds: median(figures.other_ms for figures in rounds))
    return [ours.other_ms / their.other_ms for ours, their in zip(results[OURS], theirs, strict=True)]


def _rates(rounds: Sequence[Figures]) -> list[float]:
    return [1000 / figures.whole_ms for figures in rounds]


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f}-{max(values):.2f}"
