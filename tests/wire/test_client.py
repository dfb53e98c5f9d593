"""What a client says, frame by frame, and what it makes of the answers."""

import pytest

import penstock
from penstock import Limits, UsageError
from tests.wire.engine import RESPONSE, Call, Engine, client
from tests.wire.frames import PREFACE, head, message

OK = [("grpc-status", "0")]
CANCEL, REFUSED_STREAM, ENHANCE_YOUR_CALM = 8, 7, 11


def test_the_preface_and_the_settings_come_first() -> None:
    engine = Engine(client=True)
    said = engine.said_bytes()
    assert said.startswith(PREFACE)
    assert engine.peer.read(said) == [
        "Settings ENABLE_PUSH=0 INITIAL_WINDOW_SIZE=1048576 MAX_FRAME_SIZE=65536 MAX_HEADER_LIST_SIZE=16384",
        "WindowUpdate +2147418112",
    ]
    assert engine.hears(engine.peer.settings(max_concurrent_streams=7)) == ["Settings ACK"]
    assert engine.told == ["settings"]
    assert engine.connection.max_calls == 7


def test_limits_are_advertised_as_settings() -> None:
    limits = Limits(stream_window_bytes=70_000, max_frame_bytes=20_000, max_metadata_bytes=3_000)
    assert Engine(client=True, limits=limits).says() == [
        "Settings ENABLE_PUSH=0 INITIAL_WINDOW_SIZE=70000 MAX_FRAME_SIZE=20000 MAX_HEADER_LIST_SIZE=3000",
        "WindowUpdate +2147418112",
    ]


def test_a_call_with_one_message_is_a_head_and_a_message_that_ends_the_stream() -> None:
    engine = client()
    engine.open(timeout_seconds=1.5, metadata=[("k", "v"), ("b-bin", b"\x00\xff"), ("k", "w")], only=b"hi")
    assert engine.says() == [
        head(
            "Headers 1",
            ":method: POST",
            ":scheme: http",
            ":authority: host:1",
            ":path: /a.B/C",
            "grpc-timeout: 1500000u",
            "te: trailers",
            "content-type: application/grpc",
            "grpc-accept-encoding: identity,deflate,gzip",
            f"user-agent: grpc-python-penstock/{penstock.__version__}",
            "k: v",
            "k: w",
            "b-bin: AP8",
        ),
        r"Data 1 END_STREAM b'\x00\x00\x00\x00\x02hi'",
    ]


def test_messages_that_are_ready_together_share_a_data_frame() -> None:
    engine = client()
    call = engine.open()
    for payload in (b"a", b"", b"bc"):
        assert call.send_now(payload)
    head, data = engine.says()
    assert head.startswith("Headers 1\n")
    assert data == f"Data 1 {message(b'a') + message(b'') + message(b'bc')!r}"


def test_ending_the_sending_side_ends_the_stream_behind_what_is_queued() -> None:
    engine = client()
    call = engine.open()
    call.send_now(b"a")
    call._half_close()
    assert engine.says()[1:] == [r"Data 1 END_STREAM b'\x00\x00\x00\x00\x01a'"]
    assert not call.send_now(b"late")
    assert engine.says() == []


def test_ending_the_sending_side_without_a_message_is_an_empty_data_frame() -> None:
    engine = client()
    call = engine.open()
    engine.says()
    call._half_close()
    assert engine.says() == ["Data 1 END_STREAM b''"]


def test_streams_have_odd_numbers_in_order() -> None:
    engine = client()
    assert [engine.open()._id for _ in range(3)] == [1, 3, 5]
    assert [line.partition("\n")[0] for line in engine.says()] == ["Headers 1", "Headers 3", "Headers 5"]


def answered(*frames: bytes, engine: Engine | None = None) -> Call:
    """A call whose server has said these frames."""
    engine = engine or client()
    call = engine.open(only=b"q")
    engine.says()
    engine.hears(*frames)
    return call


def test_an_answer_is_initial_metadata_messages_and_trailers() -> None:
    engine = client()
    call = engine.open(only=b"q")
    engine.says()
    engine.hears(engine.peer.headers(1, [*RESPONSE, ("x", "y"), ("b-bin", "AP8,AP8=")]))
    assert call.told == ["responded [('x', 'y'), ('b-bin', b'\\x00\\xff'), ('b-bin', b'\\x00\\xff')]"]
    engine.hears(engine.peer.data(1, message(b"a") + message(b"")))
    assert call.take_all() == [b"a", b""]
    engine.hears(engine.peer.headers(1, [*OK, ("t", "u")], end=True))
    assert call.told[1:] == ["readable", "ended 0 '' [('t', 'u')] remote"]


def test_an_answer_that_comes_in_one_piece_loses_nothing() -> None:
    engine = client()
    peer = engine.peer
    call = answered(
        peer.headers(1, [*RESPONSE, ("x", "y")]),
        peer.data(1, message(b"a")),
        peer.headers(1, [*OK, ("t", "u")], end=True),
        engine=engine,
    )
    assert call.take_all() == [b"a"]
    assert call._is_last
    assert call.told == ["responded [('x', 'y')]", "ended 0 '' [('t', 'u')] remote"]


def test_a_message_cut_anywhere_is_whole_again() -> None:
    engine = client()
    call = answered(engine.peer.headers(1, RESPONSE), engine=engine)
    whole = message(b"abc") + message(b"")
    for index in range(len(whole)):
        assert call.take_all() == []
        engine.hears(engine.peer.data(1, whole[index : index + 1]))
        if index + 1 == len(message(b"abc")):
            assert call.take_all() == [b"abc"]
    assert call.take_all() == [b""]


def test_trailers_alone_are_an_answer() -> None:
    engine = client()
    refused = [*RESPONSE, ("grpc-status", "5"), ("grpc-message", "no%20room"), ("k", "v")]
    call = answered(engine.peer.headers(1, refused, end=True), engine=engine)
    assert call.told == ["ended 5 'no room' [('k', 'v')] remote"]


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ([(":status", "503")], "ended 14 'the peer answered with HTTP status 503 and no grpc-status' None remote"),
        ([(":status", "404")], "ended 12 'the peer answered with HTTP status 404 and no grpc-status' None remote"),
        (RESPONSE, "ended 2 'the peer ended the call without grpc-status' None remote"),
    ],
)
def test_an_answer_without_a_status_is_never_ok(head: list[tuple[str, str]], told: str) -> None:
    engine = client()
    assert answered(engine.peer.headers(1, head, end=True), engine=engine).told == [told]


@pytest.mark.parametrize(
    ("content_type", "code", "what"), [("text/html", 2, "gRPC"), ("application/grpc+json", 13, "protobuf")]
)
def test_an_answer_of_another_kind_is_an_error_although_it_says_ok(content_type: str, code: int, what: str) -> None:
    engine = client()
    head = engine.peer.headers(1, [(":status", "200"), ("content-type", content_type)])
    call = answered(head, engine.peer.headers(1, OK, end=True), engine=engine)
    text = f'the peer answered with content-type "{content_type}", which is not {what}'
    assert call.told == [f"ended {code} {text!r} None remote"]


@pytest.mark.parametrize("parameters", ["+proto", ";x=y", "+proto;x=y"])
def test_an_answer_may_name_protobuf_or_not(parameters: str) -> None:
    engine = client()
    head = engine.peer.headers(1, [(":status", "200"), ("content-type", f"application/grpc{parameters}")])
    call = answered(head, engine.peer.headers(1, OK, end=True), engine=engine)
    assert call.told == ["responded None", "ended 0 '' None remote"]


def test_a_status_in_the_head_counts_only_when_nothing_follows() -> None:
    engine = client()
    head = engine.peer.headers(1, [*RESPONSE, ("grpc-status", "8")])
    call = answered(head, engine.peer.headers(1, [("grpc-status", "9"), ("t", "u")], end=True), engine=engine)
    assert call.told == ["responded None", "ended 9 '' [('t', 'u')] remote"]


@pytest.mark.parametrize("status", ["0", "9"])
def test_an_answer_without_trailers_is_an_error_whatever_its_head_said(status: str) -> None:
    engine = client()
    head = engine.peer.headers(1, [*RESPONSE, ("grpc-status", status)])
    call = answered(head, engine.peer.data(1, message(b"a"), end=True), engine=engine)
    assert call.told == ["responded None", "ended 13 'the peer ended the call without trailers' None remote"]


@pytest.mark.parametrize(
    ("error", "code", "name", "unprocessed"),
    [
        (CANCEL, 1, "CANCEL", ""),
        (REFUSED_STREAM, 14, "REFUSED_STREAM", " unprocessed"),
        (ENHANCE_YOUR_CALM, 8, "ENHANCE_YOUR_CALM", ""),
    ],
)
def test_a_reset_is_the_status_the_specification_says(error: int, code: int, name: str, unprocessed: str) -> None:
    engine = client()
    told = f"ended {code} 'the peer reset the stream: {name}' None remote{unprocessed}"
    assert answered(engine.peer.reset(1, error), engine=engine).told == [told]


def test_a_cancelled_call_is_one_reset_and_nothing_after_it_is_heard() -> None:
    engine = client()
    call = engine.open()
    call.send_now(b"a")
    engine.says()
    call.send_now(b"never sent")
    call._reset(CANCEL)
    assert engine.says() == ["RstStream 1 CANCEL"]
    assert engine.hears(engine.peer.headers(1, RESPONSE), engine.peer.data(1, message(b"late"))) == []
    assert (call.told, engine.connection.open_calls) == ([], 0)


def test_a_call_cancelled_before_it_left_says_nothing_of_its_message() -> None:
    engine = client()
    call = engine.open(only=b"secret")
    call._reset(CANCEL)
    assert not any("secret" in line for line in engine.says())


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (99, None),
        (100, None),
        (101, "ended 8 'message of 101 bytes exceeds max_receive_message_bytes=100' None local"),
    ],
)
def test_a_message_above_the_limit_ends_the_call_before_any_of_it_is_kept(size: int, told: str | None) -> None:
    engine = client(Limits(max_receive_message_bytes=100))
    call = answered(engine.peer.headers(1, RESPONSE), engine=engine)
    call.told.clear()
    said = engine.hears(engine.peer.data(1, message(bytes(size))[:6]))
    if told is None:
        assert (call.told, said) == ([], [])
    else:
        assert call.told == [told]
        assert said == ["RstStream 1 CANCEL"]


@pytest.mark.parametrize("flag", [1, 2, 255])
def test_a_message_with_a_flag_that_was_not_agreed_on_ends_the_call(flag: int) -> None:
    engine = client()
    call = answered(engine.peer.headers(1, RESPONSE), engine=engine)
    engine.hears(engine.peer.data(1, message(b"x", flag)))
    assert call.take_all() == []
    assert call.told[-1].startswith("ended 13 ")


def test_a_stream_that_ends_inside_a_message_is_an_error_even_with_ok() -> None:
    engine = client()
    call = answered(
        engine.peer.headers(1, RESPONSE),
        engine.peer.data(1, message(b"abc")[:-1]),
        engine.peer.headers(1, OK, end=True),
        engine=engine,
    )
    assert call.told[-1].startswith("ended 13 ")


def test_calls_above_the_last_of_a_goaway_may_be_repeated_and_the_others_go_on() -> None:
    engine = client()
    served, unserved = engine.open(only=b"1"), engine.open(only=b"2")
    engine.says()
    engine.hears(engine.peer.go_away(1, 0, b"bye"))
    assert engine.told[1:] == ["go away 0 'bye'"]
    assert unserved.told[-1].startswith("ended 14 ")
    assert unserved.told[-1].endswith("transport unprocessed")
    engine.hears(
        engine.peer.headers(1, RESPONSE),
        engine.peer.data(1, message(b"a")),
        engine.peer.headers(1, OK, end=True),
    )
    assert served.take_all() == [b"a"]
    with pytest.raises(ConnectionError):
        engine.open()


def test_a_lost_connection_ends_every_call_and_then_itself() -> None:
    engine = client()
    call = answered(engine.peer.headers(1, RESPONSE), engine=engine)
    engine.connection.end_of_input()
    assert call.told[-1].startswith("ended 14 'connection lost: the peer closed it' ")
    assert call.told[-1].endswith(" transport")
    assert engine.told[-1] == "closed 'the peer closed the connection' failed"


def test_a_ping_is_answered() -> None:
    engine = client()
    assert engine.hears(engine.peer.ping(b"8 bytes!")) == ["Ping ACK b'8 bytes!'"]


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ([("Key", "v")], "Key"),
        ([("grpc-x", "v")], "grpc-x"),
        ([("k", "new\nline")], "k"),
        ([("k-bin", "text")], "k-bin"),
        ([("k", b"bytes")], "k"),
        ([(":path", "v")], ":path"),
    ],
)
def test_metadata_that_may_not_be_sent_is_refused_before_anything_is(
    metadata: list[tuple[str, str | bytes]], text: str
) -> None:
    engine = client()
    with pytest.raises(UsageError, match=text):
        engine.open(metadata=metadata)
    assert engine.says() == []
    assert engine.connection.open_calls == 0


@pytest.mark.parametrize("path", ["", "a b", "/a\n", "no slash"])
def test_a_path_that_cannot_be_sent_is_refused(path: str) -> None:
    engine = client()
    with pytest.raises(UsageError, match="cannot be part of a request"):
        engine.open(path)
    assert engine.says() == []
