"""What came of each case with each pair, as a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from tests.interop.standard.cases import NOBODY_RUNS


class Outcome(Enum):
    """What can come of a case."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass
class Row:
    """One client with one server."""

    client: str
    server: str
    security: str
    seconds: float = 0.0
    outcomes: dict[str, tuple[Outcome, str]] = field(default_factory=dict)
    """Of each case, with the reason where it was not passed."""

    def count(self, wanted: Outcome) -> int:
        """Count the cases that ended so."""
        return sum(outcome == wanted for outcome, _ in self.outcomes.values())


HEAD = f"{'client':8}{'server':14}{'security':10}{'run':>5}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}"


def line(row: Row) -> str:
    """Give the line of one row."""
    return f"{row.client:8}{row.server:14}{row.security:10}{_counts([row])}{row.seconds:9.1f}"


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Give the lines behind the last row: the sums, and why something was skipped or failed."""
    yield f"{'all':32}{_counts(rows)}{sum(row.seconds for row in rows):9.1f}"
    yield ""
    yield from _reasons(rows, Outcome.SKIPPED)
    for case, why in NOBODY_RUNS.items():
        yield f"run by nobody: {case}: {why}"
    yield from failures(rows)


def failures(rows: Sequence[Row]) -> Iterator[str]:
    """Give a line for each reason why something failed."""
    return _reasons(rows, Outcome.FAILED)


def _counts(rows: Sequence[Row]) -> str:
    passed, failed, skipped = (
        sum(row.count(outcome) for row in rows) for outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED)
    )
    return f"{passed + failed:5}{passed:8}{failed:8}{skipped:9}"


def _reasons(rows: Sequence[Row], wanted: Outcome) -> Iterator[str]:
    """Give a line for each pair and reason; a skip has nothing to do with TLS, a failure may."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        pair = f"{row.client}-{row.server}" + ("" if wanted == Outcome.SKIPPED else f" {row.security}")
        for case, (outcome, why) in row.outcomes.items():
            if outcome == wanted:
                found.setdefault((pair, why), set()).add(case)
    for (pair, why), cases in found.items():
        yield f"{wanted.value}: {pair}: {', '.join(sorted(cases))}: {why}"
