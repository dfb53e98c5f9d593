"""All cases of connectconformance that fit our configuration, in both modes."""

import os
from collections.abc import Callable

import pytest

from tests.conformance import suite

# Seconds; the first run fetches and builds the suite.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    """Have the suite at hand."""
    try:
        suite.prepare()
    except suite.MissingGoError:
        absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        absent("needs Go to build connectconformance, and there is no `go` on the PATH")


@pytest.mark.parametrize(("mode", "cases"), [("server", 566), ("client", 634)])
def test_every_case_is_run_and_passes(mode: suite.Mode, cases: int, tell: Callable[[str], None]) -> None:
    lines: list[str] = []
    report = suite.run(mode, show=lines.append)
    tell(f"connectconformance: {report}")
    # Counted too: a suite that lost cases by a mistake in its configuration must not look green.
    expected = suite.Report(exit_code=0, planned=cases, run=cases, passed=cases, failed=0, expected_failures=0)
    assert report == expected, "\n".join(lines)
    assert not any("Traceback" in line for line in lines), "\n".join(lines)
