"""Does wrong input get a clear answer, and break nothing else?"""

import asyncio
import errno
import logging
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

import penstock
from tests.e2e.support import Echo, Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@asynccontextmanager
async def with_neighbour(**options: Any) -> AsyncIterator[Pair]:
    """Give a pair with a call in progress, which has to go on undisturbed, on its own connection."""
    async with connected(**options) as pair, pair.client.both_stream() as neighbour:
        await neighbour.send(Note(number=1))
        await within_bound(neighbour.receive())
        (connection,) = pair.server.connections
        yield pair
        await neighbour.send(Note(number=2))
        assert (await within_bound(neighbour.receive())).number == 2
        assert connection in pair.server.connections


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
            assert len(pair.server.connections) == 1


@pytest.mark.parametrize("good_bytes", range(1, len(PREFACE)))
async def test_a_preface_that_turns_to_garbage_is_closed(good_bytes: int) -> None:
    async with with_neighbour() as pair:
        await say(pair.address, PREFACE[:good_bytes] + b"\xff")
        assert len(pair.server.connections) == 1


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
        assert len(pair.server.connections) == 1


async def test_clients_that_leave_at_once_leave_nothing() -> None:
    async with with_neighbour() as pair:
        host, _, port = pair.address.rpartition(":")
        for said in (b"", PREFACE[:5], PREFACE, PREFACE + SETTINGS) * 5:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(said)
            writer.close()
        await within_bound(pair.client.unary(Note()))
        await until(lambda: len(pair.server.connections) == 1)


# Who is no gRPC server.


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer speaks HTTP/1, not HTTP/2"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "the peer speaks TLS, this connection is plaintext"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP/2"),
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


# Calls that cannot be.


@pytest.mark.parametrize(
    "path", ["/penstock.test.echo.Echo/Nothing", "/no.Such/Unary", "/", "//", "/penstock.test.echo.Echo"]
)
async def test_an_unknown_method_is_unimplemented_by_its_path(path: str) -> None:
    async with with_neighbour() as pair:
        for payload in (b"", bytes(100_000)):
            async with pair.channel.stream(path) as stream:
                with pytest.raises(penstock.RpcError, match="unknown method") as caught:
                    await stream.send_many([payload] * 3)
                    await stream.end_sending()
                    await within_bound(stream.receive())
                assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED
                assert caught.value.message == f"unknown method {path}"


async def test_a_method_nobody_wrote_is_unimplemented() -> None:
    class Nothing(penstock.Service):
        METHODS: ClassVar[Mapping[str, Any]] = {"unary": Echo.METHODS["unary"]}

        async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
            raise penstock.unimplemented(self.METHODS["unary"])

    async with connected(Nothing()) as pair:
        with pytest.raises(penstock.RpcError, match="/Unary is not implemented") as caught:
            await pair.client.unary(Note())
        assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("path", ["", "no-slash", "/a b", "/a\r\nb", "/\0", "http://x/y", "/" + "x" * 70_000])
async def test_a_path_that_is_none_is_a_usage_error(path: str) -> None:
    async with with_neighbour() as pair:
        with pytest.raises(penstock.UsageError, match="cannot be part of a request"):
            async with pair.channel.stream(path):
                pass


@pytest.mark.parametrize("tail", ["?x", "?", "#x"])
async def test_a_path_with_a_query_is_another_method(tail: str) -> None:
    async with connected() as pair:
        outcome = "answered"
        try:
            async with pair.channel.stream(pair.client_method("unary").path + tail) as stream:
                await stream.send(b"")
                await stream.end_sending()
                await within_bound(stream.receive())
        except penstock.UsageError:
            outcome = "refused"
        except penstock.RpcError as error:
            outcome = error.code.name
    assert outcome in {"refused", "UNIMPLEMENTED"}


@pytest.mark.parametrize("authority", ["bad host", "a/b", "ü", "a\r\nb"])
async def test_an_authority_that_is_none_is_a_usage_error(authority: str) -> None:
    async with connected() as pair, penstock.Channel(pair.address, authority=authority) as channel:
        with pytest.raises(penstock.UsageError, match="cannot be part of a request"):
            await EchoClient(channel).unary(Note())


@pytest.mark.parametrize("wrong", [None, "text", b"bytes", 5, Note], ids=repr)
async def test_a_request_of_the_wrong_type_is_no_call_at_all(wrong: Any) -> None:
    async with connected() as pair:
        for call in (pair.client.unary, pair.client.server_stream):
            with pytest.raises(penstock.UsageError, match="this call sends Note, not"):
                call(wrong)
        assert pair.channel.state is penstock.ChannelState.IDLE


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("bad key", "x", "may only hold"),
        ("", "x", "may only hold"),
        ("ü", "x", "may only hold"),
        (":path", "x", "may only hold"),
        ("te", "x", "is reserved"),
        ("Content-Type", "x", "is reserved"),
        ("grpc-timeout", "1S", "is reserved"),
        ("k", "ü", "must be printable ASCII"),
        ("k", "a\nb", "must be printable ASCII"),
        ("k", b"x", "takes bytes if it ends in -bin"),
        ("k-bin", "x", "takes bytes if it ends in -bin"),
    ],
)
async def test_metadata_that_may_not_be_sent_is_a_usage_error_that_names_it(
    key: str, value: str | bytes, text: str
) -> None:
    limits = penstock.Limits(max_concurrent_streams=3)
    async with with_neighbour(server_limits=limits) as pair:
        for _ in range(5):  # more often than there are places: each is given back
            with pytest.raises(penstock.UsageError, match=text) as caught:
                await pair.client.unary(Note(), metadata={"good": "x", key: value})
            assert f'"{key.lower()}"' in str(caught.value)
            with pytest.raises(penstock.UsageError, match=text):
                async with pair.client.both_stream(metadata=[(key, value)]):
                    pass
        assert await within_bound(pair.client.unary(Note(text="well"))) == Note(text="well")


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan"), float("-inf")])
async def test_a_timeout_that_cannot_be_is_a_usage_error(timeout: float) -> None:
    async with connected() as pair:
        with pytest.raises(penstock.UsageError, match="timeout is a number of seconds"):
            pair.client.unary(Note(), timeout=timeout)


# Addresses.


@pytest.mark.parametrize(
    "address", ["", "localhost", "127.0.0.1", ":50051", "127.0.0.1:http", "::1:5", "unix:", "a:65536"]
)
async def test_an_address_of_another_form_is_a_usage_error_that_shows_the_forms(address: str) -> None:
    forms = r"is no address: write 'host:port', '\[::1\]:port' or 'unix:/path'"
    with pytest.raises(penstock.UsageError, match=forms):
        penstock.Channel(address)
    server = penstock.Server([Echo()])
    with pytest.raises(penstock.UsageError, match=forms):
        async with server.listening("127.0.0.1:0", address):
            pytest.fail("it listens")
    assert server.addresses == ()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051", "example.invalid:50051"])
async def test_plaintext_beyond_this_machine_is_a_usage_error_unless_asked_for(address: str) -> None:
    with pytest.raises(penstock.UsageError, match="write plaintext=True"):
        penstock.Channel(address)
    penstock.Channel(address, plaintext=True)
    server = penstock.Server([Echo()])
    with pytest.raises(penstock.UsageError, match="write plaintext=True"):
        async with server.listening("127.0.0.1:0", address):
            pytest.fail("it listens")
    assert server.addresses == ()


async def test_a_public_address_is_served_in_plaintext_when_asked_for() -> None:
    server = penstock.Server([Echo()])
    async with server.listening("0.0.0.0:0", plaintext=True) as bound:
        port = bound.rpartition(":")[2]
        async with penstock.Channel(f"127.0.0.1:{port}") as channel:
            assert await within_bound(EchoClient(channel).unary(Note(text="x"))) == Note(text="x")


async def test_a_port_in_use_is_an_os_error_and_leaves_no_address_open() -> None:
    async with with_neighbour() as pair:
        second = penstock.Server([Echo()])
        with pytest.raises(OSError, match="address already in use") as caught:
            async with second.listening("127.0.0.1:0", pair.address):
                pytest.fail("it listens")
        assert caught.value.errno == errno.EADDRINUSE
        assert second.addresses == ()
        async with second.listening("127.0.0.1:0") as other, penstock.Channel(other) as channel:
            assert await within_bound(EchoClient(channel).unary(Note(text="2"))) == Note(text="2")


async def test_the_unix_socket_of_a_living_server_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with with_neighbour(address=f"unix:{path}") as pair:
        with pytest.raises(OSError, match="another server listens on") as caught:
            async with penstock.Server([Echo()]).listening(f"unix:{path}"):
                pytest.fail("it listens")
        assert caught.value.errno == errno.EADDRINUSE
        async with penstock.Channel(pair.address) as channel:
            assert await within_bound(EchoClient(channel).unary(Note(text="x"))) == Note(text="x")
    assert not path.exists()


async def test_the_unix_socket_of_a_dead_server_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    assert path.is_socket()
    async with connected(address=f"unix:{path}") as pair:
        await within_bound(pair.client.unary(Note()))


async def test_a_file_is_not_taken_for_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        async with penstock.Server([Echo()]).listening(f"unix:{path}"):
            pytest.fail("it listens")
    assert path.read_text() == "precious"


async def test_a_successor_may_take_the_unix_socket_while_calls_still_finish(tmp_path: Path) -> None:
    address = f"unix:{tmp_path / 'socket'}"
    async with connected(address=address) as first, first.client.both_stream() as stream:
        await stream.send(Note())
        await within_bound(stream.receive())
        stopping = asyncio.create_task(first.server.stop(grace=10))
        await asyncio.sleep(0)
        async with connected(address=address) as second:
            await stream.end_sending()
            await within_bound(stopping)
            async with penstock.Channel(second.address) as channel:
                assert await within_bound(EchoClient(channel).unary(Note(text="2"))) == Note(text="2")


# Servers that cannot be.


class Missing(penstock.Service):
    METHODS: ClassVar[Mapping[str, Any]] = {"unari": Echo.METHODS["unary"]}


class NoFunction(Echo):
    unary = 5  # type: ignore[assignment]


class SyncGenerator(Echo):
    def server_stream(self, request: Note, stream: Any) -> Any:
        yield request


class YieldsItsOneReply(Echo):
    async def unary(self, request: Note, call: Any) -> Any:
        yield request


@pytest.mark.parametrize(
    ("services", "text"),
    [
        ([object()], "a object is no service with METHODS: pass objects of generated bases"),
        ([None], "a NoneType is no service"),
        ([Echo], "the class Echo is no service"),
        ([penstock.Service()], "a Service is no service with METHODS"),
        ([Missing()], "Missing has no method 'unari' for /penstock.test.echo.Echo/Unary"),
        ([NoFunction()], "NoFunction has no method 'unary'"),
        ([SyncGenerator()], "SyncGenerator.server_stream is a sync generator; write `async def`"),
        ([YieldsItsOneReply()], "YieldsItsOneReply.unary yields, but .* has one reply: return it"),
        ([Echo(), Echo()], "/penstock.test.echo.Echo/Unary is served twice"),
    ],
)
def test_a_server_of_wrong_services_is_a_usage_error(services: list[Any], text: str) -> None:
    with pytest.raises(penstock.UsageError, match=text):
        penstock.Server(services)


def sync_generator(stream: Any) -> Any:
    yield stream


@pytest.mark.parametrize("fallback", [5, "text", sync_generator], ids=repr)
def test_a_fallback_of_another_form_is_a_usage_error(fallback: Callable[..., Any]) -> None:
    with pytest.raises(penstock.UsageError, match="fallback is `async def handler"):
        penstock.Server([Echo()], fallback=fallback)


async def test_a_server_that_listens_already_and_one_without_an_address_are_usage_errors() -> None:
    server = penstock.Server([Echo()])
    with pytest.raises(penstock.UsageError, match="give at least one address"):
        async with server.listening():
            pytest.fail("it listens")
    async with server.listening("127.0.0.1:0") as address:
        with pytest.raises(penstock.UsageError, match="is listening already"):
            async with server.listening("127.0.0.1:0"):
                pytest.fail("it listens twice")
        async with penstock.Channel(address) as channel:
            assert await within_bound(EchoClient(channel).unary(Note(text="x"))) == Note(text="x")
