"""Is a call over TLS a call like any other, and does each side learn who the other one is?"""

import asyncio
import ssl

import pytest

import penstock
from tests.certificates import CLIENT_NAME, SERVER_NAMES, Certificates
from tests.e2e.support import Echo, connected, fill_up, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

MIB = 1024 * 1024


async def test_it_works_over_every_kind_of_socket(address: str, certificates: Certificates) -> None:
    async with connected(address=address, tls=certificates) as pair:
        assert await within_bound(pair.client.unary(Note(text="hello"))) == Note(text="hello")


@pytest.mark.wire("W46")
async def test_handlers_and_calls_know_the_peer(certificates: Certificates) -> None:
    seen: list[penstock.TlsPeer | None] = []

    async def note_peer(request: Note, call: penstock.ServerCall) -> Note:
        seen.append(call.tls)
        return request

    async with connected(Echo(unary=note_peer), tls=certificates) as pair:
        call = pair.client.unary(Note())
        assert call.tls is None
        await within_bound(call)
    (client,), server = seen, call.tls
    assert client is not None
    assert server is not None
    assert (client.names, server.names) == ((CLIENT_NAME,), SERVER_NAMES)
    assert (client.version, client.cipher) == (server.version, server.cipher)
    assert client.certificate is not None
    assert (("commonName", CLIENT_NAME),) in client.certificate["subject"]


async def test_in_plaintext_there_is_no_tls_peer() -> None:
    async def note_peer(request: Note, call: penstock.ServerCall) -> Note:
        return Note(text=str(call.tls))

    async with connected(Echo(unary=note_peer)) as pair:
        call = pair.client.unary(Note())
        assert (await within_bound(call)).text == "None"
        assert call.tls is None


@pytest.mark.wire("W46")
async def test_the_authority_is_the_name_that_is_asked_for_and_verified(certificates: Certificates) -> None:
    asked: list[str | None] = []
    context = certificates.server_context(certificates.issue("service.test"))
    context.sni_callback = lambda _session, name, _context: asked.append(name)
    authorities: list[str] = []

    async def note_authority(request: Note, call: penstock.ServerCall) -> Note:
        authorities.append(call.authority)
        return request

    async with penstock.Server([Echo(unary=note_authority)]).listening("127.0.0.1:0", tls=context) as address:
        for authority in ("service.test", "service.test:8443"):
            async with penstock.Channel(address, tls=certificates.client_context(), authority=authority) as channel:
                await within_bound(EchoClient(channel).unary(Note()))
    assert asked == ["service.test"] * 2
    assert authorities == ["service.test", "service.test:8443"]


@pytest.mark.wire("W46")
async def test_the_name_asked_for_may_choose_the_certificate(certificates: Certificates) -> None:
    contexts = {name: certificates.server_context(certificates.issue(name)) for name in ("a.test", "b.test")}

    def choose(session: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        session.context = contexts[name or ""]

    default = certificates.server_context()
    default.sni_callback = choose
    async with penstock.Server([Echo()]).listening("127.0.0.1:0", tls=default) as address:
        for name in contexts:
            async with penstock.Channel(address, tls=certificates.client_context(), authority=name) as channel:
                call = EchoClient(channel).unary(Note())
                await within_bound(call)
                assert call.tls is not None
                assert call.tls.names == (name,)


@pytest.mark.wire("W46")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_it_works_in_each_version(certificates: Certificates, version: ssl.TLSVersion) -> None:
    context = certificates.server_context()
    context.maximum_version = version
    async with penstock.Server([Echo()]).listening("localhost:0", tls=context) as address:
        async with penstock.Channel(address, tls=certificates.client_context()) as channel:
            call = EchoClient(channel).unary(Note(payload=bytes(MIB)))
            assert (await within_bound(call)).payload == bytes(MIB)
            assert call.tls is not None
            assert call.tls.version == version.name.replace("_", ".")


async def test_the_system_is_trusted_when_asked_to_be(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    context = penstock.tls.server_context(certificates.server, certificates.server)
    async with penstock.Server([Echo()]).listening("localhost:0", tls=context) as address:
        async with penstock.Channel(address, tls=True) as channel:
            await within_bound(EchoClient(channel).unary(Note()))


async def test_large_messages_pass_both_ways_at_once(certificates: Certificates) -> None:
    async with connected(tls=certificates) as pair, pair.client.both_stream() as stream:
        sent = [Note(number=number, payload=bytes([number]) * (3 * MIB + number)) for number in range(10)]
        sending = asyncio.create_task(stream.send_many(sent))
        for note in sent:
            assert await within_bound(stream.receive()) == note
        await sending


async def test_a_peer_that_reads_nothing_leaves_what_is_unsent_in_the_engine(certificates: Certificates) -> None:
    limits = penstock.Limits(stream_window_bytes=64 * MIB)
    entered = asyncio.Event()

    async def flood(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        entered.set()
        await fill_up(stream, 64 * 1024)
        await asyncio.Event().wait()

    async with connected(Echo(server_stream=flood), client_limits=limits, tls=certificates) as pair:
        async with pair.client.server_stream(Note()) as stream:
            assert stream._connection is not None
            assert stream._connection._transport is not None
            stream._connection._transport.pause_reading()
            await entered.wait()
            (connection,) = pair.server._core.connections
            await until(lambda: connection.is_full)
            assert connection._transport is not None
            # The piece the kernel did not take whole, with what TLS adds to it.
            assert 0 < connection._transport.get_write_buffer_size() <= 256 * 1024 + 16 * 1024
            stream._connection._transport.resume_reading()
            await until(lambda: not connection.is_full)


async def test_a_slow_reader_costs_its_own_stream_only(certificates: Certificates) -> None:
    limits = penstock.Limits(stream_window_bytes=16 * 1024, send_buffer_bytes=4 * 1024)

    async def feed(request: Note, stream: penstock.ServerStream[Note, Note]) -> None:
        number = 0
        while True:
            await stream.send(Note(number=number, payload=bytes(1000)))
            number += 1

    async with (
        connected(Echo(server_stream=feed), server_limits=limits, client_limits=limits, tls=certificates) as pair,
        pair.client.server_stream(Note()) as stopped,
    ):
        await until(lambda: stopped._held_bytes >= limits.stream_window_bytes)
        async with pair.client.server_stream(Note()) as stream:
            for number in range(200):
                assert (await within_bound(stream.receive())).number == number
        assert stopped._held_bytes <= limits.stream_window_bytes + 1020
        for number in range(200):
            assert (await within_bound(stopped.receive())).number == number


async def test_calls_say_that_they_are_secure(certificates: Certificates) -> None:
    async with connected(tls=certificates) as pair:
        await pair.client.unary(Note())
        connector = pair.channel._connector
        assert connector is not None
        assert connector.newest is not None
        assert connector.newest._secure
