"""What a side has seen: how its calls ended, line by line and way by way, and what was wrong."""

from collections import Counter
from typing import Any

from penstock import End, StatusCode
from tests.stress.soak.plan import Plan

MOST_TOLD = 20
"""Of what was wrong; all of it is counted."""


class Tally:
    """Counts."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str, str, str]] = Counter()
        """By line, way, end and status."""
        self.wrong = 0
        self.told: list[str] = []

    def add(self, plan: Plan, end: End, code: StatusCode | None) -> None:
        """Count a call that ended rightly, or otherwise."""
        self.calls[plan.line, plan.way.name, end.name, "" if code is None else code.name] += 1

    def complain(self, plan: Plan | None, what: str) -> None:
        """Count what was wrong, and keep some of it."""
        self.wrong += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(f"{what}: {plan}")

    def report(self) -> dict[str, Any]:
        """All of it as JSON can say it."""
        calls = [[*key, count] for key, count in self.calls.items()]
        return {"calls": calls, "wrong": self.wrong, "told": self.told}


def outcome(end: End | None, code: StatusCode | None) -> str:
    """Say how a call ended, for people."""
    return f"{end.name if end else None}, {code.name if code is not None else None}"
