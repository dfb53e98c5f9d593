"""However a connection with TLS ends: do its calls hear it as in plaintext, and does closing wait for nobody?"""

import asyncio
import gc
import signal
import ssl
from collections.abc import Awaitable, Callable

import pytest

import penstock
from penstock import _engine
from tests.certificates import Certificates
from tests.e2e.child import running
from tests.e2e.support import Echo, Gate, Pair, connected, turns, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops


async def answered(stream: penstock.BothStreamCall[Note, Note]) -> None:
    """Have the call run on both sides."""
    await stream.send(Note())
    await within_bound(stream.receive())


@pytest.mark.parametrize("how", ["abort", "close"])
@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_socket_that_is_gone_ends_the_calls_of_both_sides(
    certificates: Certificates, who: str, how: str
) -> None:
    ended: list[penstock.StatusCode] = []

    async def note_end(stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            async for note in stream:
                await stream.send(note)
        except penstock.RpcError as error:
            ended.append(error.code)
            raise

    async with connected(Echo(both_stream=note_end), tls=certificates) as pair, pair.client.both_stream() as stream:
        await answered(stream)
        (far,) = pair.server._core.connections
        near = stream._connection
        assert near is not None
        transport = (near if who == "client" else far)._transport
        assert transport is not None
        getattr(transport, how)()
        with pytest.raises(penstock.Unavailable, check=lambda error: error.origin is penstock.Origin.TRANSPORT):
            await within_bound(stream.receive())
        await until(lambda: ended == [penstock.StatusCode.CANCELLED])
        await until(lambda: not pair.server._core.connections)
        assert (await within_bound(pair.client.unary(Note(number=7)))).number == 7


async def test_closing_a_channel_is_heard_as_a_clean_end(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(tls=certificates) as pair:
        await within_bound(pair.client.unary(Note()))
        (connection,) = pair.server._core.connections
        await within_bound(pair.channel.close())
        await within_bound(connection.ended)
        assert connection.reason == "the connection ended"
    assert not caplog.records


async def test_stopping_ends_calls_with_its_own_words(certificates: Certificates) -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), tls=certificates) as pair, pair.client.both_stream() as stream:
        await gate.entered.wait()
        report = await within_bound(pair.server.stop(grace=0))
        assert len(report.cancelled) == 1
        with pytest.raises(penstock.Unavailable, match="the server is shutting down"):
            await within_bound(stream.receive())


async def test_neither_side_waits_for_a_peer_that_never_answers_close_notify(certificates: Certificates) -> None:
    """The peer completes the handshake and then reads, and writes, nothing more."""
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0", tls=certificates.server_context()) as address:
        host, _, port = address.rpartition(":")
        context = certificates.foreign_client_context("h2")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost")
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        await within_bound(reader.readexactly(9))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        (connection,) = server._core.connections
        async with asyncio.timeout(3):  # the GOAWAY has a second to be answered, and so has the end of the socket
            await server.stop(1)
        assert connection.ended.done()
        writer.transport.abort()


async def test_a_client_does_not_wait_for_a_server_that_never_answers_close_notify(certificates: Certificates) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def settle_down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        await reader.readexactly(24)
        writer.transport.pause_reading()  # type: ignore[attr-defined]

    context = certificates.foreign_server_context("h2")
    listener = await asyncio.start_server(settle_down, "127.0.0.1", 0, ssl=context)
    host, port = listener.sockets[0].getsockname()
    channel = penstock.Channel(f"{host}:{port}", tls=certificates.client_context())
    await within_bound(channel.ready())
    async with asyncio.timeout(2):
        await channel.close()
    for writer in writers:
        writer.transport.abort()
    listener.close()
    await listener.wait_closed()


async def test_what_follows_close_notify_is_never_read(certificates: Certificates) -> None:
    """A server that says close_notify and leaves its socket open has ended the connection."""
    writers: list[asyncio.StreamWriter] = []
    context = certificates.foreign_server_context("h2")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_side=True)
    told = asyncio.Event()

    async def half_leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        session.write(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        writer.write(outgoing.read())
        await told.wait()
        with pytest.raises(ssl.SSLError):
            session.unwrap()
        writer.write(outgoing.read())

    listener = await asyncio.start_server(half_leave, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    async with penstock.Channel(f"{host}:{port}", tls=certificates.client_context()) as channel:
        async with EchoClient(channel).both_stream() as stream:
            told.set()
            with pytest.raises(penstock.Unavailable, match="connection lost"):
                await within_bound(stream.receive())
    for writer in writers:
        writer.close()
    listener.close()
    await listener.wait_closed()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_calls_end_when_the_process_of_the_server_does(
    certificates: Certificates, number: signal.Signals
) -> None:
    async with running("serving", "0", str(certificates.server), str(certificates.ca)) as child:
        address = (await child.line_with("listening on")).split()[-1]
        async with penstock.Channel(address, tls=certificates.client_context()) as channel:
            async with EchoClient(channel).both_stream() as stream:
                assert (await within_bound(stream.receive())).text == "open"
                child.signal(number)
                with pytest.raises(penstock.Unavailable):
                    while True:
                        await within_bound(stream.receive())


async def was_used(pair: Pair, certificates: Certificates) -> None:
    async with penstock.Channel(pair.address, tls=certificates.client_context()) as channel:
        await EchoClient(channel).unary(Note())


async def was_refused(pair: Pair, certificates: Certificates) -> None:
    async with penstock.Channel(pair.address, tls=penstock.tls.client_context(certificates.ca)) as channel:
        with pytest.raises(penstock.Unavailable):
            await EchoClient(channel).unary(Note())


async def was_given_up_at_any_moment(pair: Pair, certificates: Certificates) -> None:
    for count in range(30):
        channel = penstock.Channel(pair.address, tls=certificates.client_context())
        ready = asyncio.ensure_future(channel.ready())
        await turns(count)
        await channel.close()
        await asyncio.gather(ready, return_exceptions=True)


@pytest.mark.parametrize("end", [was_used, was_refused, was_given_up_at_any_moment])
async def test_a_connection_is_freed_without_the_garbage_collector_that(
    certificates: Certificates, end: Callable[[Pair, Certificates], Awaitable[None]]
) -> None:
    async with connected(tls=certificates) as pair:
        gc.collect()
        gc.disable()
        try:
            before = _engine.live_connections()
            await end(pair, certificates)
            await until(lambda: not pair.server._core.connections)
            await until(lambda: _engine.live_connections() == before)
        finally:
            gc.enable()
