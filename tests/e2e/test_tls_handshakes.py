"""When a handshake fails: does each side hear why, and does nobody else notice?"""

import asyncio
import logging
import socket
import ssl
import struct
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import penstock
from tests.certificates import Certificates
from tests.e2e.support import Echo, until, with_neighbour, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

REFUSED = "TLS failed: the peer refuses: "


def nothing_that_is_trusted(certificates: Certificates) -> ssl.SSLContext:
    return penstock.tls.client_context(certificates.other_ca, certificates.client)


def no_certificate(certificates: Certificates) -> ssl.SSLContext:
    return penstock.tls.client_context(certificates.ca)


def an_expired_certificate(certificates: Certificates) -> ssl.SSLContext:
    return certificates.client_context(certificates.issue("device-8", expired=True))


CLIENTS: list[tuple[Callable[[Certificates], ssl.SSLContext], str, str]] = [
    (nothing_that_is_trusted, "self-signed certificate in certificate chain", "the peer refuses: unknown ca"),
    (no_certificate, "the peer refuses: certificate required", "peer did not return a certificate"),
    (an_expired_certificate, "the peer refuses: certificate expired", "certificate has expired"),
]


@pytest.mark.wire("W46")
@pytest.mark.parametrize(("make", "client_hears", "server_logs"), CLIENTS)
async def test_both_sides_hear_why(
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Certificates], ssl.SSLContext],
    client_hears: str,
    server_logs: str,
) -> None:
    async with with_neighbour(tls=certificates) as pair:
        await fails(pair.address, client_hears, tls=make(certificates))
        await until(lambda: len(pair.server._core.connections) == 1)
    assert server_logs in only_line(caplog)


async def test_a_server_with_another_name_is_refused(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with with_neighbour(tls=certificates) as pair:
        hears = "Hostname mismatch, certificate is not valid for 'other.test'"
        await fails(pair.address, hears, tls=certificates.client_context(), authority="other.test")
        await until(lambda: len(pair.server._core.connections) == 1)
    assert "the peer refuses: bad certificate" in only_line(caplog)


async def test_an_expired_server_is_refused(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    context = certificates.server_context(certificates.issue("127.0.0.1", expired=True))
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0", tls=context) as address:
        await fails(address, "certificate has expired", tls=certificates.client_context())
        await until(lambda: not server._core.connections)
    assert "the peer refuses: certificate expired" in only_line(caplog)


async def test_a_client_in_plaintext_is_told_that_this_port_speaks_tls(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with with_neighbour(tls=certificates) as pair:
        await fails(pair.address, "the peer speaks TLS, this connection is plaintext")
        await until(lambda: len(pair.server._core.connections) == 1)
    assert "the peer does not speak TLS" in only_line(caplog)


async def test_a_client_with_tls_is_told_that_this_port_may_speak_plaintext(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with with_neighbour() as pair:
        await fails(pair.address, "perhaps it speaks plaintext", tls=certificates.client_context())
        await until(lambda: len(pair.server._core.connections) == 1)
    assert "the peer speaks TLS, this connection is plaintext" in only_line(caplog)


@pytest.mark.wire("W46")
async def test_a_version_before_1_2_is_refused(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    context = old_client(certificates)
    async with with_neighbour(tls=certificates) as pair:
        with pytest.raises(ssl.SSLError, match="protocol version"):
            await connect(pair.address, context)
        await until(lambda: len(pair.server._core.connections) == 1)
    assert "unsupported protocol" in only_line(caplog)


@pytest.mark.wire("W46")
@pytest.mark.parametrize("offered", [[], ["http/1.1"]])
async def test_a_client_that_does_not_offer_http2_is_closed(
    certificates: Certificates, caplog: pytest.LogCaptureFixture, offered: list[str]
) -> None:
    context = certificates.foreign_client_context(*offered)
    async with with_neighbour(tls=certificates) as pair:
        reader, writer = await connect(pair.address, context)
        assert await within_bound(reader.read()) == b""
        writer.close()
        await until(lambda: len(pair.server._core.connections) == 1)
    assert "the peer does not choose HTTP/2 by ALPN" in only_line(caplog)


@pytest.mark.wire("W46")
@pytest.mark.parametrize("chosen", [[], ["http/1.1"]])
async def test_a_server_that_does_not_choose_http2_is_refused(certificates: Certificates, chosen: list[str]) -> None:
    context = certificates.foreign_server_context(*chosen)
    ends: list[asyncio.Task[bytes]] = []

    async def note_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        ends.append(task)
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(note_end, "127.0.0.1", 0, ssl=context)
    host, port = listener.sockets[0].getsockname()
    await fails(f"{host}:{port}", "the peer does not choose HTTP/2 by ALPN", tls=certificates.client_context())
    await until(lambda: ends)
    await within_bound(asyncio.wait(ends))
    listener.close()
    await listener.wait_closed()


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"])
async def test_a_client_that_stays_silent_is_closed_in_time(certificates: Certificates, said: bytes) -> None:
    limits = penstock.Limits(handshake_timeout_seconds=0.05)
    async with with_neighbour(tls=certificates, server_limits=limits) as pair:
        reader, writer = await connect(pair.address)
        writer.write(said)
        assert await within_bound(reader.read()) == b""
        writer.close()
        await until(lambda: len(pair.server._core.connections) == 1)


async def test_a_refused_client_that_never_closes_is_closed_in_time(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    limits = penstock.Limits(handshake_timeout_seconds=0.05)
    async with with_neighbour(tls=certificates, server_limits=limits) as pair:
        _reader, writer = await connect(pair.address)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: len(pair.server._core.connections) == 2)
        await until(lambda: len(pair.server._core.connections) == 1)
        writer.close()
    assert "the peer speaks HTTP, not TLS" in only_line(caplog)


async def test_a_server_that_never_answers_fails_the_attempt_in_time(certificates: Certificates) -> None:
    accepted: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _reader, writer: accepted.append(writer), "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    limits = penstock.Limits(connect_timeout_seconds=0.05)
    await fails(f"{host}:{port}", r"no answer within 0\.05 s", tls=certificates.client_context(), limits=limits)
    for writer in accepted:
        writer.close()
    listener.close()
    await listener.wait_closed()


async def test_a_client_that_leaves_in_the_middle_is_one_line_in_the_log_and_a_probe_is_none(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with with_neighbour(tls=certificates) as pair:
        for said, lines in ((b"", 0), (b"\x16\x03\x01", 1)):
            for reset in (False, True):
                before = len(caplog.records)
                _reader, writer = await connect(pair.address)
                await until(lambda: len(pair.server._core.connections) == 2)
                writer.write(said)
                if reset:
                    made: socket.socket = writer.get_extra_info("socket")
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.close()
                await until(lambda: len(pair.server._core.connections) == 1)
                assert len(caplog.records) - before <= lines
                if not reset:  # a reset may overtake what was said
                    assert len(caplog.records) - before == lines


async def test_a_context_that_fails_is_an_error_in_the_log_and_hangs_up(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(ssl.SSLContext):
        fails = False

        def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
            if self.fails:
                raise RuntimeError("a mistake of the program")
            return super().wrap_bio(*given, **named)

    context = Failing(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0", tls=context) as address:
        context.fails = True
        await fails(address, "the peer closed the connection|reset by peer", tls=certificates.client_context())
        assert not server._core.connections
        context.fails = False
        async with penstock.Channel(address, tls=certificates.client_context(), authority="localhost") as channel:
            await EchoClient(channel).unary(Note())
    assert [record.levelname for record in caplog.records if record.name == "penstock.server"] == ["ERROR"]
    assert "a mistake of the program" in caplog.text


async def test_stopping_ends_handshakes_that_are_under_way(certificates: Certificates) -> None:
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0", tls=certificates.server_context()) as address:
        reader, writer = await connect(address)
        await until(lambda: server._core.connections)
        assert await within_bound(server.stop(10)) == penstock.StopReport(0, (), ())
        assert await within_bound(reader.read()) == b""
        writer.close()


async def test_closing_a_channel_ends_a_handshake_that_is_under_way(certificates: Certificates) -> None:
    accepted: list[asyncio.StreamReader] = []
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(reader)
        writers.append(writer)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    channel = penstock.Channel(f"{host}:{port}", tls=certificates.client_context())
    call = asyncio.ensure_future(EchoClient(channel).unary(Note()))
    await until(lambda: accepted)
    await within_bound(channel.close())
    with pytest.raises(penstock.Cancelled):
        await within_bound(call)
    hello = await within_bound(accepted[0].read())
    assert hello[0] == 0x16
    writers[0].close()
    listener.close()
    await listener.wait_closed()


# What is done above.


async def fails(address: str, reason: str, **options: object) -> None:
    """Call, and hear why that is impossible."""
    async with penstock.Channel(address, **options) as channel:  # type: ignore[arg-type]
        with pytest.raises(penstock.Unavailable, match=f"cannot connect to .*{reason}") as caught:
            await within_bound(EchoClient(channel).unary(Note()))
        assert (caught.value.retryable, caught.value.origin) == (True, penstock.Origin.TRANSPORT)
        connector = channel._connector
        assert connector is not None
        await until(lambda: not connector.connections)


async def connect(
    address: str, context: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Be a client of another make: the loop's own TLS."""
    host, _, port = address.rpartition(":")
    name = None if context is None else "localhost"
    made: tuple[asyncio.StreamReader, asyncio.StreamWriter] = await within_bound(
        asyncio.open_connection(host, int(port), ssl=context, server_hostname=name)
    )
    return made


def old_client(certificates: Certificates) -> ssl.SSLContext:
    """A client that speaks TLS 1.1 and nothing later."""
    context = certificates.client_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def only_line(caplog: pytest.LogCaptureFixture) -> str:
    """Give what the server logged; it is one line, without a traceback, and names the client."""
    (record,) = [record for record in caplog.records if record.name == "penstock.server"]
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert not [record for record in caplog.records if record.name == "asyncio"]
    assert record.getMessage().startswith("127.0.0.1:")
    return record.getMessage()
