"""What an answer is: heads, messages and trailers, written by a server and judged by a client."""

import pytest

from tests.wire.engine import REQUEST, RESPONSE, Call, Engine, client, server
from tests.wire.frames import head, message

OK = [("grpc-status", "0")]
HEAD = "Headers 1\n  :status: 200\n  content-type: application/grpc"


def answered(*frames: bytes, engine: Engine) -> Call:
    """A call whose server has said these frames."""
    call = engine.open(only=b"q")
    engine.says()
    engine.hears(*frames)
    return call


def requested(engine: Engine) -> Call:
    """A server's call, its client half-closed."""
    engine.hears(engine.peer.headers(1, REQUEST, end=True))
    return engine.calls[1]


# W16


@pytest.mark.wire("W16")
def test_a_server_writes_a_head_messages_and_a_status_even_if_it_is_ok() -> None:
    engine = server()
    call = requested(engine)
    call.send_now(b"a")
    call._finish(0, "", None, None, False)
    assert engine.says() == [HEAD, f"Data 1 {message(b'a')!r}", "Headers 1 END_STREAM\n  grpc-status: 0"]


@pytest.mark.wire("W16")
@pytest.mark.parametrize("code", range(17))
def test_a_status_alone_is_one_frame_and_its_code_a_decimal_without_zeros_before_it(code: int) -> None:
    engine = server()
    call = requested(engine)
    call._finish(code, "", None, None, False)
    assert engine.says() == [
        head("Headers 1 END_STREAM", ":status: 200", "content-type: application/grpc", f"grpc-status: {code}")
    ]
    engine = client()
    call = answered(engine.peer.headers(1, [*RESPONSE, ("grpc-status", str(code))], end=True), engine=engine)
    assert call.told == [f"ended {code} '' None remote"]


@pytest.mark.wire("W16")
def test_a_client_reads_a_head_messages_and_a_status() -> None:
    engine = client()
    peer = engine.peer
    call = answered(
        peer.headers(1, RESPONSE), peer.data(1, message(b"a")), peer.headers(1, OK, end=True), engine=engine
    )
    assert call.take_all() == [b"a"]
    assert call.told == ["responded None", "ended 0 '' None remote"]


# W17


@pytest.mark.wire("W17")
def test_an_end_without_a_status_is_never_ok() -> None:
    engine = client()
    peer = engine.peer
    for stream, last, told in (
        (1, peer.data(1, message(b"a"), end=True), "ended 13 'the peer ended the call without trailers' None remote"),
        (3, peer.data(3, b"", end=True), "ended 13 'the peer ended the call without trailers' None remote"),
        (
            5,
            peer.headers(5, [("k", "v")], end=True),
            "ended 2 'the peer ended the call without grpc-status' None remote",
        ),
    ):
        call = engine.open(only=b"q")
        engine.says()
        engine.hears(peer.headers(stream, RESPONSE), last)
        assert call.told[-1] == told


@pytest.mark.wire("W17")
@pytest.mark.parametrize("text", ["", "x", "-1", "+5", "1.0", "0x1", " 5", "17", "99", "256", "99999999999999999999"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_code_that_is_no_number_or_unknown_is_unknown(text: str, alone: bool) -> None:
    engine = client()
    status = [("grpc-status", text), ("grpc-message", "what it said")]
    if alone:
        call = answered(engine.peer.headers(1, [*RESPONSE, *status], end=True), engine=engine)
    else:
        call = answered(engine.peer.headers(1, RESPONSE), engine.peer.headers(1, status, end=True), engine=engine)
    assert call.told[-1].startswith("ended 2 ")
    assert "what it said" in call.told[-1]


# W18

MAPPED = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14, 204: 2, 302: 2, 418: 2, 500: 2}


@pytest.mark.wire("W18")
@pytest.mark.parametrize(("status", "code"), MAPPED.items())
@pytest.mark.parametrize("last", [True, False])
def test_an_http_status_stands_in_for_a_status_that_is_missing(status: int, code: int, last: bool) -> None:
    engine = client()
    call = answered(
        engine.peer.headers(1, [(":status", str(status)), ("content-type", "text/html")], end=last), engine=engine
    )
    text = f"the peer answered with HTTP status {status} and no grpc-status"
    assert call.told == [f"ended {code} '{text}' None remote"]


@pytest.mark.wire("W18")
@pytest.mark.parametrize("status", MAPPED)
def test_a_status_counts_whatever_the_http_status_says(status: int) -> None:
    engine = client()
    said = [(":status", str(status)), ("content-type", "application/grpc"), ("grpc-status", "5")]
    assert answered(engine.peer.headers(1, said, end=True), engine=engine).told == ["ended 5 '' None remote"]


@pytest.mark.wire("W18")
def test_heads_that_only_inform_are_skipped() -> None:
    engine = client()
    peer = engine.peer
    call = answered(
        peer.headers(1, [(":status", "103"), ("link", "x")]),
        peer.headers(1, [(":status", "100")]),
        peer.headers(1, [*RESPONSE, ("k", "v")]),
        peer.headers(1, OK, end=True),
        engine=engine,
    )
    assert call.told == ["responded [('k', 'v')]", "ended 0 '' None remote"]


@pytest.mark.wire("W18")
@pytest.mark.parametrize("code", range(17))
def test_a_server_says_http_status_200_whatever_the_code(code: int) -> None:
    engine = server()
    call = requested(engine)
    call._finish(code, "", None, None, False)
    assert engine.says()[0].startswith("Headers 1 END_STREAM\n  :status: 200\n")


# W19

TEXTS = [
    ("plain ~", "plain ~"),
    ("100 %", "100 %25"),
    ("\t\nx\r\n", "%09%0Ax%0D%0A"),
    ("é ☺ 😈", "%C3%A9 %E2%98%BA %F0%9F%98%88"),
    ("\x7f\x1f", "%7F%1F"),
    ("".join(map(chr, range(0x20, 0x7F))).replace("%", ""), "".join(map(chr, range(0x20, 0x7F))).replace("%", "")),
]


@pytest.mark.wire("W19")
@pytest.mark.parametrize(("text", "encoded"), TEXTS)
def test_a_message_is_utf_8_and_all_but_printable_ascii_is_percent_encoded(text: str, encoded: str) -> None:
    engine = server()
    requested(engine)._finish(2, text, None, None, False)
    assert engine.says()[0].split("\n  ")[-1] == f"grpc-message: {encoded}"
    engine = client()
    status = [("grpc-status", "2"), ("grpc-message", encoded)]
    call = answered(engine.peer.headers(1, [*RESPONSE, *status], end=True), engine=engine)
    assert call.told == [f"ended 2 {text!r} None remote"]


@pytest.mark.wire("W19")
@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        ("%", "%"),
        ("%G1", "%G1"),
        ("100%", "100%"),
        ("%4", "%4"),
        ("%e2%98%ba", "☺"),
        ("%e2%98", "�"),
        ("a%FFb", "a�b"),
        ("caf\xc3\xa9", "café"),
        ("caf\xe9", "caf�"),
    ],
)
def test_a_message_that_is_encoded_badly_loses_nothing_and_is_no_error(encoded: str, text: str) -> None:
    engine = client()
    status = [("grpc-status", "2"), ("grpc-message", encoded)]
    call = answered(engine.peer.headers(1, [*RESPONSE, *status], end=True), engine=engine)
    assert call.told == [f"ended 2 {text!r} None remote"]


# W20


@pytest.mark.wire("W20")
def test_details_pass_both_ways_as_they_are() -> None:
    details = b"\x08\x05\x12\x02no\xff"
    engine = server()
    requested(engine)._finish(5, "no", details, None, False)
    line = engine.says()[0].split("\n  ")[-1]
    assert line == "grpc-status-details-bin: CAUSAm5v/w"
    engine = client()
    status = [("grpc-status", "5"), ("grpc-status-details-bin", line.partition(": ")[2])]
    call = answered(engine.peer.headers(1, [*RESPONSE, *status], end=True), engine=engine)
    assert call.told == [f"ended 5 '' [('grpc-status-details-bin', {details!r})] remote"]
