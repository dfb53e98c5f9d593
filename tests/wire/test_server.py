"""What a server says, frame by frame, and what it makes of requests."""

import ast

import pytest

from penstock import Limits, UsageError
from tests.wire.engine import REQUEST, Call, Engine, server
from tests.wire.frames import PREFACE, head, message

CANCEL = 8
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
"""Fatal, `protocol_version`. Source: RFC 8446 section 6."""
HEAD = "Headers 1\n  :status: 200\n  content-type: application/grpc"


def with_headers(*more: tuple[str, str]) -> list[tuple[str, str]]:
    """The least a client says, with some of it replaced or added."""
    replaced = {**dict(REQUEST), **dict(more)}
    return [*replaced.items()]


def opened(engine: Engine, *more: tuple[str, str], end: bool = False) -> Call:
    """A call that has come."""
    engine.hears(engine.peer.headers(1, with_headers(*more), end=end))
    return engine.calls[1]


def test_nothing_is_said_before_the_preface_and_the_settings_come_first() -> None:
    engine = Engine(client=False, limits=Limits(max_concurrent_streams=5, max_frame_bytes=20_000))
    assert engine.says() == []  # a client of another protocol gets an answer in its own
    settings, *rest = engine.hears(PREFACE, engine.peer.settings())
    assert settings.split() == [
        "Settings",
        "MAX_CONCURRENT_STREAMS=5",
        "INITIAL_WINDOW_SIZE=1048576",
        "MAX_FRAME_SIZE=20000",
        "MAX_HEADER_LIST_SIZE=16384",
    ]
    assert sorted(rest) == ["Settings ACK", "WindowUpdate +2147418112"]
    assert engine.told == ["settings"]


def test_a_preface_cut_anywhere_is_whole_again() -> None:
    engine = Engine(client=False)
    said = PREFACE + engine.peer.settings()
    lines = [line for index in range(len(said)) for line in engine.hears(said[index : index + 1])]
    settings, *rest = lines
    assert settings.startswith("Settings MAX_CONCURRENT_STREAMS=1000")
    assert sorted(rest) == ["Settings ACK", "WindowUpdate +2147418112"]
    assert engine.told == ["settings"]


def test_a_request_is_told_with_all_it_says() -> None:
    engine = server()
    opened(engine, ("grpc-timeout", "1500m"), ("k", "v"), ("b-bin", "AP8"))
    metadata = [("k", "v"), ("b-bin", b"\x00\xff")]
    assert engine.told[1:] == [f"opened 1 /a.B/C host:1 {metadata} 1.5"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0n", 0.0), ("1H", 3600.0), ("2M", 120.0), ("3S", 3.0), ("99999999u", 99.999999), ("250m", 0.25)],
)
def test_every_unit_of_a_timeout_is_read(text: str, seconds: float) -> None:
    engine = server()
    opened(engine, ("grpc-timeout", text))
    assert engine.told[-1].endswith(f" None {seconds}")


def test_the_first_message_brings_the_head_and_the_status_comes_last() -> None:
    engine = server()
    call = opened(engine, end=True)
    call.send_now(b"a")
    call.send_now(b"")
    assert engine.says() == [HEAD, f"Data 1 {message(b'a') + message(b'')!r}"]
    call._finish(0, "", None, [("t", "u"), ("b-bin", b"\x00\xff")], False)
    assert engine.says() == ["Headers 1 END_STREAM\n  grpc-status: 0\n  t: u\n  b-bin: AP8"]
    assert call.told == ["ended 0 '' None local"]
    assert engine.connection.open_calls == 0


def test_initial_metadata_comes_with_the_head_and_once() -> None:
    engine = server()
    call = opened(engine)
    assert call._respond([("k", "v")])
    assert engine.says() == [f"{HEAD}\n  k: v"]
    assert not call._respond([("k", "w")])
    assert engine.says() == []


def test_a_status_before_any_message_is_trailers_alone() -> None:
    engine = server()
    call = opened(engine, end=True)
    call._finish(5, "nö % room", b"\x08\x05", [("k", "v")], False)
    assert engine.says() == [
        head(
            "Headers 1 END_STREAM",
            ":status: 200",
            "content-type: application/grpc",
            "grpc-status: 5",
            "grpc-message: n%C3%B6 %25 room",
            "grpc-status-details-bin: CAU",
            "k: v",
        )
    ]


def test_an_early_status_is_followed_by_a_reset_that_tells_the_client_to_stop_sending() -> None:
    engine = server()
    call = opened(engine)
    call.send_now(b"a")
    call._finish(0, "", None, None, False)
    assert engine.says() == [
        HEAD,
        r"Data 1 b'\x00\x00\x00\x00\x01a'",
        "Headers 1 END_STREAM\n  grpc-status: 0",
        "RstStream 1 NO_ERROR",
    ]


def test_a_status_that_discards_leaves_the_queued_messages_behind() -> None:
    engine = server()
    call = opened(engine, end=True)
    call.send_now(b"sent")
    engine.says()
    call.send_now(b"not sent")
    call._finish(14, "", None, None, True)
    assert engine.says() == ["Headers 1 END_STREAM\n  grpc-status: 14"]


def test_a_client_that_half_closes_is_the_end_of_its_messages_and_not_of_the_call() -> None:
    engine = server()
    call = opened(engine)
    engine.hears(engine.peer.data(1, message(b"a"), end=True))
    assert call.take_all() == [b"a"]
    assert call._is_last
    assert (call.told, engine.connection.open_calls) == ([], 1)


def test_a_client_that_resets_is_told_to_the_call() -> None:
    engine = server()
    call = opened(engine)
    engine.hears(engine.peer.reset(1, CANCEL))
    assert call.told == ["ended 1 'the peer reset the stream: CANCEL' None remote"]
    call.send_now(b"late")
    assert engine.says() == []


def test_a_lost_connection_is_to_a_handler_what_a_client_that_left_is() -> None:
    engine = server()
    call = opened(engine)
    engine.connection.end_of_input()
    assert call.told[-1].startswith("ended 1 ")
    assert call.told[-1].endswith(" transport")


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ([(":method", "GET")], "Headers 1 END_STREAM\n  :status: 405"),
        ([("content-type", "text/html")], "Headers 1 END_STREAM\n  :status: 415"),
        (
            [("grpc-timeout", "soon")],
            head(
                "Headers 1 END_STREAM",
                ":status: 400",
                "content-type: application/grpc",
                "grpc-accept-encoding: identity,deflate,gzip",
                "grpc-status: 13",
                'grpc-message: malformed grpc-timeout "soon"',
            ),
        ),
    ],
)
def test_what_is_no_call_is_answered_and_never_told(headers: list[tuple[str, str]], answer: str) -> None:
    engine = server()
    assert engine.hears(engine.peer.headers(1, with_headers(*headers), end=True)) == [answer]
    assert engine.told == ["settings"]
    assert engine.connection.open_calls == 0


def test_an_encoding_nobody_offered_is_unimplemented_and_the_answer_says_what_is_taken() -> None:
    engine = server()
    assert engine.hears(engine.peer.headers(1, with_headers(("grpc-encoding", "br")), end=True)) == [
        head(
            "Headers 1 END_STREAM",
            ":status: 200",
            "content-type: application/grpc",
            "grpc-accept-encoding: identity,deflate,gzip",
            "grpc-status: 12",
            'grpc-message: grpc-encoding "br" is not supported',
        )
    ]
    assert engine.told == ["settings"]


def test_messages_that_are_not_protobuf_are_unimplemented_unless_any_are_taken() -> None:
    request = with_headers(("content-type", "application/grpc+json"))
    engine = server()
    assert engine.hears(engine.peer.headers(1, request, end=True)) == [
        head(
            "Headers 1 END_STREAM",
            ":status: 200",
            "content-type: application/grpc",
            "grpc-accept-encoding: identity,deflate,gzip",
            "grpc-status: 12",
            "grpc-message: messages are protobuf here, not json",
        )
    ]
    assert engine.told == ["settings"]
    engine = server(any_subtype=True)
    assert engine.hears(engine.peer.headers(1, request, end=True)) == []
    assert len(engine.calls) == 1


@pytest.mark.parametrize(
    "content_type", ["application/grpc+proto", "application/grpc;x=y", "application/grpc+proto;x=y"]
)
def test_protobuf_may_be_named_or_not(content_type: str) -> None:
    engine = server()
    opened(engine, ("content-type", content_type), end=True)
    assert engine.told[1:] == ["opened 1 /a.B/C host:1 None None"]


@pytest.mark.parametrize(("calls", "refused"), [(1, []), (2, []), (3, ["RstStream 5 REFUSED_STREAM"])])
def test_a_call_above_the_advertised_number_is_refused(calls: int, refused: list[str]) -> None:
    engine = server(Limits(max_concurrent_streams=2))
    said = [engine.hears(engine.peer.headers(1 + 2 * number, REQUEST)) for number in range(calls)]
    assert [line for lines in said for line in lines] == refused
    assert len(engine.calls) == min(calls, 2)


@pytest.mark.parametrize(("size", "over"), [(99, False), (100, False), (101, True)])
def test_a_message_above_the_limit_is_answered_with_a_status(size: int, over: bool) -> None:
    engine = server(Limits(max_receive_message_bytes=100))
    call = opened(engine)
    said = engine.hears(engine.peer.data(1, message(bytes(size))))
    if over:
        text = "message of 101 bytes exceeds max_receive_message_bytes=100"
        assert call.told == [f"ended 8 '{text}' None local"]
        assert said[0].startswith("Headers 1 END_STREAM\n  :status: 200")
        assert f"\n  grpc-status: 8\n  grpc-message: {text}" in said[0]
        assert said[1:] == ["RstStream 1 NO_ERROR"]
    else:
        assert (call.take_all(), said) == ([bytes(size)], [])


def test_shutting_down_serves_what_was_taken_and_says_so_twice() -> None:
    engine = server()
    call = opened(engine, end=True)
    engine.connection.shut_down()
    first, ping = engine.says()
    assert first == "GoAway last=2147483647 NO_ERROR"
    assert ping.startswith("Ping b'")
    opaque = ping.partition(" ")[2]
    # A call that was on its way when the client heard of it is served as well.
    engine.hears(engine.peer.headers(3, REQUEST, end=True))
    assert engine.hears(engine.peer.ping(ast.literal_eval(opaque), ack=True)) == ["GoAway last=3 NO_ERROR"]
    for each in (call, engine.calls[3]):
        each._finish(0, "", None, None, False)
    engine.says()
    assert engine.told[-1] == "closed 'the connection ended' clean"


def test_aborting_says_goaway_and_ends_every_call() -> None:
    engine = server()
    call = opened(engine)
    engine.connection.abort("enough")
    assert engine.says() == ["GoAway last=1 NO_ERROR"]
    assert call.told[-1].startswith("ended 1 ")
    assert engine.told[-1] == "closed 'enough' failed"


@pytest.mark.parametrize(
    ("said", "answer", "told"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 505 ", "the peer speaks HTTP/1, not HTTP/2"),
        (b"\x16\x03\x01\x02\x00\x01", TLS_ALERT, "the peer speaks TLS, this connection is plaintext"),
        (b"\x00" * 9, b"", "the peer does not speak HTTP/2"),
    ],
    ids=["HTTP/1.1", "TLS", "neither"],
)
def test_a_foreign_client_gets_an_answer_in_its_own_words(said: bytes, answer: bytes, told: str) -> None:
    engine = Engine(client=False)
    engine.said_bytes()
    engine.read(said)
    assert engine.told == [f"closed {told!r} foreign"]
    assert engine.said_bytes().startswith(answer)


def test_initial_metadata_that_may_not_be_sent_is_refused_before_anything_is() -> None:
    engine = server()
    call = opened(engine)
    with pytest.raises(UsageError, match="grpc-x"):
        call._respond([("grpc-x", "v")])
    with pytest.raises(UsageError, match="grpc-x"):
        call._finish(0, "", None, [("grpc-x", "v")], False)
    assert engine.says() == []
    call._finish(13, "", None, None, False)
    assert "grpc-status: 13" in engine.says()[0]
