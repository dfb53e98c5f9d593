"""Metadata on the wire: what may be sent, what is read, and that what was read may be sent back."""

from tests.wire.engine import REQUEST, Call, Engine, server

FOREIGN = [("latin", "caf\xe9"), ("tab", "a\tb"), ("high", "\xff\x80")]
"""Values that HTTP allows and gRPC does not."""


def requested(engine: Engine, *headers: tuple[str, str]) -> Call:
    """A call that has come with this metadata."""
    engine.hears(engine.peer.headers(1, [*REQUEST, *headers], end=True))
    return engine.calls[1]


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
