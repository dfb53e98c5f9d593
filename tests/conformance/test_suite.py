"""What is made of the words of connectconformance."""

import pytest

from tests.conformance.suite import Report, read

CLEAN = """\
Computed 10 config case permutations.
Computed 12 test case permutation(s) across 2 server configuration(s).
Total cases: 12
12 passed, 0 failed
"""


def test_a_clean_run_is_one_in_which_every_case_was_run_and_passed() -> None:
    report = read(CLEAN, 0)
    assert report == Report(exit_code=0, planned=12, run=12, passed=12, failed=0, expected_failures=0)
    assert report.is_clean
    assert str(report) == "12 run, 12 passed, 0 failed, 0 known to fail, 0 skipped"


@pytest.mark.parametrize(
    ("output", "exit_code", "text"),
    [
        (CLEAN, 1, "12 run, 12 passed, 0 failed, 0 known to fail, 0 skipped"),
        (
            CLEAN.replace("12 passed, 0 failed", "11 passed, 1 failed"),
            1,
            "12 run, 11 passed, 1 failed, 0 known to fail, 0 skipped",
        ),
        (
            CLEAN.replace("12 passed, 0", "11 passed, 0")
            + "(Another 1 failed as expected due to being known failures/flakes.)\n",
            0,
            "12 run, 11 passed, 0 failed, 1 known to fail, 0 skipped",
        ),
        (
            CLEAN.replace("12 passed", "10 passed").replace("cases: 12", "cases: 10"),
            0,
            "10 run, 10 passed, 0 failed, 0 known to fail, 2 skipped",
        ),
        ("connectconformance: no such file\n", 1, "0 run, 0 passed, 0 failed, 0 known to fail, 0 skipped"),
        ("", 0, "0 run, 0 passed, 0 failed, 0 known to fail, 0 skipped"),
    ],
    ids=["error", "failure", "known failure", "left out", "never began", "nothing"],
)
def test_any_other_run_is_not_clean(output: str, exit_code: int, text: str) -> None:
    report = read(output, exit_code)
    assert not report.is_clean
    assert str(report) == text
