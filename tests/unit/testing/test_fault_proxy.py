"""Does the proxy accept, refuse, count and end as it is told?"""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from penstock import UsageError
from penstock.testing.conditions import BLACK_HOLE, CLEAR, STOPPED, Conditions
from penstock.testing.fault_proxy import FaultProxy
from penstock.testing.proxied_connection import ProxiedConnection
from tests.e2e.support import until, within_bound
from tests.unit.testing.proxied import rigged


@pytest.mark.loops
async def test_refusing_is_switched_on_and_off_while_connections_go_on() -> None:
    async with rigged() as rig:
        address = rig.proxy.address
        client, server = await rig.connect()
        for _ in range(3):
            rig.proxy.refusing = True
            rig.proxy.refusing = True
            with pytest.raises(ConnectionRefusedError):
                await rig.client()
            rig.proxy.refusing = False
            await rig.connect()
        client.say(b"a")
        assert await server.hear(1) == b"a"
        assert (rig.proxy.address, rig.proxy.connections_accepted, len(rig.proxy.connections)) == (address, 4, 4)


async def test_refusing_at_once_again_leaves_nothing_behind() -> None:
    async with rigged() as rig:
        for refusing in (True, False, True, False, True):
            rig.proxy.refusing = refusing
        with pytest.raises(ConnectionRefusedError):
            await rig.client()


async def test_conditions_hold_for_every_connection_those_to_come_included() -> None:
    slow = Conditions(latency_seconds=1)
    async with rigged(to_client=slow) as rig:
        await rig.connect()
        assert (rig.proxy.to_server, rig.proxy.to_client) == (CLEAR, slow)
        rig.proxy.to_server = BLACK_HOLE
        await rig.connect()
        for connection in rig.proxy.connections:
            assert (connection.to_server.conditions, connection.to_client.conditions) == (BLACK_HOLE, slow)
        rig.proxy.set_both(STOPPED)
        assert {connection.to_client.conditions for connection in rig.proxy.connections} == {STOPPED}
        assert {connection.to_server.conditions for connection in rig.proxy.connections} == {STOPPED}


async def test_it_counts_bytes_of_connections_that_are_gone_as_well() -> None:
    async with rigged() as rig:
        for count in (1, 2):
            client, server = await rig.connect()
            client.say(bytes(count))
            await server.hear(count)
            server.say(bytes(10 * count))
            await client.hear(10 * count)
            assert (rig.proxy.bytes_to_server, rig.proxy.bytes_to_client) == ([1, 3][count - 1], [10, 30][count - 1])
            connection = rig.proxy.connections[-1]
            connection.reset()
            await within_bound(connection.ended)
        assert (rig.proxy.bytes_to_server, rig.proxy.bytes_to_client, rig.proxy.connections) == (3, 30, [])


async def test_resetting_all_resets_each() -> None:
    async with rigged() as rig:
        for _ in range(3):
            await rig.connect()
        connections = list(rig.proxy.connections)
        rig.proxy.reset_all()
        await asyncio.wait([connection.ended for connection in connections])
        assert rig.proxy.connections == []


async def test_each_connection_is_shown_before_a_byte_passes() -> None:
    def cut(connection: ProxiedConnection) -> None:
        connection.to_server.cut_after(2)

    async with rigged(on_connection=cut) as rig:
        for _ in range(2):
            client, server = await rig.connect()
            client.say(b"abcd")
            assert await server.hear_end() == b"ab"


async def test_a_mistake_in_what_is_shown_connections_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(connection: ProxiedConnection) -> None:
        raise ValueError

    async with rigged(on_connection=fail) as rig:
        await rig.client()
        await until(lambda: "the proxy accepts no more" in caplog.messages)
        rig.proxy.reset_all()
    assert [record.levelno for record in caplog.records if record.name == "penstock.testing"] == [logging.ERROR]


async def test_it_reaches_unix_sockets_and_listens_on_ipv6(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    path = tmp_path / "s"
    async with await asyncio.start_unix_server(echo, path):
        async with rigged(listen="[::1]:0") as rig:
            rig.proxy.upstream = f"unix:{path}"
            host, _, port = rig.proxy.address.rpartition(":")
            assert host == "[::1]"
            reader, writer = await asyncio.open_connection("::1", int(port))
            writer.write(b"abc")
            assert await within_bound(reader.read()) == b"abc"
            writer.close()
            await writer.wait_closed()


async def test_outside_of_its_block_it_has_no_address() -> None:
    proxy = FaultProxy("127.0.0.1:1")
    with pytest.raises(UsageError, match="within its block"):
        _ = proxy.address


async def test_after_its_block_it_has_no_address_and_may_be_entered_again() -> None:
    proxy = FaultProxy("127.0.0.1:1")
    for _ in range(2):
        async with proxy:
            assert proxy.address.startswith("127.0.0.1:")
        with pytest.raises(UsageError, match="within its block"):
            _ = proxy.address
        with pytest.raises(UsageError, match="within its block"):
            proxy.refusing = False


async def test_within_its_block_it_is_not_entered_again() -> None:
    proxy = FaultProxy("127.0.0.1:1")
    async with proxy:
        address = proxy.address
        with pytest.raises(UsageError, match="in use already"):
            await proxy.__aenter__()
        assert proxy.address == address


@pytest.mark.parametrize("options", [{"upstream": "nowhere"}, {"listen": "unix:/tmp/s"}, {"listen": "127.0.0.1"}])
def test_addresses_are_looked_at_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        FaultProxy(**({"upstream": "127.0.0.1:1"} | options))


async def test_the_name_of_conditions_is_no_conditions() -> None:
    name: Any = "BLACK_HOLE"
    with pytest.raises(UsageError, match="conditions are Conditions"):
        FaultProxy("127.0.0.1:1", to_server=name)
    async with rigged() as rig:
        await rig.connect()
        with pytest.raises(UsageError, match="not 'BLACK_HOLE'"):
            rig.proxy.set_both(name)
        with pytest.raises(UsageError, match="not 'BLACK_HOLE'"):
            rig.proxy.connections[0].to_client.conditions = name
        assert (rig.proxy.to_server, rig.proxy.to_client) == (CLEAR, CLEAR)


async def test_a_port_in_use_is_told() -> None:
    async with rigged() as rig:
        with pytest.raises(OSError, match="in use"):
            async with FaultProxy("127.0.0.1:1", listen=rig.proxy.address):
                pass


async def test_leaving_the_block_resets_connections_that_are_being_made() -> None:
    async with rigged() as rig:
        client = await rig.client()
        await until(lambda: rig.proxy.connections_accepted)
    assert rig.proxy.connections == []
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.hear(1)
