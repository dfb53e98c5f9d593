"""The head of a request: what a client writes, and what a server makes of it."""

import pytest

import penstock
from tests.wire.engine import REQUEST, Engine, client, server
from tests.wire.frames import head

CONTENT_TYPE = "content-type"


def request(*changes: tuple[str, str]) -> list[tuple[str, str]]:
    """The least a client says, with some of it replaced, added, or (an empty value) left out."""
    return [pair for pair in {**dict(REQUEST), **dict(changes)}.items() if pair[1]]


def answers(*changes: tuple[str, str], more: tuple[tuple[str, str], ...] = ()) -> tuple[Engine, list[str]]:
    """What a server says to a request without messages."""
    engine = server()
    return engine, engine.hears(engine.peer.headers(1, [*request(*changes), *more], end=True))


def assert_serves_the_next(engine: Engine) -> None:
    engine.hears(engine.peer.headers(3, REQUEST, end=True))
    assert engine.told[-1].startswith("opened 3 /a.B/C")
    assert not any(line.startswith("closed") for line in engine.told)


@pytest.mark.wire("W1")
@pytest.mark.parametrize(("secure", "scheme"), [(False, "http"), (True, "https")])
def test_the_head_names_the_call_before_the_metadata_and_the_timeout_before_all_but_pseudo_headers(
    secure: bool, scheme: str
) -> None:
    engine = client()
    engine.open("/pkg.Service/MethodName", timeout_seconds=2, metadata=[("a", "v")], secure=secure)
    assert engine.says() == [
        head(
            "Headers 1",
            ":method: POST",
            f":scheme: {scheme}",
            ":authority: host:1",
            ":path: /pkg.Service/MethodName",
            "grpc-timeout: 2000000u",
            "te: trailers",
            "content-type: application/grpc",
            "grpc-accept-encoding: identity,deflate,gzip",
            f"user-agent: grpc-python-penstock/{penstock.__version__}",
            "a: v",
        )
    ]


@pytest.mark.wire("W1")
def test_a_path_is_told_in_the_case_it_came_in() -> None:
    engine, _ = answers((":path", "/Pkg.SERVICE/method"))
    assert engine.told[-1].startswith("opened 1 /Pkg.SERVICE/method ")


@pytest.mark.wire("W2")
@pytest.mark.parametrize("kind", ["application/json", "text/html", "application/grpcx", "application/grpc-web", ""])
def test_another_content_type_is_an_http_error_and_no_status(kind: str) -> None:
    engine, said = answers((CONTENT_TYPE, kind))
    assert said == ["Headers 1 END_STREAM\n  :status: 415"]
    assert_serves_the_next(engine)


@pytest.mark.wire("W2")
@pytest.mark.parametrize(
    "kind",
    ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8", "application/grpc+proto; a=b"],
)
def test_protobuf_is_served_however_it_is_called(kind: str) -> None:
    engine, said = answers((CONTENT_TYPE, kind))
    assert engine.told[-1].startswith("opened 1 ")
    assert said == []


@pytest.mark.wire("W2")
def test_a_subtype_nobody_knows_is_unimplemented() -> None:
    engine, (said,) = answers((CONTENT_TYPE, "application/grpc+thrift"))
    assert said.startswith("Headers 1 END_STREAM\n  :status: 200")
    assert "\n  grpc-status: 12\n" in said
    assert_serves_the_next(engine)


@pytest.mark.wire("W3")
@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "post"])
def test_another_method_is_an_http_error(method: str) -> None:
    engine, said = answers((":method", method))
    assert said == ["Headers 1 END_STREAM\n  :status: 405"]
    assert_serves_the_next(engine)


@pytest.mark.wire("W3")
@pytest.mark.parametrize("name", [":method", ":path", ":scheme"])
def test_a_request_without_method_or_path_is_malformed_and_ends_its_stream_alone(name: str) -> None:
    engine, said = answers((name, ""))
    assert said == ["RstStream 1 PROTOCOL_ERROR"]
    assert_serves_the_next(engine)


@pytest.mark.wire("W4")
def test_two_authorities_are_malformed() -> None:
    engine = server()
    twice = [*REQUEST[:4], (":authority", "other:1"), *REQUEST[4:]]
    assert engine.hears(engine.peer.headers(1, twice, end=True)) == ["RstStream 1 PROTOCOL_ERROR"]
    assert_serves_the_next(engine)


@pytest.mark.wire("W4")
def test_two_hosts_are_an_internal_error() -> None:
    engine, (said,) = answers(more=(("host", "one"), ("host", "two")))
    assert said.startswith("Headers 1 END_STREAM\n  :status: 400\n  content-type: application/grpc\n")
    assert said.endswith("\n  grpc-status: 13\n  grpc-message: more than one host")
    assert_serves_the_next(engine)


@pytest.mark.wire("W4")
@pytest.mark.parametrize(
    ("authority", "host", "told"), [("", "one", "one"), ("host:1", "one", "host:1"), ("host:1", "", "host:1")]
)
def test_a_host_stands_in_for_a_missing_authority_and_is_no_metadata(authority: str, host: str, told: str) -> None:
    engine, _ = answers((":authority", authority), ("host", host))
    assert engine.told[-1] == f"opened 1 /a.B/C {told} None None"


@pytest.mark.wire("W4")
@pytest.mark.parametrize(
    "pair", [("connection", "close"), ("keep-alive", "1"), ("transfer-encoding", "chunked"), ("te", "gzip")]
)
def test_headers_of_a_connection_are_malformed(pair: tuple[str, str]) -> None:
    engine, said = answers(pair)
    assert said == ["RstStream 1 PROTOCOL_ERROR"]
    assert_serves_the_next(engine)


@pytest.mark.wire("W15")
def test_settings_that_nobody_knows_are_taken_and_acknowledged() -> None:
    true_binary_metadata = 0xFE03
    engine = server()
    assert engine.hears(engine.peer.settings_by_number({true_binary_metadata: 1, 0xABCD: 7})) == ["Settings ACK"]
    assert_serves_the_next(engine)
    engine = client()
    assert engine.hears(engine.peer.settings_by_number({true_binary_metadata: 1})) == ["Settings ACK"]
    engine.open(only=b"q")
    assert engine.says()[-1] == r"Data 1 END_STREAM b'\x00\x00\x00\x00\x01q'"


@pytest.mark.wire("W47")
def test_the_application_stands_before_the_library_in_the_user_agent() -> None:
    engine = Engine(client=True, user_agent="my-app/1.2")
    engine.says()
    engine.hears(engine.peer.settings())
    engine.open()
    assert f"\n  user-agent: my-app/1.2 grpc-python-penstock/{penstock.__version__}" in engine.says()[0]


@pytest.mark.wire("W47")
@pytest.mark.parametrize("name", ["a\nb", "ü", "\x7f"])
def test_a_user_agent_that_cannot_be_sent_is_refused(name: str) -> None:
    with pytest.raises(penstock.UsageError, match="user_agent"):
        penstock.Channel("127.0.0.1:1", user_agent=name)
    with pytest.raises(penstock.UsageError, match="user_agent"):
        Engine(client=True, user_agent=name)
