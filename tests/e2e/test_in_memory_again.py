"""What holds over a socket holds in memory: tests of other files, run once more without one."""

import pytest

from tests.e2e import (
    support,
    test_blocks,
    test_deadlines,
    test_generators,
    test_limits,
    test_receive,
    test_send,
    test_tls_again,
)

pytestmark = pytest.mark.loops

MODULES = [test_blocks, test_deadlines, test_generators, test_limits, test_receive, test_send]
NEED_AN_ADDRESS = {
    "test_a_channel_may_close_at_any_moment_of_its_connecting",
    "test_the_last_words_of_a_call_reach_the_server_before_the_channel_closes",
    "test_the_report_says_what_finished_and_what_had_to_be_cancelled",
}

AGAIN = [
    *test_tls_again.AGAIN,
    *(test for module in MODULES for name, test in vars(module).items() if name.startswith("test_")),
]

# pytest collects what it finds here by its name.
globals().update({test.__name__: test for test in AGAIN if test.__name__ not in NEED_AN_ADDRESS})


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `connected` use memory."""
    monkeypatch.setattr(support, "in_memory", True)
