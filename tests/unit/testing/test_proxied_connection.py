"""Does a connection through the proxy end in each of the ways it can be told to?"""

import asyncio

import pytest

from penstock.testing.conditions import BLACK_HOLE, CLEAR, Conditions
from penstock.testing.proxied_connection import ProxiedConnection
from penstock.testing.proxied_connection import Side as SideName
from tests.e2e.support import until, within_bound
from tests.unit.testing.proxied import Side, rigged

pytestmark = pytest.mark.loops


async def is_reset(side: Side) -> bool:
    try:
        await side.hear_end()
    except ConnectionResetError:
        return True
    return False


async def test_bytes_pass_both_ways_and_an_end_leaves_the_other_direction_open() -> None:
    async with rigged() as rig:
        client, server = await rig.connect()
        client.say(b"ask")
        assert await server.hear(3) == b"ask"
        client.writer.write_eof()
        assert await server.hear_end() == b""
        server.say(b"answer")
        assert await client.hear(6) == b"answer"
        (connection,) = rig.proxy.connections
        assert (connection.to_server.bytes_read, connection.to_client.bytes_forwarded) == (3, 6)
        server.writer.write_eof()
        assert await client.hear_end() == b""
        await within_bound(connection.ended)
        assert rig.proxy.connections == []


@pytest.mark.parametrize("resets", ["client", "server"])
async def test_a_reset_of_one_side_reaches_the_other(resets: str) -> None:
    async with rigged() as rig:
        client, server = await rig.connect()
        (connection,) = rig.proxy.connections
        one, other = (client, server) if resets == "client" else (server, client)
        one.reset()
        assert await is_reset(other)
        await within_bound(connection.ended)


async def test_closing_ends_both_sides_in_order() -> None:
    async with rigged() as rig:
        client, server = await rig.connect()
        rig.proxy.connections[0].close()
        assert [await is_reset(client), await is_reset(server)] == [False, False]


async def test_resetting_resets_both_sides() -> None:
    async with rigged() as rig:
        client, server = await rig.connect()
        (connection,) = rig.proxy.connections
        client.say(b"a")
        await server.hear(1)
        connection.reset()
        assert [await is_reset(client), await is_reset(server)] == [True, True]
        await within_bound(connection.ended)


@pytest.mark.parametrize("dropped", ["client", "server"])
@pytest.mark.parametrize("reset", [False, True])
async def test_dropping_one_side_is_kept_from_the_other(dropped: SideName, reset: bool) -> None:
    async with rigged() as rig:
        client, server = await rig.connect()
        (connection,) = rig.proxy.connections
        client.say(b"a")
        await server.hear(1)
        connection.drop(dropped, reset=reset)
        lost, kept = (client, server) if dropped == "client" else (server, client)
        assert await is_reset(lost) is reset
        kept.say(b"hello?")
        flow = connection.to_server if kept is client else connection.to_client
        await until(lambda: flow.queued_bytes == 6)
        assert not kept.writer.transport.is_closing()
        assert not connection.ended.done()


async def test_a_black_hole_swallows_the_end_too() -> None:
    async with rigged() as rig:
        client, server = await rig.connect()
        (connection,) = rig.proxy.connections
        connection.to_server.conditions = BLACK_HOLE
        client.say(b"ask")
        client.writer.write_eof()
        await until(lambda: connection.to_server.queued_bytes == 3)
        server.say(b"the other direction is clear")
        await client.hear(28)
        connection.to_server.conditions = CLEAR
        assert await server.hear_end() == b"ask"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_ends_both_sides_after_so_many_bytes(reset: bool) -> None:
    async with rigged() as rig:
        client, server = await rig.connect()
        (connection,) = rig.proxy.connections
        connection.to_client.cut_after(3, reset=reset)
        server.say(b"abcdef")
        if reset:
            assert await is_reset(client)
        else:
            assert await client.hear_end() == b"abc"
        await within_bound(connection.ended)
        assert rig.proxy.bytes_to_client == 3


async def test_a_slow_reader_fills_the_senders_buffers() -> None:
    async with rigged(kernel_buffer_bytes=4096, to_server=Conditions(bytes_per_second=1)) as rig:
        client, server = await rig.connect()
        client.writer.transport.set_write_buffer_limits(high=0)
        total = 8 * 1024 * 1024  # more than kernels hold
        client.say(b"\xff" * total)
        (connection,) = rig.proxy.connections
        await until(lambda: connection.to_server.bytes_read >= 64 * 1024)
        assert connection.to_server.bytes_read < 1024 * 1024
        assert client.writer.transport.get_write_buffer_size() > 0
        connection.to_server.conditions = CLEAR
        assert len(await server.hear(total)) == total


@pytest.mark.parametrize("side", ["client", "server"])
async def test_it_may_end_as_soon_as_a_side_is_connected(side: SideName, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what opens it has not gone on yet; cancelled, uvloop would close the socket without a word to us."""
    loop = asyncio.get_running_loop()

    def close_when_connected(connection: ProxiedConnection) -> None:
        leg = connection._legs[side]

        def connection_made(transport: asyncio.BaseTransport) -> None:
            type(leg).connection_made(leg, transport)
            loop.call_soon(connection.close)

        monkeypatch.setattr(leg, "connection_made", connection_made)

    async with rigged(on_connection=close_when_connected) as rig:
        client = await rig.client()
        await until(lambda: rig.proxy.connections_accepted)
        await until(lambda: not rig.proxy.connections)
        await is_reset(client)


async def test_while_the_server_is_not_reached_nothing_is_read() -> None:
    async with rigged() as rig:
        rig.proxy.upstream = "127.0.0.1:1"
        client = await rig.client()
        assert await is_reset(client)
        await until(lambda: not rig.proxy.connections)


async def test_what_a_server_says_first_is_not_lost() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with rigged() as rig, listener:
        rig.proxy.upstream = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        client = await rig.client()
        assert await client.hear_end() == b"welcome"
