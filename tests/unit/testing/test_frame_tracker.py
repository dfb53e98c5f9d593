"""Is the middle of the next frame found, however its bytes are cut up?"""

import pytest

from penstock.testing.frame_tracker import PREFACE_BYTES, FrameTracker


def frame(length: int) -> bytes:
    return length.to_bytes(3) + bytes(6) + bytes(length)


def cut(tracker: FrameTracker, data: bytes, step: int) -> int | None:
    """Show `data` in steps; give the count of bytes before the cut."""
    for at in range(0, len(data), step):
        end = tracker.follow(data[at : at + step])
        if end is not None:
            return at + end
    return None


@pytest.mark.parametrize("step", [1, 2, 5, 9, 10, 1000])
@pytest.mark.parametrize(("length", "middle"), [(2, 1), (3, 1), (10, 5), (200, 100)])
def test_the_next_frame_is_cut_in_the_middle_of_its_payload(step: int, length: int, middle: int) -> None:
    tracker = FrameTracker(preface=False)
    assert cut(tracker, frame(20), step) is None
    tracker.armed = True
    assert cut(tracker, frame(length), step) == 9 + middle


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_frame_that_has_begun_is_left_whole(step: int) -> None:
    tracker = FrameTracker(preface=False)
    tracker.follow(frame(20)[:15])
    tracker.armed = True
    assert cut(tracker, frame(20)[15:] + frame(4), step) == 14 + 9 + 2


@pytest.mark.parametrize("length", [0, 1])
def test_a_frame_without_a_middle_is_passed_over(length: int) -> None:
    tracker = FrameTracker(preface=False)
    tracker.armed = True
    assert cut(tracker, frame(length) + frame(2), 1000) == 9 + length + 9 + 1


@pytest.mark.parametrize("step", [1, 23, 24, 25, 1000])
def test_a_preface_is_no_frame(step: int) -> None:
    tracker = FrameTracker(preface=True)
    tracker.armed = True
    assert cut(tracker, bytes(PREFACE_BYTES) + frame(6), step) == PREFACE_BYTES + 9 + 3


def test_unless_it_is_armed_nothing_is_cut() -> None:
    tracker = FrameTracker(preface=True)
    assert cut(tracker, bytes(PREFACE_BYTES) + frame(6) * 10, 7) is None
