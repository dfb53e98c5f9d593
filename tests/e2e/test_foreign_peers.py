"""Does a peer that does not speak gRPC get a clear answer, and does nobody else notice?"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import penstock
from tests.e2e.support import Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
TLS_HELLO = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(194)


@asynccontextmanager
async def _with_a_neighbour(limits: penstock.Limits | None = None) -> AsyncIterator[Pair]:
    """Give a server with a call going on, which goes on after the block as well."""
    async with connected(server_limits=limits) as pair, pair.client.both_stream() as neighbour:
        await neighbour.send(Note(text="before"))
        assert (await within_bound(neighbour.receive())).text == "before"
        yield pair
        await neighbour.send(Note(text="after"))
        assert (await within_bound(neighbour.receive())).text == "after"
        await neighbour.finish()
        assert (await pair.client.unary(Note(text="new"))).text == "new"


async def _say(address: str, *parts: bytes) -> bytes:
    """Say something to a server and give all it answers until it closes."""
    reader, writer = await asyncio.open_connection(*address.rsplit(":", 1))
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        answer: bytes = await within_bound(reader.read())
    except ConnectionError:
        answer = b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return answer


@pytest.mark.parametrize("method", [b"GET / HTTP/1.1", b"POST /a.B/C HTTP/1.1", b"HEAD / HTTP/1.0"])
async def test_an_http1_client_gets_505_and_a_sentence(method: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with _with_a_neighbour() as pair:
        answer = await _say(pair.address, method + b"\r\nhost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 505 ")
    assert b"connection: close" in head
    assert body == b"This port speaks gRPC over HTTP/2, only.\r\n"
    assert "the peer speaks HTTP/1, not HTTP/2" in caplog.text


@pytest.mark.parametrize("cut", [1, 2, 10, 23])
async def test_an_http1_client_is_known_however_its_bytes_arrive(cut: int) -> None:
    request = b"POST /a.B/C HTTP/1.1\r\nhost: x\r\n\r\n"
    async with _with_a_neighbour() as pair:
        assert (await _say(pair.address, request[:cut], request[cut:])).startswith(b"HTTP/1.1 505 ")


async def test_a_tls_hello_gets_an_alert(caplog: pytest.LogCaptureFixture) -> None:
    async with _with_a_neighbour() as pair:
        assert await _say(pair.address, TLS_HELLO) == b"\x15\x03\x01\x00\x02\x02\x46"
    assert "the peer speaks TLS, this connection is plaintext" in caplog.text


async def test_a_tls_client_fails_with_the_name_of_the_alert() -> None:
    async with _with_a_neighbour() as pair:
        host, port = pair.address.rsplit(":", 1)
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            await asyncio.open_connection(host, int(port), ssl=ssl.create_default_context())


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\1\2\3garbage",
        b"hello?\n",
        b"pri * http/2.0\r\n\r\nsm\r\n\r\n",
        bytes(100_000),
        PREFACE + b"\xff" * 1000,
        PREFACE + SETTINGS + b"\0\0\5\0\1\0\0\0\1hello",  # DATA on a stream that was never opened
        PREFACE + SETTINGS + b"\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff",  # a header block that cannot be decoded
        PREFACE + b"\0\0\4\0\0\0\0\0\1data",  # no SETTINGS first
    ],
    ids=lambda garbage: repr(garbage[:40]),
)
async def test_garbage_ends_its_own_connection_only(garbage: bytes) -> None:
    async with _with_a_neighbour() as pair:
        answer = await _say(pair.address, garbage)
        assert b"HTTP/1.1" not in answer
        await until(lambda: len(pair.server.connections) == 1)


@pytest.mark.parametrize("start", [b"", PREFACE[:1], PREFACE[:-1], PREFACE[:3]])
async def test_a_client_that_says_nothing_more_is_shown_the_door(start: bytes) -> None:
    async with _with_a_neighbour(penstock.Limits(handshake_timeout_seconds=0.1)) as pair:
        await _say(pair.address, start)  # returns when the server has closed
        await until(lambda: len(pair.server.connections) == 1)


async def test_a_client_that_speaks_in_time_stays() -> None:
    async with connected(server_limits=penstock.Limits(handshake_timeout_seconds=0.1)) as pair:
        assert (await pair.client.unary(Note(text="x"))).text == "x"
        (connection,) = pair.server.connections
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.2)
        assert (await pair.client.unary(Note(text="y"))).text == "y"
        assert pair.server.connections == {connection}


async def test_clients_that_connect_and_go_leave_nothing() -> None:
    async with _with_a_neighbour() as pair:
        host, port = pair.address.rsplit(":", 1)
        for start in (b"", b"GET", PREFACE, PREFACE + SETTINGS):
            for linger in (False, True):
                with socket.create_connection((host, int(port))) as client:
                    client.sendall(start)
                    if linger:  # close() resets the connection
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await until(lambda: len(pair.server.connections) == 1)


@asynccontextmanager
async def _foreign_server(answer: bytes) -> AsyncIterator[str]:
    """Serve something that is no gRPC."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
            writer.write(answer)
            await writer.drain()
            while await reader.read(65536):
                pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer speaks HTTP/1, not HTTP/2"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "the peer speaks TLS, this connection is plaintext"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "the peer"),
        (b"\0\1\2\3garbage", "the peer does not speak HTTP/2"),
    ],
)
async def test_a_client_says_what_kind_of_server_it_found(answer: bytes, reason: str) -> None:
    async with _foreign_server(answer) as address, penstock.Channel(address) as channel:
        with pytest.raises(penstock.Unavailable, match=reason) as caught:
            await within_bound(channel.stream("/a.B/C").__aenter__())
        assert address in str(caught.value)
        assert caught.value.origin is penstock.Origin.TRANSPORT


async def test_a_client_names_a_server_that_closes_at_once() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server, penstock.Channel(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as channel:
        with pytest.raises(penstock.Unavailable, match=r"cannot connect to 127.0.0.1:\d+: .*(closed|lost|reset)"):
            await within_bound(channel.stream("/a.B/C").__aenter__())


async def test_a_client_gives_a_silent_server_its_connect_timeout_and_no_more() -> None:
    limits = penstock.Limits(connect_timeout_seconds=0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with penstock.Channel(f"127.0.0.1:{silent.getsockname()[1]}", limits=limits) as channel:
            with pytest.raises(penstock.Unavailable, match=r"no answer within 0.1 s"):
                await within_bound(channel.stream("/a.B/C").__aenter__())
