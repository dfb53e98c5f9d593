"""TLS between us and grpcio, both ways: each with a TLS library and a way to verify of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

import penstock
from tests.certificates import CLIENT_NAME, Certificates
from tests.interop import grpcio_client, grpcio_server, ours_client, ours_server
from tests.interop.calls import KINDS, Call, Kind, Request, all_replies, tally
from tests.interop.peers import Pair
from tests.protos import echo_pb2_grpc
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient

MIB = 1024 * 1024

every_kind = pytest.mark.parametrize("kind", KINDS)
with_and_without = pytest.mark.parametrize("client_has_certificate", [True, False], ids=["mtls", "tls"])


def their_client(certificates: Certificates, *, has_certificate: bool) -> grpc.ChannelCredentials:
    pem = certificates.client.read_bytes()
    mine = {"private_key": pem, "certificate_chain": pem} if has_certificate else {}
    return grpc.ssl_channel_credentials(certificates.ca.read_bytes(), **mine)


def their_server(certificates: Certificates, *, asks: bool) -> grpc.ServerCredentials:
    pem = certificates.server.read_bytes()
    return grpc.ssl_server_credentials([(pem, pem)], certificates.ca.read_bytes() if asks else None, asks)


@asynccontextmanager
async def connected(certificates: Certificates, client: str, *, mtls: bool) -> AsyncIterator[Pair]:
    """Start a server of one make and a client of the other."""
    if client == "grpcio":
        ca = certificates.ca if mtls else None
        context = penstock.tls.server_context(certificates.server, certificates.server, client_ca=ca)
        credentials = their_client(certificates, has_certificate=mtls)
        async with (
            ours_server.serving(None, context) as our_server,
            grpcio_client.calling(our_server.address, None, credentials) as their_caller,
        ):
            yield Pair(their_caller, our_server)
    else:
        mine = certificates.client if mtls else None
        async with (
            grpcio_server.serving(None, their_server(certificates, asks=mtls)) as server,
            ours_client.calling(server.address, None, penstock.tls.client_context(certificates.ca, mine)) as caller,
        ):
            yield Pair(caller, server)


@pytest.mark.parametrize("client", ["ours", "grpcio"])
@with_and_without
@every_kind
async def test_every_kind_of_call(
    certificates: Certificates, kind: Kind, client: str, client_has_certificate: bool
) -> None:
    call = Call(kind, (Request(text="x", payload_bytes=3 * MIB), Request(text="y", number=20, payload_bytes=100))[-1:])
    large = Call(kind, (Request(text="x", number=1, payload_bytes=3 * MIB),))
    async with connected(certificates, client, mtls=client_has_certificate) as pair:
        for each in (call, large):
            outcome, record = await pair.run(each)
            assert outcome.code == penstock.StatusCode.OK
            assert outcome.replies == tally(all_replies(each))
            assert record.requests == tally(each.notes())


class WhoIsThere(EchoBase):
    """Answers with the names of the client."""

    async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        return Note(text=",".join(call.tls.names if call.tls else ()))


async def test_our_handler_knows_their_client(certificates: Certificates) -> None:
    server = penstock.Server([WhoIsThere()])
    async with server.listening("127.0.0.1:0", tls=certificates.server_context()) as address:
        credentials = their_client(certificates, has_certificate=True)
        async with grpc.aio.secure_channel(address, credentials) as channel:
            assert (await echo_pb2_grpc.EchoStub(channel).Unary(Note())).text == CLIENT_NAME


class TheirWhoIsThere(echo_pb2_grpc.EchoServicer):
    """Answers with the names of the client."""

    async def Unary(self, request: Note, context: grpcio_server.Context) -> Note:  # noqa: N802 - the name in the .proto
        return Note(text=b",".join(context.auth_context()["x509_subject_alternative_name"]).decode())


async def test_their_handler_knows_our_client(certificates: Certificates) -> None:
    server = grpc.aio.server()
    echo_pb2_grpc.add_EchoServicer_to_server(TheirWhoIsThere(), server)
    port = server.add_secure_port("127.0.0.1:0", their_server(certificates, asks=True))
    await server.start()
    async with penstock.Channel(f"127.0.0.1:{port}", tls=certificates.client_context()) as channel:
        call = EchoClient(channel).unary(Note())
        assert (await call).text == CLIENT_NAME
        assert call.tls is not None
        assert call.tls.version == "TLSv1.3"
    await server.stop(None)


async def test_their_client_without_a_certificate_gets_the_alert_that_says_so(
    certificates: Certificates, capfd: pytest.CaptureFixture[str]
) -> None:
    server = penstock.Server([WhoIsThere()])
    async with server.listening("127.0.0.1:0", tls=certificates.server_context()) as address:
        credentials = their_client(certificates, has_certificate=False)
        async with grpc.aio.secure_channel(address, credentials) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await echo_pb2_grpc.EchoStub(channel).Unary(Note(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "ALERT_CERTIFICATE_REQUIRED" in capfd.readouterr().err  # its status has other words


async def test_our_client_without_a_certificate_fails_at_their_server(certificates: Certificates) -> None:
    async with grpcio_server.serving(None, their_server(certificates, asks=True)) as server:
        context = penstock.tls.client_context(certificates.ca)
        async with penstock.Channel(server.address, tls=context) as channel:
            with pytest.raises(penstock.Unavailable, match="cannot connect to"):
                await EchoClient(channel).unary(Note(), timeout=10)


@pytest.mark.parametrize("ours", ["plaintext", "tls"])
async def test_tls_on_one_side_only_is_a_clear_failure(certificates: Certificates, ours: str) -> None:
    if ours == "plaintext":
        credentials, context = their_server(certificates, asks=False), None
        reason = "the peer speaks TLS, this connection is plaintext|the peer closed the connection"
    else:
        credentials, context = None, penstock.tls.client_context(certificates.ca)
        reason = "the peer does not speak TLS|the peer closed the connection"
    async with grpcio_server.serving(None, credentials) as server:
        async with penstock.Channel(server.address, tls=context) as channel:
            with pytest.raises(penstock.Unavailable, match=reason):
                await EchoClient(channel).unary(Note(), timeout=10)
