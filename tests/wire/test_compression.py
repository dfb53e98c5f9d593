"""Compressed messages, frame by frame: what is agreed on, marked, and wrong. Source: gRPC compression.md."""

import gzip
import zlib
from typing import Never

import pytest

import penstock
from penstock import Compression
from tests.e2e.support import Echo, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.wire.engine import REQUEST, RESPONSE, client, server
from tests.wire.frames import message
from tests.wire.sockets import RawPeer, client_of, server_of

OK = [("grpc-status", "0")]
UNARY = [*REQUEST[:2], (":path", "/penstock.test.echo.Echo/Unary"), *REQUEST[3:]]
FEED = [*REQUEST[:2], (":path", "/penstock.test.echo.Echo/ServerStream"), *REQUEST[3:]]
GZIP = ("grpc-encoding", "gzip")
TEXT = "some text " * 100
ZIPPED = gzip.compress(Note(text=TEXT).SerializeToString())
LARGE = gzip.compress(bytes(1_000_000))


async def say_unary(raw: RawPeer, payload: bytes, *headers: tuple[str, str]) -> None:
    raw.say(raw.frames.headers(1, [*UNARY, *headers]), raw.frames.data(1, message(payload, 1), end=True))


@pytest.mark.wire("W27")
@pytest.mark.parametrize(
    ("coding", "payload"), [("gzip", ZIPPED), ("deflate", zlib.compress(Note(text=TEXT).SerializeToString()))]
)
async def test_a_marked_message_is_expanded_with_the_coding_that_the_head_names(coding: str, payload: bytes) -> None:
    async with client_of(penstock.Server([Echo()])) as raw:
        await say_unary(raw, payload, ("grpc-encoding", coding))
        plain = Note(text=TEXT).SerializeToString()
        assert await raw.hear("Data 1") == f"Data 1 {len(message(plain))} bytes"
        assert "grpc-status: 0" in await raw.hear("Headers 1 END_STREAM")


@pytest.mark.wire("W27")
def test_a_mark_without_a_coding_is_internal() -> None:
    for coding in ([], [("grpc-encoding", "identity")]):
        engine = server()
        engine.hears(engine.peer.headers(1, [*REQUEST, *coding]))
        (said, *_) = engine.hears(engine.peer.data(1, message(ZIPPED, 1)))
        assert "grpc-status: 13" in said
        engine = client()
        call = engine.open(only=b"q")
        engine.says()
        engine.hears(engine.peer.headers(1, [*RESPONSE, *coding]), engine.peer.data(1, message(ZIPPED, 1)))
        assert call.told[-1].startswith("ended 13 ")


@pytest.mark.wire("W27", "W28")
@pytest.mark.parametrize("name", ["br", "gzip,deflate", "GZIP", "snappy", ""])
def test_a_coding_that_a_server_does_not_know_is_unimplemented_and_the_answer_says_what_it_knows(name: str) -> None:
    engine = server()
    (said,) = engine.hears(engine.peer.headers(1, [*REQUEST, ("grpc-encoding", name)], end=True))
    assert "\n  grpc-status: 12\n" in said
    assert "\n  grpc-accept-encoding: identity,deflate,gzip\n" in said
    assert engine.told == ["settings"]


@pytest.mark.wire("W28")
@pytest.mark.parametrize(
    "payload", [b"no gzip", ZIPPED[:-1], ZIPPED[:20], ZIPPED + b"x", b"", LARGE[:-1], LARGE + b"x"]
)
async def test_what_cannot_be_expanded_is_internal_either_way(payload: bytes) -> None:
    async with client_of(penstock.Server([Echo()])) as raw:
        await say_unary(raw, payload, GZIP)
        assert "grpc-status: 13" in await raw.hear("Headers 1 END_STREAM")
    async with server_of() as (channel, raw_server):
        async with EchoClient(channel).server_stream(Note()) as stream:
            raw = await raw_server.connection()
            await raw.hear("Data 1 END_STREAM")
            raw.say(
                raw.frames.headers(1, [*RESPONSE, GZIP]),
                raw.frames.data(1, message(payload, 1)),
                raw.frames.headers(1, OK, end=True),
            )
            with pytest.raises(penstock.RpcError) as caught:
                await within_bound(stream.receive())
            assert caught.value.code == penstock.StatusCode.INTERNAL


@pytest.mark.wire("W28")
async def test_expanding_stops_at_the_limit() -> None:
    bomb = gzip.compress(Note(payload=bytes(10_000_000)).SerializeToString())
    assert len(bomb) < 20_000
    async with client_of(penstock.Server([Echo()])) as raw:
        await say_unary(raw, bomb, GZIP)
        assert "grpc-status: 8" in await raw.hear("Headers 1 END_STREAM")


class Feeding(Echo):
    """Sends one message compressed, if it may, and one as it is."""

    def __init__(self) -> None:
        super().__init__(server_stream=self._feed)

    async def _feed(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        await stream.send(Note(text=TEXT))
        await stream.send(Note(text="plain"), compress=False)


@pytest.mark.wire("W29")
@pytest.mark.parametrize(
    ("offer", "used"),
    [("identity,deflate,gzip", True), ("gzip", True), ("deflate", False), ("identity", False), ("", False)],
)
async def test_a_server_compresses_only_with_what_the_client_offered_and_not_what_it_is_told_not_to(
    offer: str, used: bool
) -> None:
    server = penstock.Server([Feeding()], compression=Compression.GZIP)
    offered = [("grpc-accept-encoding", offer)] if offer else []
    plain = len(message(Note(text=TEXT).SerializeToString())) + len(message(Note(text="plain").SerializeToString()))
    async with client_of(server) as raw:
        raw.say(raw.frames.headers(1, [*FEED, *offered]), raw.frames.data(1, message(b""), end=True))
        head = await raw.hear("Headers 1")
        assert ("\n  grpc-encoding: gzip" in head) == used
        await until_heard(raw, "Headers 1 END_STREAM")
        sizes = [int(line.split()[2]) for line in raw.heard if line.startswith("Data 1") and line.endswith(" bytes")]
        assert (sum(sizes) < plain // 2) == used


async def until_heard(raw: RawPeer, beginning: str) -> None:
    """Read on to a frame, and keep those before it."""
    kept: list[str] = []
    while not kept or not kept[-1].startswith(beginning):
        kept.append(await raw.hear(""))
    raw.heard[:0] = kept


@pytest.mark.wire("W29")
@pytest.mark.parametrize("garbage", [b"x", b"\0", ZIPPED[:10]])
async def test_what_follows_a_whole_message_is_corrupt_and_several_gzip_members_are_one_message(garbage: bytes) -> None:
    first, second = Note(text="one").SerializeToString(), Note(number=2).SerializeToString()
    async with client_of(penstock.Server([Echo()])) as raw:
        await say_unary(raw, gzip.compress(first) + gzip.compress(second), GZIP)
        assert await raw.hear("Data 1") == f"Data 1 {message(first + second)!r}"
    async with client_of(penstock.Server([Echo()])) as raw:
        await say_unary(raw, gzip.compress(first) + garbage, GZIP)
        assert "grpc-status: 13" in await raw.hear("Headers 1 END_STREAM")
