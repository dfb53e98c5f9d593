"""What holds in plaintext holds over TLS: tests of other files, run once more with certificates on both sides."""

import pytest

from tests.certificates import Certificates
from tests.e2e import (
    support,
    test_cancel_calls,
    test_cancel_operations,
    test_closing,
    test_deadlines,
    test_kinds,
    test_slow_reader,
    test_stopping,
)

pytestmark = pytest.mark.loops

AGAIN = [
    test_cancel_calls.test_cancelling_the_task_of_a_unary_call_cancels_its_handler,
    test_cancel_calls.test_a_handler_that_receives_learns_that_its_client_left,
    test_cancel_calls.test_a_generator_is_closed_however_its_call_ends,
    test_cancel_calls.test_cancel_in_a_handler_ends_the_call_on_both_sides,
    test_cancel_operations.test_receive_cancelled_at_each_await_loses_nothing,
    test_cancel_operations.test_send_cancelled_at_each_await_hands_over_all_or_nothing,
    test_cancel_operations.test_a_unary_call_cancelled_at_each_await_leaves_nothing_and_the_channel_works,
    test_cancel_operations.test_a_block_cancelled_at_each_await_leaves_nothing_and_the_channel_works,
    test_closing.test_an_open_call_is_cancelled_on_both_sides_when_its_channel_closes_while,
    test_closing.test_a_channel_may_close_at_any_moment_of_its_connecting,
    test_closing.test_the_last_words_of_a_call_reach_the_server_before_the_channel_closes,
    test_deadlines.test_a_handler_sees_what_is_left,
    test_deadlines.test_whatever_waits_on_a_client_is_woken,
    test_deadlines.test_whatever_a_handler_waits_for_it_is_woken,
    test_deadlines.test_a_deadline_holds_while_a_message_is_on_its_way,
    test_kinds.test_one_to_one,
    test_kinds.test_one_to_many,
    test_kinds.test_many_to_one,
    test_kinds.test_many_to_many_taking_turns,
    test_kinds.test_many_to_many_all_at_once,
    test_kinds.test_a_large_message_passes_a_small_window_both_ways,
    test_slow_reader.test_one_stopped_reader_among_a_thousand_streams_of_one_connection,
    test_stopping.test_the_report_says_what_finished_and_what_had_to_be_cancelled,
    test_stopping.test_without_grace_handlers_are_cancelled_and_may_clean_up_first,
    test_stopping.test_leaving_the_block_of_listening_ends_what_is_open,
]

# pytest collects what it finds here by its name.
globals().update({test.__name__: test for test in AGAIN})


@pytest.fixture(autouse=True)
def over_tls(monkeypatch: pytest.MonkeyPatch, certificates: Certificates) -> None:
    """Have `connected` use TLS."""
    monkeypatch.setattr(support, "over_tls", certificates)
