"""What a connection owes its peer beside the calls: PING, SETTINGS, and windows kept to the byte."""

import pytest

from penstock import Limits
from tests.wire.engine import RESPONSE, Call, Engine, client, server
from tests.wire.frames import message

WINDOW = 64 * 1024
PREFIX = 5
LARGEST_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535


def both_sides() -> list[Engine]:
    return [client(), server()]


def receiving(limits: Limits | None = None) -> tuple[Engine, Call]:
    """A call whose server has begun to answer."""
    engine = client(limits)
    call = engine.open()
    call._half_close()
    engine.says()
    engine.hears(engine.peer.headers(1, RESPONSE))
    call.take_all()
    return engine, call


def granted(said: list[str], stream: int) -> int:
    """Add up what WINDOW_UPDATEs of a stream grant."""
    beginning = f"WindowUpdate {stream} +" if stream else "WindowUpdate +"
    return sum(int(line.removeprefix(beginning)) for line in said if line.startswith(beginning))


# W37


@pytest.mark.wire("W37")
def test_a_ping_is_answered_with_its_own_eight_bytes_each_time() -> None:
    for engine in both_sides():
        for data in (b"8 bytes!", bytes(8), b"\xff" * 8):
            assert engine.hears(engine.peer.ping(data)) == [f"Ping ACK {data!r}"]


@pytest.mark.wire("W37")
def test_answers_that_nobody_asked_for_are_ignored() -> None:
    for engine in both_sides():
        assert engine.hears(*(engine.peer.ping(bytes([n]) * 8, ack=True) for n in range(20))) == []
        assert not any(line.startswith("closed") for line in engine.told)


@pytest.mark.wire("W37")
def test_settings_are_acknowledged_once_each() -> None:
    for engine in both_sides():
        settings = engine.peer.settings(initial_window_size=1000)
        assert engine.hears(settings) == ["Settings ACK"]
        assert engine.hears(settings, settings, settings) == ["Settings ACK"] * 3
        assert engine.says() == []


@pytest.mark.wire("W37", "W44")
def test_a_smaller_initial_window_makes_that_of_an_open_stream_negative_until_it_is_paid_back() -> None:
    engine = client(initial_window_size=20)
    call = engine.open()
    call.send_now(bytes(20 - PREFIX))
    call.send_now(b"abc")
    assert engine.says()[1:] == [f"Data 1 {message(bytes(20 - PREFIX))!r}"]
    assert engine.hears(engine.peer.settings(initial_window_size=5)) == ["Settings ACK"]
    assert engine.hears(engine.peer.window(1, 15)) == []  # from 15 below to 0
    assert engine.hears(engine.peer.window(1, 2)) == [f"Data 1 {message(b'abc')[:2]!r}"]
    assert engine.hears(engine.peer.settings(initial_window_size=11)) == [
        "Settings ACK",
        f"Data 1 {message(b'abc')[2:]!r}",
    ]


# W44


@pytest.mark.wire("W44")
@pytest.mark.parametrize("padding", [0, 1, 255])
def test_padding_is_counted_and_given_back(padding: int) -> None:
    engine, call = receiving(Limits(stream_window_bytes=WINDOW))
    whole = message(bytes(5 - PREFIX))
    frame_cost = len(whole) + padding + 1
    said: list[str] = []
    frames = 4 * WINDOW // frame_cost
    held = 0
    for _ in range(frames):
        said += engine.hears(engine.peer.data(1, whole, padding=padding))
        assert call.take_all() == [b""]
        said += engine.says()
        held = frames * frame_cost - granted(said, 1)
    # h2 grants in steps of half a window: nothing was lost, and nothing given twice.
    assert 0 <= held <= WINDOW // 2 + frame_cost
    assert not any(line.startswith(("RstStream", "GoAway")) for line in said)


@pytest.mark.wire("W44")
def test_more_than_the_window_is_found_out_padding_included() -> None:
    engine, call = receiving(Limits(stream_window_bytes=WINDOW))
    quarter = WINDOW // 4
    for _ in range(3):
        assert engine.hears(engine.peer.data(1, message(bytes(quarter - PREFIX)))) == []
    said = engine.hears(engine.peer.data(1, message(bytes(quarter - PREFIX - 200)), padding=200))
    assert "RstStream 1 FLOW_CONTROL_ERROR" in said
    assert call.told[-1].startswith("ended 13 ")


@pytest.mark.wire("W44")
def test_windows_hold_after_a_goaway() -> None:
    engine = client(initial_window_size=10)
    call = engine.open()
    call.send_now(bytes(20))
    engine.says()
    engine.hears(engine.peer.go_away(1, 0))
    assert engine.says() == []
    assert engine.hears(engine.peer.window(1, 10)) == ["Data 1 b'" + r"\x00" * 10 + "'"]
    assert engine.hears(engine.peer.window(1, 10)) == ["Data 1 b'" + r"\x00" * 5 + "'"]


@pytest.mark.wire("W44")
def test_a_stream_without_window_goes_on_when_it_gets_some() -> None:
    engine = client(initial_window_size=0)
    call = engine.open()
    call.send_now(b"ab")
    call._half_close()
    assert [line.partition("\n")[0] for line in engine.says()] == ["Headers 1"]
    assert engine.hears(engine.peer.window(1, 1)) == [r"Data 1 b'\x00'"]
    assert engine.hears(engine.peer.window(1, 100)) == [r"Data 1 END_STREAM b'\x00\x00\x00\x02ab'"]


@pytest.mark.wire("W44")
def test_without_window_an_end_without_data_still_leaves() -> None:
    engine = client(initial_window_size=0)
    call = engine.open()
    call._half_close()
    assert engine.says()[1:] == ["Data 1 END_STREAM b''"]


@pytest.mark.wire("W44")
@pytest.mark.parametrize("over", [False, True])
def test_a_window_above_the_largest_is_an_error_of_its_stream_or_its_connection(over: bool) -> None:
    engine = client()
    call, other = engine.open(), engine.open()
    engine.says()
    room = LARGEST_WINDOW - DEFAULT_WINDOW
    said = engine.hears(engine.peer.window(1, room + over))
    assert said == (["RstStream 1 FLOW_CONTROL_ERROR"] if over else [])
    assert bool(call.told) == over
    assert other.told == []
    said = engine.hears(engine.peer.window(0, room + over))
    assert said == (["GoAway last=0 FLOW_CONTROL_ERROR"] if over else [])
    assert bool(other.told) == over


@pytest.mark.wire("W44")
def test_an_initial_window_above_the_largest_is_an_error_of_the_connection() -> None:
    engine = client()
    call = engine.open()
    engine.says()
    said = engine.hears(engine.peer.settings_by_number({4: 2**31}))
    # RFC 9113 section 6.5.2 calls it a FLOW_CONTROL_ERROR, h2 by the general name.
    assert [line for line in said if line.startswith("GoAway")] == ["GoAway last=0 PROTOCOL_ERROR"]
    assert call.told[-1].startswith("ended 1")
