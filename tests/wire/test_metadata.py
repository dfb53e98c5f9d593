"""Metadata on the wire: what may be sent, what is read, and that what was read may be sent back."""

import pytest

from penstock import Limits, Metadata, ResourceExhausted, UsageError
from tests.wire.engine import REQUEST, RESPONSE, Call, Engine, Pairs, client, server

OK = [("grpc-status", "0")]
FIELD_BYTES = 32
"""What HTTP/2 counts for a header on top of its name and value. Source: RFC 9113 section 6.5.2."""


def requested(engine: Engine, *headers: tuple[str, str], stream: int = 1) -> Call:
    """A call that has come with this metadata."""
    engine.hears(engine.peer.headers(stream, [*REQUEST, *headers], end=True))
    return engine.calls[stream]


def sent(metadata: Pairs) -> list[str]:
    """Give the lines that a client writes for its metadata."""
    engine = client()
    engine.open(metadata=metadata)
    (said,) = engine.says()
    return said.split("\n  ")[-len(metadata) :]


@pytest.mark.wire("W11")
def test_a_key_has_digits_lower_case_letters_and_three_signs() -> None:
    key = "0123456789abcdefghijklmnopqrstuvwxyz_-."
    assert sent([(key, "v")]) == [f"{key}: v"]


@pytest.mark.wire("W11")
@pytest.mark.parametrize(
    "key",
    [
        "Upper", "a b", "a!", "a/b", "\xfc", "", ":path", ":status", "grpc-status", "grpc-timeout", "grpc-anything",
        "te", "content-type", "user-agent", "host", "connection", "transfer-encoding",
    ],
)  # fmt: skip
def test_no_other_key_and_none_of_the_protocol_is_sent(key: str) -> None:
    engine = client()
    with pytest.raises(UsageError, match=r"metadata key .* (is reserved|may only hold)"):
        engine.open(metadata=[(key, "v")])
    assert engine.says() == []
    engine = server()
    call = requested(engine)
    with pytest.raises(UsageError):
        call._respond([(key, "v")])
    with pytest.raises(UsageError):
        call._finish(0, "", None, [(key, "v")], False)


@pytest.mark.wire("W11")
def test_programs_may_write_keys_in_any_case() -> None:
    assert sent(Metadata({"X-Key": "v"}).pairs()) == ["x-key: v"]


@pytest.mark.wire("W12")
def test_every_printable_character_of_ascii_is_sent_and_white_space_at_the_ends_is_not() -> None:
    printable = "".join(map(chr, range(0x21, 0x7F)))
    assert sent([("k", printable), ("l", "  a  b ")]) == [f"k: {printable}", "l: a  b"]


@pytest.mark.wire("W12")
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "\x7f", "\x1f", "\xfc", "☺", "a\tb"])
def test_no_other_character_of_ones_own_is_sent(value: str) -> None:
    with pytest.raises(UsageError, match="printable ASCII"):
        sent([("k", value)])


FOREIGN = [("latin", "caf\xe9"), ("tab", "a\tb"), ("high", "\xff\x80")]
"""Values that HTTP allows and gRPC does not."""


@pytest.mark.wire("W12")
def test_a_value_that_only_http_allows_is_read_and_may_be_sent_back() -> None:
    engine = server()
    call = requested(engine, *FOREIGN)
    assert call.metadata == FOREIGN
    assert call._respond(call.metadata)
    call._finish(0, "", None, call.metadata, False)
    initial, trailers = (frame.split("\n  ") for frame in engine.says())
    echoed = [f"{key}: {value}" for key, value in FOREIGN]
    assert initial[-3:] == echoed
    assert trailers[-3:] == echoed


def test_a_name_that_only_http_allows_is_no_metadata() -> None:
    assert requested(server(), ("a!b", "1"), ("a~", "2"), ("fine", "3")).metadata == [("fine", "3")]


def test_names_of_grpc_that_belong_to_applications_are_metadata_and_the_others_are_not() -> None:
    call = requested(
        server(),
        ("grpc-trace-bin", "AAE"),
        ("grpc-previous-rpc-attempts", "1"),
        ("grpc-anything", "x"),
        ("grpc-accept-encoding", "identity"),
    )
    assert call.metadata == [("grpc-trace-bin", b"\0\1"), ("grpc-previous-rpc-attempts", "1")]


@pytest.mark.wire("W13")
def test_bytes_are_sent_in_base64_without_padding() -> None:
    assert sent([("a-bin", b"a"), ("b-bin", b"\xfb\xff"), ("c-bin", b"abc"), ("d-bin", b"")]) == [
        "a-bin: YQ",
        "b-bin: +/8",
        "c-bin: YWJj",
        "d-bin: ",
    ]


@pytest.mark.wire("W13")
def test_bytes_are_read_with_padding_and_without_and_several_of_them_joined_by_commas() -> None:
    call = requested(
        server(), ("k-bin", "YQ"), ("k-bin", "YQ=="), ("l", "1"), ("k-bin", "Yg==,Yw, ZA"), ("l", "2"), ("k-bin", "")
    )
    assert [value for key, value in call.metadata if key == "k-bin"] == [b"a", b"a", b"b", b"c", b"d", b""]
    assert [value for key, value in call.metadata if key == "l"] == ["1", "2"]


@pytest.mark.wire("W13")
@pytest.mark.parametrize("text", ["%%%", "Y", "YQ==YQ", "Y Q", "\xe9"])
def test_what_is_not_base64_is_an_internal_error_and_harms_no_other_call(text: str) -> None:
    engine = server()
    (said,) = engine.hears(engine.peer.headers(1, [*REQUEST, ("k-bin", text)], end=True))
    assert ":status: 400" in said
    assert '\n  grpc-status: 13\n  grpc-message: the value of metadata key "k-bin" is not base64' in said
    assert requested(engine, ("k-bin", "YQ"), stream=3).metadata == [("k-bin", b"a")]
    for in_trailers in (False, True):
        engine = client()
        call = engine.open(only=b"q")
        engine.says()
        wrong = ("k-bin", text)
        if in_trailers:
            engine.hears(engine.peer.headers(1, RESPONSE), engine.peer.headers(1, [*OK, wrong], end=True))
        else:
            engine.hears(engine.peer.headers(1, [*RESPONSE, wrong]))
        assert call.told[-1].startswith("ended 13 ")


def size(headers: list[tuple[str, str]]) -> int:
    """Count a header list as HTTP/2 does."""
    return sum(len(key) + len(value) + FIELD_BYTES for key, value in headers)


def filled(headers: list[tuple[str, str]], total: int) -> list[tuple[str, str]]:
    """Add one header, so that the list has so many bytes."""
    return [*headers, ("k", "v" * (total - size(headers) - len("k") - FIELD_BYTES))]


LIMIT = 2000


@pytest.mark.wire("W14")
@pytest.mark.parametrize(("total", "over"), [(LIMIT - 1, False), (LIMIT + 1, True), (LIMIT * 3, True)])
def test_a_request_above_the_limit_is_refused_and_the_next_one_is_read_well(total: int, over: bool) -> None:
    engine = server(Limits(max_metadata_bytes=LIMIT))
    said = engine.hears(engine.peer.headers(1, filled([*REQUEST, ("x", "remembered")], total), end=True))
    if over:
        assert said[0].startswith("Headers 1 END_STREAM\n  :status: 431")
        assert engine.told == ["settings"]
    else:
        assert engine.told[-1].startswith("opened 1 ")
    # It refers to what the refused one put into the table of header compression.
    assert requested(engine, ("x", "remembered"), stream=3).metadata == [("x", "remembered")]


@pytest.mark.wire("W14")
@pytest.mark.parametrize(("total", "over"), [(LIMIT, False), (LIMIT + 1, True), (LIMIT * 3, True), (LIMIT * 15, True)])
def test_a_response_head_above_the_limit_is_resource_exhausted_and_ends_its_call_alone(total: int, over: bool) -> None:
    engine = client(Limits(max_metadata_bytes=LIMIT))
    call, other = engine.open(only=b"q"), engine.open(only=b"q")
    engine.says()
    said = engine.hears(engine.peer.headers(1, filled([*RESPONSE, ("x", "remembered")], total)))
    if over:
        assert call.told[-1].startswith("ended 8 ")
        assert call.told[-1].endswith(" local")
        assert [line.partition(" ")[0] for line in said] == ["RstStream"]
    else:
        assert call.told[-1].startswith("responded ")
    engine.hears(engine.peer.headers(3, [*RESPONSE, ("x", "remembered")]))
    assert other.told == ["responded [('x', 'remembered')]"]


@pytest.mark.wire("W14")
@pytest.mark.parametrize("status", ["0", "5"])
@pytest.mark.parametrize(("total", "over"), [(LIMIT, False), (LIMIT + 1, True), (LIMIT * 3, True)])
def test_of_trailers_above_the_limit_an_error_is_left_and_an_ok_is_none(status: str, total: int, over: bool) -> None:
    engine = client(Limits(max_metadata_bytes=LIMIT))
    call, other = engine.open(only=b"q"), engine.open(only=b"q")
    engine.says()
    trailers = filled([("grpc-status", status), ("x", "remembered")], total)
    engine.hears(engine.peer.headers(1, RESPONSE), engine.peer.headers(1, trailers, end=True))
    if not over:
        assert call.told[-1].startswith(f"ended {status} '' [('x', 'remembered'), ('k', 'vv")
    elif status == "0":
        text = f"headers of {total} bytes exceed max_metadata_bytes={LIMIT}"
        assert call.told[-1] == f"ended 8 '{text}' None local"
    else:
        assert call.told[-1] == "ended 5 '' None remote"
    engine.hears(engine.peer.headers(3, [*RESPONSE, ("x", "remembered")]))
    assert other.told == ["responded [('x', 'remembered')]"]


@pytest.mark.wire("W14")
def test_the_limit_is_told_to_the_peer() -> None:
    for is_client in (True, False):
        engine = Engine(client=is_client, limits=Limits(max_metadata_bytes=LIMIT))
        said = engine.says() if is_client else engine.hears(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", engine.peer.settings())
        assert said[0].endswith(f" MAX_HEADER_LIST_SIZE={LIMIT}")


@pytest.mark.wire("W14")
@pytest.mark.parametrize("encoded", [False, True])
def test_no_head_is_sent_that_is_larger_than_the_peer_takes(encoded: bool) -> None:
    def of_size(total: int) -> Pairs:
        if encoded:  # each three bytes are four characters
            return [("k-bin", bytes(total * 3 // 4))]
        return [("k", "v" * total)]

    engine = client(max_header_list_size=1000)
    engine.open(metadata=of_size(400))
    engine.says()
    with pytest.raises(ResourceExhausted, match="exceed the peer's limit of 1000"):
        engine.open(metadata=of_size(1000))
    assert engine.says() == []
    engine = server(max_header_list_size=1000)
    call = requested(engine)
    with pytest.raises(ResourceExhausted, match="exceed the peer's limit of 1000"):
        call._respond(of_size(1000))
    assert call._respond(of_size(800))


@pytest.mark.wire("W14", "W20")
def test_trailers_that_are_larger_than_the_peer_takes_keep_their_code() -> None:
    engine = server(max_header_list_size=4000)
    call = requested(engine)
    call._finish(9, "m" * 5000, b"\x08\x09", [("k", "v")], False)
    (said,) = engine.says()
    assert said.endswith("\n  grpc-status: 9\n  grpc-message: " + "m" * 1024)
    call = requested(engine, stream=3)
    call._finish(0, "", None, [("k", "v" * 5000)], False)
    (said,) = engine.says()
    assert "\n  grpc-status: 8\n  grpc-message: trailing headers of " in said
