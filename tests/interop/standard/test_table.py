"""The table of `make interop` counts every case, and says why one was skipped or failed."""

from tests.interop.standard import table
from tests.interop.standard.table import Outcome, Row

PLAIN = Row("ours", "go", "plain", 1.25, {"a": (Outcome.PASSED, ""), "b": (Outcome.SKIPPED, "go has no b")})
TLS = Row("ours", "go", "tls", 2.0, {"a": (Outcome.FAILED, "it broke"), "b": (Outcome.SKIPPED, "go has no b")})


def test_a_row_has_its_counts() -> None:
    assert table.line(PLAIN).split() == ["ours", "go", "plain", "1", "1", "0", "1", "1.2"]
    assert table.line(TLS).split() == ["ours", "go", "tls", "1", "0", "1", "1", "2.0"]


def test_the_summary_has_the_sums_and_the_reasons() -> None:
    sums, empty, *reasons = table.summary([PLAIN, TLS])
    assert (sums.split(), empty) == (["all", "2", "1", "1", "2", "3.2"], "")
    assert reasons[0] == "skipped: ours-go: b: go has no b"
    assert reasons[-1] == "failed: ours-go tls: a: it broke"
    assert "run by nobody: cacheable_unary: needs a caching proxy between the two" in reasons
