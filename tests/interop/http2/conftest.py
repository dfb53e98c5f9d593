"""How many cases were run, told at the end: what `make http2` is about."""

from collections.abc import Callable

import pytest

COUNTS = pytest.StashKey[list[str]]()

FILES = {
    "test_negative_cases.py": "negative cases against our client",
    "test_hostile_server.py": "negative cases against grpc-go's client",
    "test_strange_data.py": "their DATA against our server",
}
"""Where each test is a case."""


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keep a line for the end of the run; it begins with the parameters of the test."""
    lines = request.config.stash.setdefault(COUNTS, [])
    return lambda line: lines.append(f"{request.node.callspec.id}: {line}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell."""
    for line in terminalreporter.config.stash.get(COUNTS, []):
        terminalreporter.write_line(line)
    for file, what in FILES.items():
        passed, failed, skipped = (_count(terminalreporter, file, kind) for kind in ("passed", "failed", "skipped"))
        if run := passed + failed + skipped:
            terminalreporter.write_line(f"{what}: {run} run, {passed} passed, {failed} failed, {skipped} skipped")


def _count(terminalreporter: pytest.TerminalReporter, file: str, kind: str) -> int:
    return sum(f"http2/{file}::" in report.nodeid for report in terminalreporter.stats.get(kind, []))
