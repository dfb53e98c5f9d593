"""How many cases were run, told at the end: what `make http2` is about."""

import pytest

FILES = {
    "test_negative_cases.py": "negative cases against our client",
    "test_hostile_server.py": "negative cases against grpc-go's client",
    "test_strange_data.py": "their DATA against our server",
}
"""Where each test is a case."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell."""
    for file, what in FILES.items():
        passed, failed, skipped = (_count(terminalreporter, file, kind) for kind in ("passed", "failed", "skipped"))
        if run := passed + failed + skipped:
            terminalreporter.write_line(f"{what}: {run} run, {passed} passed, {failed} failed, {skipped} skipped")


def _count(terminalreporter: pytest.TerminalReporter, file: str, kind: str) -> int:
    return sum(f"http2/{file}::" in report.nodeid for report in terminalreporter.stats.get(kind, []))
