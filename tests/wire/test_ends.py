"""Ends that are no plain status: early ones, resets, GOAWAY, a lost connection."""

from collections.abc import Callable

import pytest

from tests.wire.engine import REQUEST, RESPONSE, Call, Engine, client, server
from tests.wire.frames import ERRORS, Peer, message

OK = [("grpc-status", "0")]
NO_ERROR, CANCEL = 0, 8


def opened(engine: Engine, *, half_closed: bool = False) -> Call:
    """A client's call, its head and one message sent."""
    call = engine.open()
    call.send_now(b"q")
    if half_closed:
        call._half_close()
    engine.says()
    return call


# W21


@pytest.mark.wire("W21")
def test_a_server_that_ends_first_says_trailers_and_then_a_reset_without_error() -> None:
    engine = server()
    engine.hears(engine.peer.headers(1, REQUEST))
    engine.calls[1].send_now(b"a")
    engine.calls[1]._finish(9, "enough", None, None, False)
    assert engine.says()[2:] == [
        "Headers 1 END_STREAM\n  grpc-status: 9\n  grpc-message: enough",
        "RstStream 1 NO_ERROR",
    ]


@pytest.mark.wire("W21")
def test_a_client_that_hears_trailers_first_answers_with_a_reset_without_error() -> None:
    engine = client()
    call = opened(engine)
    call.send_now(b"will not leave any more")
    said = engine.hears(engine.peer.headers(1, RESPONSE), engine.peer.headers(1, OK, end=True))
    assert call.told[-1] == "ended 0 '' None remote"
    assert said == ["RstStream 1 NO_ERROR"]


@pytest.mark.wire("W21")
def test_a_client_that_has_half_closed_has_nothing_to_reset() -> None:
    engine = client()
    opened(engine, half_closed=True)
    assert engine.hears(engine.peer.headers(1, RESPONSE), engine.peer.headers(1, OK, end=True)) == []


@pytest.mark.wire("W21")
@pytest.mark.parametrize("half_closed", [True, False])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("code", ["0", "9"])
def test_a_reset_without_error_behind_trailers_changes_nothing(half_closed: bool, together: bool, code: str) -> None:
    engine = client()
    call = opened(engine, half_closed=half_closed)
    frames = [
        engine.peer.headers(1, RESPONSE),
        engine.peer.data(1, message(b"a")),
        engine.peer.headers(1, [("grpc-status", code)], end=True),
        engine.peer.reset(1, NO_ERROR),
    ]
    if together:
        engine.hears(*frames)
    else:
        for frame in frames:
            engine.hears(frame)
    assert call.take_all() == [b"a"]
    assert call.told[-1] == f"ended {code} '' None remote"


@pytest.mark.wire("W21")
def test_a_reset_without_error_and_without_trailers_is_internal() -> None:
    engine = client()
    call = opened(engine)
    engine.hears(engine.peer.headers(1, RESPONSE), engine.peer.data(1, message(b"a")), engine.peer.reset(1, NO_ERROR))
    assert call.told[-1].startswith("ended 13 ")


# W23

RESETS = {
    "NO_ERROR": 13,
    "PROTOCOL_ERROR": 13,
    "INTERNAL_ERROR": 13,
    "FLOW_CONTROL_ERROR": 13,
    "SETTINGS_TIMEOUT": 13,
    "STREAM_CLOSED": 13,
    "FRAME_SIZE_ERROR": 13,
    "REFUSED_STREAM": 14,
    "CANCEL": 1,
    "COMPRESSION_ERROR": 13,
    "CONNECT_ERROR": 13,
    "ENHANCE_YOUR_CALM": 8,
    "INADEQUATE_SECURITY": 7,
    "HTTP_1_1_REQUIRED": 13,
}


@pytest.mark.wire("W23")
@pytest.mark.parametrize("number", [*ERRORS, 99])
@pytest.mark.parametrize("begun", [True, False])
def test_each_reset_has_its_code_and_only_a_refused_stream_was_surely_not_processed(number: int, begun: bool) -> None:
    code = RESETS[ERRORS[number]] if number in ERRORS else 13
    engine = client()
    call = opened(engine)
    if begun:
        engine.hears(engine.peer.headers(1, RESPONSE))
    engine.hears(engine.peer.reset(1, number))
    assert call.told[-1].startswith(f"ended {code} 'the peer reset the stream: ")
    assert call.told[-1].endswith(" remote unprocessed" if ERRORS.get(number) == "REFUSED_STREAM" else " remote")
    assert opened(engine)._id == 3  # the connection goes on


# W24


@pytest.mark.wire("W24")
@pytest.mark.parametrize("how", ["end of input", "abort", "broken frame"])
def test_a_lost_connection_is_unavailable_to_a_client_and_cancelled_to_a_server(how: str) -> None:
    def lose(engine: Engine) -> None:
        if how == "end of input":
            engine.connection.end_of_input()
        elif how == "abort":  # what a PING that is not answered comes to
            engine.connection.abort("no answer to a PING")
        else:
            engine.read(engine.peer.data(1, bytes(9))[:12])
            engine.connection.end_of_input()

    engine = client()
    call = opened(engine)
    engine.hears(engine.peer.headers(1, RESPONSE))
    lose(engine)
    assert call.told[-1].startswith("ended 14 ")
    assert call.told[-1].endswith(" transport")
    engine = server()
    engine.hears(engine.peer.headers(1, REQUEST))
    lose(engine)
    assert engine.calls[1].told[-1].startswith("ended 1 ")
    assert engine.calls[1].told[-1].endswith(" transport")


@pytest.mark.wire("W24")
@pytest.mark.parametrize("end", [True, False])
def test_a_client_that_cancels_and_parts_at_once_has_cancelled(end: bool) -> None:
    engine = server()
    engine.hears(engine.peer.headers(1, REQUEST, end=end))
    engine.hears(engine.peer.reset(1, CANCEL), engine.peer.go_away(0, NO_ERROR))
    engine.connection.end_of_input()
    assert engine.calls[1].told[-1].startswith("ended 1 'the peer reset the stream: CANCEL'")
    assert engine.calls[1].cause == "reset"


@pytest.mark.parametrize(
    ("frames", "cause"),
    [
        (lambda peer: [peer.headers(1, RESPONSE), peer.headers(1, OK, end=True)], "status"),
        (lambda peer: [peer.reset(1, CANCEL)], "reset"),
        (lambda peer: [peer.headers(1, RESPONSE), peer.data(1, b"", end=True)], "broken"),
        (lambda peer: [peer.headers(1, RESPONSE), peer.data(1, b"\0\xff\xff\xff\xff")], "limit"),
        (lambda peer: [peer.go_away(0, NO_ERROR)], "lost"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_each_end_it_is_told_what_caused_it(frames: Callable[[Peer], list[bytes]], cause: str) -> None:
    engine = client()
    call = opened(engine)
    engine.hears(*frames(engine.peer))
    assert call.told[-1].startswith("ended ")
    assert call.cause == cause


# W25


@pytest.mark.wire("W25")
def test_of_a_goaway_the_calls_above_its_id_were_not_processed_and_the_others_go_on() -> None:
    engine = client()
    served, unserved = opened(engine), opened(engine)
    engine.hears(engine.peer.go_away(1, NO_ERROR, b"bye"))
    assert unserved.told[-1].startswith("ended 14 ")
    assert unserved.told[-1].endswith(" transport unprocessed")
    served.send_now(b"more")
    assert engine.says() == [f"Data 1 {message(b'more')!r}"]
    engine.hears(engine.peer.headers(1, RESPONSE), engine.peer.headers(1, OK, end=True))
    assert served.told[-1] == "ended 0 '' None remote"


@pytest.mark.wire("W25")
def test_after_a_goaway_no_call_starts_and_without_calls_the_connection_is_over() -> None:
    engine = client()
    call = opened(engine)
    engine.hears(engine.peer.go_away(1, NO_ERROR))
    assert engine.connection.max_calls == 0
    with pytest.raises(ConnectionError):
        engine.open()
    engine.connection.shut_down()  # what its owner does
    engine.says()
    engine.hears(engine.peer.headers(1, RESPONSE), engine.peer.headers(1, OK, end=True))
    assert call.told[-1] == "ended 0 '' None remote"
    assert engine.told[-1].startswith("closed ")
    assert engine.told[-1].endswith(" clean")


@pytest.mark.wire("W25")
@pytest.mark.parametrize(("second", "fails"), [(1, False), (3, False), (5, True), (2**31 - 1, True)])
def test_the_id_of_a_second_goaway_must_not_be_larger(second: int, fails: bool) -> None:
    engine = client()
    calls = [opened(engine) for _ in range(3)]
    engine.hears(engine.peer.go_away(3, NO_ERROR))
    said = engine.hears(engine.peer.go_away(second, NO_ERROR))
    if fails:
        assert [line.split()[2] for line in said if line.startswith("GoAway")] == ["PROTOCOL_ERROR"]
        assert engine.told[-1].startswith("closed ")
        assert calls[0].told[-1].startswith("ended 1")
    else:
        assert not any(line.startswith("closed") for line in engine.told)
        assert calls[0].told == []
        assert bool(calls[1].told) == (second < calls[1]._id)


@pytest.mark.wire("W25")
@pytest.mark.parametrize(("last", "fails"), [(0, False), (2, True), (1, False), (2**31 - 2, True), (2**31 - 1, False)])
def test_a_goaway_with_an_id_that_is_no_clients_is_an_error(last: int, fails: bool) -> None:
    engine = client()
    call = opened(engine)
    engine.hears(engine.peer.go_away(last, NO_ERROR))
    broken = "closed 'the peer sent GOAWAY with the id of no stream of ours' failed"
    assert (broken in engine.told) == fails
    if fails:
        assert call.told[-1].startswith("ended 14 ")


# W26


@pytest.mark.wire("W26")
def test_a_client_cancels_with_one_reset_and_hears_no_more() -> None:
    engine = client()
    call = opened(engine)
    engine.hears(engine.peer.headers(1, RESPONSE))
    call.told.clear()
    call._reset(CANCEL)
    assert engine.says() == ["RstStream 1 CANCEL"]
    assert engine.hears(engine.peer.data(1, message(b"late")), engine.peer.headers(1, OK, end=True)) == []
    assert call.told == []
