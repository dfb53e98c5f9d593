"""Messages as bytes."""

import pytest
from google.protobuf.message import DecodeError

from penstock import PROTOBUF, RAW
from tests.protos.echo_pb2 import Note


def test_protobuf_messages_come_back_as_they_went() -> None:
    encode, decode = PROTOBUF.encoder(Note), PROTOBUF.decoder(Note)
    assert encode is not None
    assert decode is not None
    note = Note(text="schön", payload=b"\x00\xff", number=2**63)
    assert encode(note) == note.SerializeToString()
    assert decode(encode(note)) == note


def test_a_protobuf_message_that_cannot_be_read_is_an_error() -> None:
    decode = PROTOBUF.decoder(Note)
    assert decode is not None
    with pytest.raises(DecodeError):
        decode(b"\xff")


def test_raw_bytes_need_no_function() -> None:
    assert (RAW.encoder(bytes), RAW.decoder(bytes)) == (None, None)
