"""A method as both sides know it."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from penstock import PROTOBUF, RAW, Kind, Limits, Method, ResourceExhausted, UsageError, _engine, encode
from penstock.method import client_codec, raw_method, server_codec

METHOD = Method("/a.B/C", Kind.UNARY, StringValue, Int32Value)
REQUEST, REPLY = StringValue(value="q"), Int32Value(value=7)


def encoded_by(codec: _engine.Codec, message: Any) -> object:
    """What a stream with this codec would send."""
    stream: _engine.StreamBase[Any, Any] = _engine.StreamBase(codec)
    return stream._encode(message)


@pytest.mark.parametrize(
    ("kind", "one_request", "one_reply"),
    [
        (Kind.UNARY, True, True),
        (Kind.SERVER_STREAM, True, False),
        (Kind.CLIENT_STREAM, False, True),
        (Kind.BOTH_STREAM, False, False),
    ],
)
def test_a_kind_says_which_side_sends_one_message(kind: Kind, one_request: bool, one_reply: bool) -> None:
    assert (kind.one_request, kind.one_reply) == (one_request, one_reply)


def test_messages_are_protobuf_unless_told_otherwise() -> None:
    assert METHOD.codec is PROTOBUF


def test_equal_methods_share_a_place_in_a_dictionary() -> None:
    assert {METHOD: 1}[Method("/a.B/C", Kind.UNARY, StringValue, Int32Value)] == 1


def test_a_raw_method_carries_bytes_many_both_ways() -> None:
    raw = raw_method("/a.B/C")
    assert raw == Method("/a.B/C", Kind.BOTH_STREAM, bytes, bytes, RAW)
    assert encoded_by(client_codec(raw, Limits()), b"as it is") == b"as it is"


def test_a_client_sends_requests_and_a_server_replies() -> None:
    assert encoded_by(client_codec(METHOD, Limits()), REQUEST) == REQUEST.SerializeToString()
    assert encoded_by(server_codec(METHOD, Limits()), REPLY) == REPLY.SerializeToString()


@pytest.mark.parametrize(
    ("make", "wrong", "text"),
    [
        (client_codec, REPLY, "this call sends StringValue, not Int32Value"),
        (server_codec, REQUEST, "this call sends Int32Value, not StringValue"),
        (client_codec, b"bytes", "this call sends StringValue, not bytes"),
        (client_codec, None, "this call sends StringValue, not NoneType"),
        (client_codec, encode(REPLY), "this call sends StringValue, not Int32Value"),
    ],
)
def test_another_type_is_a_mistake_of_the_program(
    make: Callable[[Method[Any, Any], Limits], _engine.Codec], wrong: object, text: str
) -> None:
    with pytest.raises(UsageError, match=f"^{text}$"):
        encoded_by(make(METHOD, Limits()), wrong)


def test_a_message_may_be_as_large_as_the_limit() -> None:
    codec = client_codec(raw_method("/a.B/C"), Limits(max_send_message_bytes=4))
    for size in (3, 4):
        assert encoded_by(codec, bytes(size)) == bytes(size)
    for message in (bytes(5), encode(bytes(5))):
        with pytest.raises(ResourceExhausted, match=r"message of 5 bytes exceeds max_send_message_bytes=4"):
            encoded_by(codec, message)


def test_the_codec_of_a_method_is_asked_once_for_each_type() -> None:
    asked: list[tuple[str, type[Any]]] = []

    class Upper:
        def encoder(self, message_type: type[Any]) -> Callable[[Any], bytes]:
            asked.append(("encoder", message_type))
            return lambda text: str(text).upper().encode()

        def decoder(self, message_type: type[Any]) -> Callable[[bytes], Any]:
            asked.append(("decoder", message_type))
            return bytes.decode

    codec = client_codec(Method("/a.B/C", Kind.UNARY, str, bytes, Upper()), Limits())
    assert encoded_by(codec, "abc") == b"ABC"
    assert asked == [("encoder", str), ("decoder", bytes)]
