"""One reader of a thousand on a connection stops, and starts again: what the others and both processes notice."""

from collections.abc import Callable

import pytest

from tests.stress.stopped.reading import FLOOD_NOTE_BYTES, LIMITS, NOTE_BYTES, OTHERS, measure

ROUNDS, NOTES = 3, 10


@pytest.mark.timeout(120)
async def test_one_stopped_reader_of_a_thousand_costs_its_window_and_nobody_else(tell: Callable[[str], None]) -> None:
    seen = await measure(ROUNDS, NOTES)
    tell(str(seen))
    # All came, on the same connection, while the one stood still; how fast is for an idle machine to say.
    assert seen.echoes == [NOTES * (2 * ROUNDS + 1)] * OTHERS
    assert seen.waits_for == ["window"] * ROUNDS
    assert max(seen.held_bytes) <= LIMITS.stream_window_bytes + NOTE_BYTES
    assert max(seen.queued_bytes) <= LIMITS.send_buffer_bytes + NOTE_BYTES
    assert min(seen.later) >= 2 * LIMITS.stream_window_bytes // FLOOD_NOTE_BYTES
