"""One message for many streams."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from penstock import EndOfStream, Limits, UsageError, broadcast, encode, send_each
from tests.unit.memory import both_ends, settle


class Shout:
    """A codec of its own."""

    def encoder(self, _message_type: type[Any]) -> Callable[[Any], bytes]:
        return lambda text: str(text).upper().encode()

    def decoder(self, _message_type: type[Any]) -> Callable[[bytes], Any]:
        return bytes.decode


class Broken(Shout):
    """A codec that gives no bytes."""

    def encoder(self, _message_type: type[Any]) -> Callable[[Any], Any]:
        return str


def test_a_protobuf_message_and_bytes_are_encoded_without_being_told_how() -> None:
    message = StringValue(value="x")
    assert bytes(encode(message)) == message.SerializeToString()
    assert bytes(encode(b"raw")) == b"raw"
    assert len(encode(b"raw")) == 3


def test_another_codec_is_told() -> None:
    assert bytes(encode("abc", Shout())) == b"ABC"


def test_a_codec_that_gives_no_bytes_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="str was encoded to str, not bytes"):
        encode("abc", Broken())


def test_a_message_without_encoding_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="str is no protobuf message and not bytes: give the codec of its method"):
        encode("abc")


async def test_a_broadcast_reaches_each_stream() -> None:
    async with both_ends() as one, both_ends() as two:
        assert broadcast([one.server, two.server], encode(b"news")) == []
        assert [await one.client.receive(), await two.client.receive()] == [b"news", b"news"]


async def test_a_broadcast_gives_back_those_without_room_and_those_that_are_over() -> None:
    limits = Limits(send_buffer_bytes=1)
    async with both_ends() as good, both_ends(server_limits=limits) as full, both_ends() as over:
        full.channel.wires[1].hold()
        full.server.send_nowait(b"no room behind this")
        over.client.cancel()
        await settle()
        streams = [full.server, good.server, over.server]
        assert broadcast(iter(streams), encode(b"news")) == [full.server, over.server]
        assert await good.client.receive() == b"news"
        full.channel.wires[1].release()


async def test_a_broadcast_of_another_type_is_a_mistake() -> None:
    async with both_ends() as ends:
        with pytest.raises(UsageError, match="this call sends bytes, not StringValue"):
            broadcast([ends.server], encode(StringValue()))  # type: ignore[misc]  # what mypy refuses


async def test_nobody_to_send_to_is_no_error() -> None:
    assert broadcast([], encode(b"news")) == []
    assert send_each([]) == []


async def test_send_each_gives_each_stream_its_own_message_and_returns_the_rest() -> None:
    limits = Limits(send_buffer_bytes=1)
    async with both_ends() as one, both_ends() as two, both_ends(server_limits=limits) as full, both_ends() as over:
        full.channel.wires[1].hold()
        full.server.send_nowait(b"no room behind this")
        over.client.cancel()
        await settle()
        pairs = [(one.server, b"1"), (full.server, b"2"), (over.server, b"3"), (two.server, b"4")]
        assert send_each(iter(pairs)) == [full.server, over.server]
        assert [await one.client.receive(), await two.client.receive()] == [b"1", b"4"]
        full.channel.wires[1].release()


async def test_send_each_leaves_out_a_stream_that_ended_with_ok() -> None:
    async with both_ends() as ends:
        ends.server._finish_ok()
        with pytest.raises(EndOfStream):
            await ends.client.receive()
        assert send_each([(ends.client, b"late")]) == [ends.client]


async def test_send_each_leaves_out_a_stream_that_cannot_take_its_message() -> None:
    limits = Limits(max_send_message_bytes=3)
    async with both_ends() as good, both_ends(server_limits=limits) as small:
        pairs = [(small.server, b"four"), (small.server, StringValue()), (small.server, b"two"), (good.server, b"four")]
        assert send_each(pairs) == [small.server, small.server]  # type: ignore[misc]  # what mypy refuses
        assert [await small.client.receive(), await good.client.receive()] == [b"two", b"four"]


async def test_send_each_raises_what_is_no_refusal_and_those_before_have_their_message() -> None:
    def broken(_message: object) -> None:
        raise LookupError

    async with both_ends() as one, both_ends() as two:
        two.server.on_send(broken)
        with pytest.raises(LookupError):
            send_each([(one.server, b"1"), (two.server, b"2"), (one.server, b"3")])
        one.server.send_nowait(b"4")
        assert [await one.client.receive(), await one.client.receive()] == [b"1", b"4"]


async def test_send_each_takes_nothing_but_pairs() -> None:
    async with both_ends() as ends:
        with pytest.raises((TypeError, ValueError)):
            send_each([(ends.server, b"1", b"2")])  # type: ignore[arg-type]  # what mypy refuses
        with pytest.raises(TypeError):
            send_each([("no stream", b"1")])  # type: ignore[list-item]  # what mypy refuses
