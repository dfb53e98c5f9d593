"""Does a peer that does not speak gRPC get a clear answer, and does nobody else notice?"""

import asyncio
import logging
import random
import socket
import ssl
import struct
from collections.abc import Iterator

import pytest

import penstock
from tests.e2e.support import connected, until, with_neighbour, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


async def say(address: str, *parts: bytes) -> bytes:
    """Connect, say something, and give all that is answered until the server closes."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return bytes(await within_bound(reader.read()))
    finally:
        writer.close()


# Who is no gRPC client.


HTTP1_REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /a.B/C HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"PRI * HTTP/1.1\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
]


@pytest.mark.parametrize("request_", HTTP1_REQUESTS)
async def test_an_http1_client_is_told_what_this_port_speaks(request_: bytes) -> None:
    async with with_neighbour() as pair:
        answer = await say(pair.address, request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 505 ")
    assert f"content-length: {len(body)}".encode() in head
    assert b"gRPC over HTTP/2" in body


async def test_an_http1_client_that_speaks_in_single_bytes_is_told_the_same() -> None:
    async with with_neighbour() as pair:
        answer = await say(pair.address, b"P", b"O")
    assert answer.startswith(b"HTTP/1.1 505 ")


@pytest.mark.parametrize("request_", HTTP1_REQUESTS)
async def test_an_http1_client_is_closed_and_named_in_the_log(
    request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with with_neighbour() as pair:
        await say(pair.address, request_)
        (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "the peer speaks HTTP/1, not HTTP/2" in record.getMessage()
        assert record.getMessage().startswith("127.0.0.1:")


async def test_a_tls_client_gets_an_alert_that_names_the_cause() -> None:
    reason = await reason_of_a_tls_client()
    assert "PROTOCOL_VERSION" in reason


async def test_a_tls_client_is_closed_and_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert await reason_of_a_tls_client()
    assert "the peer speaks TLS, this connection is plaintext" in caplog.text


async def reason_of_a_tls_client() -> str:
    """Say TLS to a server that does not; give what the client's library makes of the answer."""
    context = ssl.create_default_context()
    async with with_neighbour() as pair:
        host, _, port = pair.address.rpartition(":")
        try:
            await within_bound(asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost"))
        except ssl.SSLError as error:
            return error.reason
        return ""


async def test_garbage_is_closed() -> None:
    chance = random.Random(1)
    async with with_neighbour() as pair:
        for length in (1, 2, 9, 24, 100, 5000):
            garbage = bytes([0x80 | chance.randrange(128)]) + chance.randbytes(length - 1)
            await say(pair.address, garbage)
            assert len(pair.server._core.connections) == 1


@pytest.mark.parametrize("good_bytes", range(1, len(PREFACE)))
async def test_a_preface_that_turns_to_garbage_is_closed(good_bytes: int) -> None:
    async with with_neighbour() as pair:
        await say(pair.address, PREFACE[:good_bytes] + b"\xff")
        assert len(pair.server._core.connections) == 1


def frames_of_garbage() -> Iterator[bytes]:
    """Give byte strings that are no frames a server could accept as the first ones of a client."""
    chance = random.Random(2)
    yield b"\xff" * 100  # a frame far above the largest
    yield bytes([0, 0, 5, 0, 0, 0, 0, 0, 1]) + b"hello"  # DATA of a stream that is not open
    yield bytes([0, 0, 4, 1, 4, 0, 0, 0, 1]) + b"\xff\xff\xff\xff"  # a header block that is none
    yield bytes([0, 0, 4, 8, 0, 0, 0, 0, 0]) + bytes(4)  # WINDOW_UPDATE of nothing
    yield bytes([0, 0, 1, 6, 0, 0, 0, 0, 0]) + b"x"  # a PING that is too short
    yield from (b"\xff" + chance.randbytes(size) for size in (10, 1000, 50_000))


@pytest.mark.parametrize("garbage", list(frames_of_garbage()), ids=range(8))
async def test_a_connection_that_turns_to_garbage_ends_with_goaway_alone(garbage: bytes) -> None:
    async with with_neighbour() as pair:
        answer = await say(pair.address, PREFACE + SETTINGS, garbage)
        goaway_kind = 7
        kinds, at = [], 0
        while at < len(answer):
            kinds.append(answer[at + 3])
            at += 9 + int.from_bytes(answer[at : at + 3], "big")
        assert at == len(answer)
        assert goaway_kind in kinds


@pytest.mark.parametrize("said", [b"", PREFACE[:1], PREFACE[:23], PREFACE, PREFACE + SETTINGS[:8]])
async def test_a_client_that_stays_silent_is_closed_in_time(said: bytes) -> None:
    limits = penstock.Limits(handshake_timeout_seconds=0.02)
    async with with_neighbour(server_limits=limits) as pair:
        await say(pair.address, said)
        assert len(pair.server._core.connections) == 1


async def test_a_client_that_speaks_in_time_stays() -> None:
    async with connected(server_limits=penstock.Limits(handshake_timeout_seconds=0.1)) as pair:
        assert (await pair.client.unary(Note(text="x"))).text == "x"
        (connection,) = pair.server._core.connections
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.2)
        assert (await pair.client.unary(Note(text="y"))).text == "y"
        assert pair.server._core.connections == {connection}


async def test_clients_that_leave_at_once_leave_nothing() -> None:
    async with with_neighbour() as pair:
        host, _, port = pair.address.rpartition(":")
        for said in (b"", PREFACE[:5], PREFACE, PREFACE + SETTINGS) * 5:
            for reset in (0, 1):
                with socket.create_connection((host, int(port))) as client:
                    client.sendall(said)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", reset, 0))
        await within_bound(pair.client.unary(Note()))
        await until(lambda: len(pair.server._core.connections) == 1)


# Who is no gRPC server.


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer speaks HTTP/1, not HTTP/2"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "the peer speaks TLS, this connection is plaintext"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the peer does not speak HTTP/2"),
        (b"\xff" * 20, "the peer does not speak HTTP/2"),
        (b"", "closed the connection"),
    ],
)
async def test_a_server_of_something_else_is_unavailable_and_named(answer: bytes, reason: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(PREFACE))
        writer.write(answer)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        async with penstock.Channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(penstock.Unavailable) as caught:
                await within_bound(EchoClient(channel).unary(Note()))
            assert f"cannot connect to 127.0.0.1:{port}: " in caught.value.message
            assert reason in caught.value.message
            assert caught.value.origin is penstock.Origin.TRANSPORT
            assert caught.value.retryable


async def test_a_server_that_stays_silent_is_unavailable_in_time() -> None:
    silent = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        await silent.wait()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        limits = penstock.Limits(connect_timeout_seconds=0.02)
        async with penstock.Channel(f"127.0.0.1:{port}", limits=limits) as channel:
            with pytest.raises(penstock.Unavailable, match=r"no answer within 0\.02 s"):
                await within_bound(EchoClient(channel).unary(Note()))
        silent.set()
