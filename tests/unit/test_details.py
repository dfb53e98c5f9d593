"""Details of a status in their binary header."""

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

from penstock import StatusCode
from penstock._details import pack, unpack

# google.rpc.Status: code (field 1) = 5, message (field 2) = "no", nothing else.
NOT_FOUND_NO = b"\x08\x05\x12\x02no"


def wrapped(text: str) -> Any:
    packed = Any()
    packed.Pack(StringValue(value=text))
    return packed


def test_the_bytes_are_those_of_google_rpc_status() -> None:
    detail = wrapped("x").SerializeToString()
    expected = NOT_FOUND_NO + b"\x1a" + bytes([len(detail)]) + detail
    assert pack(StatusCode.NOT_FOUND, "no", [StringValue(value="x")]) == expected


def test_a_detail_that_is_wrapped_already_is_not_wrapped_again() -> None:
    assert pack(StatusCode.ABORTED, "", [wrapped("x")]) == pack(StatusCode.ABORTED, "", [StringValue(value="x")])


def test_details_come_back_in_order_each_in_an_any() -> None:
    first, second = unpack(pack(StatusCode.ABORTED, "", [StringValue(value="x"), Duration(seconds=2)]))
    text, pause = StringValue(), Duration()
    assert first.Unpack(text)
    assert second.Unpack(pause)
    assert (text.value, pause.seconds) == ("x", 2)


def test_a_status_without_details_has_none() -> None:
    assert unpack(NOT_FOUND_NO) == ()
    assert unpack(b"") == ()


@pytest.mark.parametrize("broken", [b"\xff", NOT_FOUND_NO[:-1], b"\x1a\x02\xff\xff"])
def test_what_cannot_be_read_counts_as_no_details(broken: bytes) -> None:
    assert unpack(broken) == ()


@given(st.binary(max_size=40))
def test_whatever_a_peer_sends_is_read_without_an_exception(data: bytes) -> None:
    assert isinstance(unpack(data), tuple)


@given(st.lists(st.text(max_size=20), max_size=4))
def test_any_texts_come_back(texts: list[str]) -> None:
    packed = pack(StatusCode.INTERNAL, "message", [StringValue(value=text) for text in texts])
    assert unpack(packed) == tuple(wrapped(text) for text in texts)
