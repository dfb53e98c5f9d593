"""Does a server take another certificate into use without anybody noticing but new clients?"""

import asyncio
import ssl

import pytest

import penstock
from tests.certificates import Certificates
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops


async def names_of(address: str, certificates: Certificates) -> tuple[str, ...]:
    """Connect, and give the names of the certificate the server shows."""
    async with penstock.Channel(address, tls=certificates.client_context(), authority="localhost") as channel:
        call = EchoClient(channel).unary(Note())
        await within_bound(call)
        assert call.tls is not None
        return call.tls.names


@pytest.mark.wire("W46")
async def test_new_connections_see_the_new_certificate_and_open_streams_go_on(
    address: str, certificates: Certificates
) -> None:
    async with connected(address=address, tls=certificates) as pair, pair.client.both_stream() as stream:
        await stream.send(Note(number=1))
        await within_bound(stream.receive())
        before = await names_of(pair.address, certificates)
        for number in range(2, 5):
            renewed = certificates.issue("localhost", f"renewal-{number}.test")
            pair.server.replace_tls(certificates.server_context(renewed))
            assert await names_of(pair.address, certificates) == ("localhost", f"renewal-{number}.test")
            await stream.send(Note(number=number))
            assert (await within_bound(stream.receive())).number == number
            # The old connection takes new calls, too.
            call = pair.client.unary(Note())
            await within_bound(call)
            assert call.tls is not None
            assert call.tls.names == before


async def test_no_connect_is_lost_while_certificates_change(certificates: Certificates) -> None:
    contexts = [certificates.server_context(certificates.issue("localhost", f"{n}.test")) for n in range(2)]
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0", tls=contexts[0]) as address:
        connecting = [asyncio.create_task(names_of(address, certificates)) for _ in range(30)]
        count = 0
        while not all(task.done() for task in connecting):
            count += 1
            server.replace_tls(contexts[count % 2])
            await asyncio.sleep(0)
        seen = {names[1] for names in await asyncio.gather(*connecting)}
        assert seen <= {"0.test", "1.test"}
        await until(lambda: not server._core.connections)


async def test_a_handshake_under_way_goes_on_with_the_context_it_began_with(certificates: Certificates) -> None:
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0", tls=certificates.server_context()) as address:
        host, _, port = address.rpartition(":")
        context = certificates.foreign_client_context("h2")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        reader, writer = await asyncio.open_connection(host, int(port))
        await until(lambda: server._core.connections)
        server.replace_tls(certificates.server_context(certificates.issue("too-late.test")))
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await within_bound(reader.read(65536)))
        assert ("DNS", "localhost") in (session.getpeercert() or {})["subjectAltName"]
        writer.close()
        await until(lambda: not server._core.connections)


async def test_clients_may_be_asked_for_certificates_from_now_on(certificates: Certificates) -> None:
    anyone = penstock.tls.server_context(certificates.server, certificates.server)
    nameless = penstock.tls.client_context(certificates.ca)
    server = penstock.Server([Echo()])
    async with (
        server.listening("127.0.0.1:0", tls=anyone) as address,
        penstock.Channel(address, tls=nameless) as before,
        penstock.Channel(address, tls=nameless) as after,
    ):
        await within_bound(EchoClient(before).unary(Note()))
        server.replace_tls(certificates.server_context())
        with pytest.raises(penstock.Unavailable, match="certificate required"):
            await within_bound(EchoClient(after).unary(Note()))
        await within_bound(EchoClient(before).unary(Note()))


async def test_an_unfit_context_leaves_the_one_in_use(certificates: Certificates) -> None:
    async with connected(tls=certificates) as pair:
        before = await names_of(pair.address, certificates)
        for unfit in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificates.client_context()):
            with pytest.raises(penstock.UsageError):
                pair.server.replace_tls(unfit)
            assert await names_of(pair.address, certificates) == before
