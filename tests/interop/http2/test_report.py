"""Is what the suites print read as they mean it?"""

import pytest

from tests.interop.http2.suites import report

PRINTED = """\
Generic tests for HTTP/2 client
  5. Streams and Multiplexing
    5.1. Stream States
        1: Sends a DATA frame\r      ✔ 1: Sends a DATA frame
        2: Sends more of it\r      \N{MULTIPLICATION SIGN} 2: Sends more of it
        -> The endpoint MUST end.
           Expected: Connection closed
             Actual: PING Frame
        3: Sends nothing\r        3: Sends nothing

Failures:

Generic tests for HTTP/2 client
  5. Streams and Multiplexing
    5.1. Stream States
      \N{MULTIPLICATION SIGN} 2: Sends more of it

Finished in 0.1 seconds
3 tests, 1 passed, 1 skipped, 1 failed
"""


def test_every_case_is_read_once_with_its_verdict() -> None:
    read = report.read(PRINTED)
    assert [(case.number, case.verdict.name) for case in read.cases] == [
        ("client/5.1/1", "PASSED"),
        ("client/5.1/2", "FAILED"),
        ("client/5.1/3", "SKIPPED"),
    ]
    assert str(read) == "3 run, 1 passed, 1 failed, 1 skipped"


@pytest.mark.parametrize("seen", ["PING Frame", "Timeout"])
def test_a_case_is_excused_only_for_what_was_seen(seen: str) -> None:
    complaints = report.read(PRINTED).complaints({"client/5.1/2": seen})
    assert ("FAILED client/5.1/2 Sends more of it" in complaints) == (seen == "Timeout")
    assert "SKIPPED client/5.1/3 Sends nothing" in complaints


@pytest.mark.parametrize(("old", "new"), [("1 skipped", "0 skipped"), ("3 tests, ", ""), ("1: Sends a DATA frame", "")])
def test_counts_other_than_those_of_the_suite_are_an_error(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=r"but read were|did not come to its end"):
        report.read(PRINTED.replace(old, new))
