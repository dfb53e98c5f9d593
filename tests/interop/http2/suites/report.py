"""What h2spec and h2specd print, read back.

Only h2spec can write a JUnit report; both print the same text:

    Hypertext Transfer Protocol Version 2 (HTTP/2)
      6. Frame Definitions
        6.9. WINDOW_UPDATE
          ✔ 1: Sends a WINDOW_UPDATE frame with a flow control window increment of 0
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

FAMILIES = {
    "Generic tests for HTTP/2 server": "generic",
    "Hypertext Transfer Protocol Version 2 (HTTP/2)": "http2",
    "HPACK: Header Compression for HTTP/2": "hpack",
    "Generic tests for HTTP/2 client": "client",
}
"""How the suites call their parts on their command lines."""

SECTION = re.compile(r" +([\d.]+)\. ")
CASE = re.compile(r" *([✔\N{MULTIPLICATION SIGN}])? *(\d+): (.+)")
SUMMARY = re.compile(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed")


class Verdict(Enum):
    """What became of a case; the values are the marks the suites print."""

    PASSED = "✔"
    FAILED = "\N{MULTIPLICATION SIGN}"
    SKIPPED = None


@dataclass
class Case:
    """One case of a suite."""

    number: str
    """Such as `http2/6.9/1`: what the suite itself takes for a name."""
    title: str
    verdict: Verdict
    details: list[str] = field(default_factory=list)
    """What was expected, what came."""


@dataclass(frozen=True)
class Report:
    """All cases of one run."""

    cases: list[Case]

    def __str__(self) -> str:
        passed, failed, skipped = (len(self.of(verdict)) for verdict in Verdict)
        return f"{len(self.cases)} run, {passed} passed, {failed} failed, {skipped} skipped"

    def of(self, verdict: Verdict) -> list[Case]:
        """Give the cases with this verdict."""
        return [case for case in self.cases if case.verdict is verdict]

    def complaints(self, excused: Mapping[str, str] = MappingProxyType({})) -> str:
        """Tell of every case that did not pass.

        Args:
            excused: Cases that may fail, each with what the suite may have seen then.
        """
        bad = [
            case
            for case in self.cases
            if case.verdict is not Verdict.PASSED
            and not (case.number in excused and f"Actual: {excused[case.number]}" in case.details)
        ]
        return "\n".join(
            "\n  ".join([f"{case.verdict.name} {case.number} {case.title}", *case.details]) for case in bad
        )


def read(printed: str) -> Report:
    """Read what a suite printed.

    Raises:
        ValueError: It did not come to its end, or counts other than what we read.
    """
    cases: list[Case] = []
    family = section = ""
    for line in printed.split("\n"):
        text = line.rpartition("\r")[2]  # a case prints its name, then its verdict over it
        if text.startswith(("Failures:", "Finished in")):
            break
        if text in FAMILIES:
            family = FAMILIES[text]
        elif found := SECTION.match(text):
            section = found[1]
        elif found := CASE.match(text):
            cases.append(Case(f"{family}/{section}/{found[2]}", found[3], Verdict(found[1])))
        elif text.strip() and cases:
            cases[-1].details.append(text.strip())
    report = Report(cases)
    summary = SUMMARY.search(printed)
    if summary is None:
        msg = f"the suite did not come to its end:\n{printed}"
        raise ValueError(msg)
    claimed = [len(cases), *(len(report.of(v)) for v in (Verdict.PASSED, Verdict.SKIPPED, Verdict.FAILED))]
    if [int(number) for number in summary.groups()] != claimed:
        msg = f"{summary[0]!r}, but read were: {report}"
        raise ValueError(msg)
    return report
