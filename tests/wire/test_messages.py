"""Messages in DATA frames: how they end, how they may be cut, and what is wrong with some."""

import pytest

from penstock import Limits
from tests.wire.engine import REQUEST, RESPONSE, Call, Engine, client, server
from tests.wire.frames import message

OK = [("grpc-status", "0")]
MORE_THAN_H2_TAKES_OF_EMPTY_FRAMES = 150


def responding(engine: Engine) -> Call:
    """A client's call whose response has begun."""
    call = engine.open(only=b"q")
    engine.says()
    engine.hears(engine.peer.headers(call._id, RESPONSE))
    call.take_all()
    return call


def requested(engine: Engine, stream: int = 1) -> Call:
    """A server's call whose messages are yet to come."""
    engine.hears(engine.peer.headers(stream, REQUEST))
    call = engine.calls[stream]
    call.take_all()
    return call


def either_side(limits: Limits | None = None) -> list[tuple[Engine, Call]]:
    """A call on each side, which the peer is to send messages on."""
    ends = [(engine, start(engine)) for engine, start in ((client(limits), responding), (server(limits), requested))]
    for _, call in ends:
        call.told.clear()
    return ends


def outcome(call: Call) -> str:
    """Give the code a call has ended with."""
    return call.told[-1].split()[1]


@pytest.mark.wire("W5")
def test_the_last_data_frame_ends_the_stream() -> None:
    engine = client()
    call = engine.open()
    call.send_now(b"a")
    call.send_now(b"b")
    call._half_close()
    assert engine.says()[1:] == [f"Data 1 END_STREAM {message(b'a') + message(b'b')!r}"]


@pytest.mark.wire("W5")
def test_with_nothing_left_to_send_an_empty_data_frame_ends_the_stream() -> None:
    engine = client()
    call = engine.open()
    call.send_now(b"a")
    engine.says()
    call._half_close()
    assert engine.says() == ["Data 1 END_STREAM b''"]


@pytest.mark.wire("W5")
def test_the_empty_last_frames_of_many_calls_do_no_harm() -> None:
    engine = server()
    for number in range(MORE_THAN_H2_TAKES_OF_EMPTY_FRAMES):
        call = requested(engine, 1 + 2 * number)
        engine.hears(engine.peer.data(call._id, message(b"a")), engine.peer.data(call._id, b"", end=True))
        assert call.take_all() == [b"a"]
        assert call._is_last
        call._finish(0, "", None, None, False)
        engine.says()
    assert not any(line.startswith("closed") for line in engine.told)


@pytest.mark.wire("W6")
def test_a_message_in_frames_of_one_byte_is_whole_again() -> None:
    sent = [b"abc", b"", b"d"]
    whole = b"".join(map(message, sent))
    for engine, call in either_side():
        received = []
        for at in range(len(whole)):
            engine.hears(engine.peer.data(1, whole[at : at + 1]))
            received += call.take_all()
        assert received == sent


@pytest.mark.wire("W6")
def test_messages_share_a_frame_and_may_be_cut_anywhere_in_two() -> None:
    sent = [b"", b"abc", b"", b"defgh"]
    whole = b"".join(map(message, sent))
    for cut in range(len(whole) + 1):
        for engine, call in either_side():
            engine.hears(engine.peer.data(1, whole[:cut]), engine.peer.data(1, whole[cut:]))
            assert call.take_all() == sent, cut


@pytest.mark.wire("W6")
@pytest.mark.parametrize("cut", [1, 4, 5, 7])
def test_an_end_inside_a_message_is_internal(cut: int) -> None:
    part = message(b"abc")[:cut]
    engine = server()
    call = requested(engine)
    call.told.clear()
    (said,) = engine.hears(engine.peer.data(1, message(b"whole") + part, end=True))
    assert call.take_all() == [b"whole"]
    assert outcome(call) == "13"
    assert "grpc-status: 13" in said
    engine = client()
    call = responding(engine)
    engine.hears(engine.peer.data(1, message(b"whole") + part), engine.peer.headers(1, OK, end=True))
    assert call.take_all() == [b"whole"]
    assert outcome(call) == "13"


@pytest.mark.wire("W7")
def test_a_message_is_a_flag_and_four_bytes_of_length_and_the_payload() -> None:
    engine = client()
    engine.open().send_now(b"x" * 0x0203)
    assert engine.says()[1:] == ["Data 1 520 bytes"]
    engine.open().send_now(b"hi")
    assert engine.says()[1:] == [r"Data 3 b'\x00\x00\x00\x00\x02hi'"]
    for engine, call in either_side():
        engine.hears(engine.peer.data(1, b"\0\0\0\0\x02hi"))
        assert call.take_all() == [b"hi"]


@pytest.mark.wire("W7")
@pytest.mark.parametrize("flag", [2, 3, 128, 255])
def test_another_flag_is_internal(flag: int) -> None:
    for engine, call in either_side():
        engine.hears(engine.peer.data(1, message(b"whole") + message(b"x", flag)))
        assert call.take_all() == [b"whole"]
        assert outcome(call) == "13"


@pytest.mark.wire("W7")
@pytest.mark.parametrize(("length", "over"), [(99, False), (100, False), (101, True), (2**32 - 1, True)])
def test_a_length_above_the_limit_is_resource_exhausted_before_a_byte_of_it_has_come(length: int, over: bool) -> None:
    for engine, call in either_side(Limits(max_receive_message_bytes=100)):
        engine.hears(engine.peer.data(1, b"\0" + length.to_bytes(4, "big")))
        assert call.told == (
            [f"ended 8 'message of {length} bytes exceeds max_receive_message_bytes=100' None local"] if over else []
        )
