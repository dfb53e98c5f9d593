"""TLS between a socket and the engine, without a socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock import Limits, _tls_session, tls
from penstock._tls_session import MOST_UNSENT_BYTES, NO_TLS, PIECE_BYTES, TlsSession
from penstock._transport import Transport
from tests.certificates import CLIENT_NAME, SERVER_NAMES, Certificates
from tests.unit.memory import Wire, attach, join, settle

ALERT, HANDSHAKE, DATA = 21, 22, 23
"""Kinds of records."""


class Half(Transport):
    """One side of a connection; notes what it is told."""

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None = None) -> None:
        is_client = server_hostname is not None
        super().__init__(
            Limits(), asyncio.get_running_loop(), client=is_client, context=context, server_hostname=server_hostname
        )
        self.told: list[str] = []

    @property
    def session(self) -> TlsSession:
        assert self._session is not None
        return self._session

    def _on_settings(self) -> None:
        self.told.append("settings")

    def _on_tls_failed(self, reason: str) -> None:
        self.told.append(reason)
        super()._on_tls_failed(reason)


class Halves:
    """Client, server and their ends of the wire."""

    def __init__(self, client_context: ssl.SSLContext, server_context: ssl.SSLContext, name: str) -> None:
        self.client, self.server = Half(client_context, name), Half(server_context)
        self.client_wire, self.server_wire = join(self.client, self.server)

    async def end(self) -> None:
        for half in (self.client, self.server):
            half.abort("the test is over")
        await asyncio.wait([self.client.ended, self.server.ended])


@asynccontextmanager
async def joined(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, name: str = "localhost"
) -> AsyncIterator[Halves]:
    """Let two sides shake hands."""
    halves = Halves(client_context, server_context, name)
    await settle()
    try:
        yield halves
    finally:
        await halves.end()


@asynccontextmanager
async def alone(context: ssl.SSLContext) -> AsyncIterator[tuple[Half, Wire]]:
    """A server's side, connected to nobody."""
    server = Half(context)
    wire = attach(server)
    yield server, wire
    server.abort("the test is over")
    await server.ended


def kinds(written: bytearray) -> list[int]:
    """Give the kinds of the records."""
    found, at = [], 0
    while at < len(written):
        found.append(written[at])
        at += 5 + int.from_bytes(written[at + 3 : at + 5], "big")
    assert at == len(written)
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_two_sides_learn_of_each_other(certificates: Certificates, version: ssl.TLSVersion) -> None:
    client_context, server_context = certificates.client_context(), certificates.server_context()
    client_context.minimum_version = client_context.maximum_version = version
    async with joined(client_context, server_context) as both:
        assert (both.client.told, both.server.told) == (["settings"], ["settings"])
        assert both.client.tls is not None
        assert both.server.tls is not None
        assert both.client.tls.version == both.server.tls.version == version.name.replace("_", ".")
        assert both.client.tls.cipher == both.server.tls.cipher
        assert both.client.tls.names == SERVER_NAMES
        assert both.server.tls.names == (CLIENT_NAME,)
        assert both.server.tls.certificate is not None
        assert both.server.tls.certificate_der == ssl.PEM_cert_to_DER_cert(
            certificates.client.read_text().split("KEY-----\n")[-1]
        )


async def test_a_client_without_a_certificate_has_no_name(certificates: Certificates) -> None:
    context = tls.server_context(certificates.server, certificates.server)
    async with joined(certificates.client_context(), context) as both:
        assert both.server.tls is not None
        peer = both.server.tls
        assert (peer.certificate, peer.certificate_der, peer.names) == (None, None, ())


async def test_a_certificate_that_nobody_verified_names_nobody(certificates: Certificates) -> None:
    context = certificates.client_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with joined(context, certificates.server_context()) as both:
        assert both.client.tls is not None
        peer = both.client.tls
        assert (peer.certificate, peer.names) == (None, ())
        assert peer.certificate_der is not None


async def test_nothing_but_tls_is_on_the_wire(certificates: Certificates) -> None:
    async with joined(certificates.client_context(), certificates.server_context()) as both:
        for wire in (both.client_wire, both.server_wire):
            assert b"HTTP/2.0" not in wire.written
            assert kinds(wire.written)[0] == HANDSHAKE
            assert kinds(wire.written)[-1] == DATA


async def test_a_session_fed_in_single_bytes_hears_the_same(certificates: Certificates) -> None:
    client_context = certificates.client_context()
    client, server = Half(client_context, "localhost"), Half(certificates.server_context())
    client_wire, server_wire = attach(client), attach(server)
    sent = [0, 0]
    for _ in range(10):
        for index, (near, far) in enumerate(((client_wire, server), (server_wire, client))):
            for byte in bytes(near.written[sent[index] :]):
                memoryview(far.get_buffer(-1))[0] = byte
                far.buffer_updated(1)
            sent[index] = len(near.written)
        await asyncio.sleep(0)
    assert (client.told, server.told) == (["settings"], ["settings"])
    for half in (client, server):
        half.abort("the test is over")
        await half.ended


async def test_a_large_write_is_encrypted_in_pieces_and_arrives_whole(certificates: Certificates) -> None:
    async with joined(certificates.client_context(), certificates.server_context()) as both:
        pings = (bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8)) * 9_000
        before = both.server.engine.frames_received
        both.client.session.write(memoryview(pings))
        assert len(pings) > 2 * PIECE_BYTES
        await settle()
        assert both.server.engine.frames_received == before + 9_000


async def test_after_a_long_read_others_go_first(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    async with joined(certificates.client_context(), certificates.server_context()) as both:
        server, wire = both.server, both.server_wire
        for seconds, rests in ((60.0, False), (0.0, True)):
            monkeypatch.setattr(_tls_session, "LONG_SECONDS", seconds)
            before = server.engine.frames_received
            both.client.session.write(bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8))
            await asyncio.sleep(0)
            assert server.engine.frames_received == before + 1
            assert wire.reading is not rests
            await asyncio.sleep(0)
            assert wire.reading


async def test_who_rests_does_not_read_on_while_the_engine_is_behind(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with joined(certificates.client_context(), certificates.server_context()) as both:
        server, wire = both.server, both.server_wire
        monkeypatch.setattr(_tls_session, "LONG_SECONDS", 0.0)
        both.client.session.write(bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8))
        await asyncio.sleep(0)
        server._on_backlog()
        await settle()
        assert not wire.reading
        server._on_backlog_gone()
        assert wire.reading


# What fails.


async def failing(client: ssl.SSLContext, server: ssl.SSLContext, name: str = "localhost") -> list[str]:
    """Give the reasons that client and server have."""
    async with joined(client, server, name) as both:
        assert both.server.tls is None
        return [(half.told or [half.reason])[0] for half in (both.client, both.server)]


async def test_an_unknown_authority_is_named_on_both_sides(certificates: Certificates) -> None:
    assert await failing(tls.client_context(certificates.other_ca), certificates.server_context()) == [
        "the TLS handshake failed: self-signed certificate in certificate chain",
        "the TLS handshake failed: the peer refuses: unknown ca",
    ]


async def test_another_name_is_named_on_both_sides(certificates: Certificates) -> None:
    assert await failing(certificates.client_context(), certificates.server_context(), "other.test") == [
        "the TLS handshake failed: Hostname mismatch, certificate is not valid for 'other.test'.",
        "the TLS handshake failed: the peer refuses: bad certificate",
    ]


async def test_an_expired_certificate_is_named_on_both_sides(certificates: Certificates) -> None:
    expired = certificates.issue("localhost", expired=True)
    assert await failing(certificates.client_context(), certificates.server_context(expired)) == [
        "the TLS handshake failed: certificate has expired",
        "the TLS handshake failed: the peer refuses: certificate expired",
    ]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_missing_certificate_of_the_client_is_named_on_both_sides(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    context = tls.client_context(certificates.ca)
    context.minimum_version = context.maximum_version = version
    client, server = await failing(context, certificates.server_context())
    # In TLS 1.3 the client is done before the server has looked. Source: RFC 8446 section 4.4.2.4.
    assert (
        client
        == {
            ssl.TLSVersion.TLSv1_2: "the TLS handshake failed: the peer refuses: handshake failure",
            ssl.TLSVersion.TLSv1_3: "TLS failed: the peer refuses: certificate required",
        }[version]
    )
    assert server == "the TLS handshake failed: peer did not return a certificate"


# Source: RFC 5280 section 4.2.1.6, an IA5String and an address; here one that is no text, and one of 3 bytes.
STRANGE = [
    (bytes([0x82, 2, 0x61, 0xFF]), "the peer's certificate cannot be read: 'utf-8' codec"),
    (bytes([0x87, 3, 10, 0, 0]), ""),
]


@pytest.mark.parametrize(("name", "failure"), STRANGE)
async def test_a_strange_name_in_a_certificate_is_no_fatal_error(
    certificates: Certificates, name: bytes, failure: str
) -> None:
    context = certificates.client_context(certificates.issue_for_name(name))
    async with joined(context, certificates.server_context()) as both:
        if failure:
            (told,) = both.server.told
            assert told.startswith(f"the TLS handshake failed: {failure}")
            assert both.client.told[1:] == []
        else:
            assert both.server.told == ["settings"]
            assert both.server.tls is not None
            assert both.server.tls.names == (CLIENT_NAME,)


@pytest.mark.parametrize("protocols", [[], ["http/1.1"]])
async def test_a_peer_that_knows_nothing_of_http2_is_refused(certificates: Certificates, protocols: list[str]) -> None:
    refusal = ["the TLS handshake failed: the peer does not choose HTTP/2 by ALPN"]
    async with joined(certificates.client_context(), certificates.foreign_server_context(*protocols)) as both:
        assert (both.client.told, both.client.tls) == (refusal, None)
    async with joined(certificates.foreign_client_context(*protocols), certificates.server_context()) as both:
        assert (both.server.told, both.server.tls) == (refusal, None)


async def test_a_client_that_speaks_no_tls_is_told_so_in_its_alert(certificates: Certificates) -> None:
    for said, reason in (
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the peer does not speak TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "the peer speaks HTTP, not TLS"),
    ):
        async with alone(certificates.server_context()) as (server, wire):
            wire.arrive(said)
            await settle()
            assert server.told == [f"the TLS handshake failed: {reason}"]
            assert wire.written == NO_TLS


async def test_what_comes_after_a_failure_is_dropped(certificates: Certificates) -> None:
    async with alone(certificates.server_context()) as (server, wire):
        server.session._fail("enough")
        before = len(wire.written)
        wire.arrive(bytes(10))
        server.session.write(b"never")
        await settle()
        assert len(wire.written) == before
        assert server.told == ["the TLS handshake failed: enough"]


async def test_a_broken_record_ends_the_connection_with_an_alert(certificates: Certificates) -> None:
    async with joined(certificates.client_context(), certificates.server_context()) as both:
        before = len(both.server_wire.written)
        both.server_wire.arrive(bytes([DATA, 3, 3, 0, 20]) + bytes(20))
        await settle()
        assert both.server.told[1:] == ["TLS failed: decryption failed or bad record mac"]
        assert len(both.server_wire.written) > before
        assert both.client.told[1:] == ["TLS failed: the peer refuses: bad record mac"]


async def test_answers_of_tls_itself_have_a_bound(certificates: Certificates) -> None:
    async with joined(certificates.client_context(), certificates.server_context()) as both:
        session, wire = both.server.session, both.server_wire
        for unsent, told in (
            (MOST_UNSENT_BYTES, []),
            (MOST_UNSENT_BYTES + 1, ["TLS failed: the peer asks without end and reads no answers"]),
        ):
            wire.unsent = unsent
            session._outgoing.write(b"an answer")
            session._read()
            assert both.server.told[1:] == told


# The end.


async def test_closing_says_close_notify_and_waits_for_none(certificates: Certificates) -> None:
    async with joined(certificates.client_context(), certificates.server_context()) as both:
        both.client.close()
        await settle()
        assert both.client.ended.done()
        assert both.server.reason == "the peer closed the connection"
        assert both.server.ended.done()


async def test_a_socket_that_ends_without_close_notify_ends_the_connection(certificates: Certificates) -> None:
    async with joined(certificates.client_context(), certificates.server_context()) as both:
        both.server_wire.hear_end()
        await settle()
        assert both.server.ended.done()
        assert both.server.told == ["settings"]
        assert both.server.reason == "the peer closed the connection"


async def test_a_peer_that_leaves_within_the_handshake_is_a_failure_unless_it_said_nothing(
    certificates: Certificates,
) -> None:
    for said, told in (
        (b"", []),
        (bytes([HANDSHAKE, 3]), ["the TLS handshake failed: the peer closed the connection"]),
    ):
        async with alone(certificates.server_context()) as (server, wire):
            if said:
                wire.arrive(said)
            await settle()
            wire.hear_end()
            await server.ended
            assert server.told == told


async def test_a_socket_that_is_full_within_the_handshake_holds_back_the_engine(certificates: Certificates) -> None:
    client = certificates.client_context()
    halves = Halves(client, certificates.server_context(), "localhost")
    halves.client.pause_writing()
    await settle()
    assert halves.client.tls is not None
    assert kinds(halves.client_wire.written)[-1] == DATA  # its certificate
    before = len(halves.client_wire.written)
    halves.client.resume_writing()
    assert len(halves.client_wire.written) > before
    await settle()
    assert halves.server.told == ["settings"]
    await halves.end()


async def test_a_forgotten_session_writes_nothing(certificates: Certificates) -> None:
    server = Half(certificates.server_context())
    wire = attach(server)
    session = server.session
    server.forget()
    session.write(b"never")
    session.finish()
    assert not wire.written
    wire.lose(None)
    assert server.ended.done()
