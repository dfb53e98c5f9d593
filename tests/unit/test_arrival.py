"""A client that was just accepted."""

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from penstock import Admission, Server, _arrival
from penstock._admission import Setting
from penstock._equipment import Equipment
from penstock._server_connection import ServerConnection
from penstock._server_core import ServerCore
from tests.certificates import Certificates
from tests.certificates import certificates as certificates
from tests.wire.frames import PREFACE

pytestmark = pytest.mark.loops

TWO = Admission(max_connections=2)


@asynccontextmanager
async def listening(admission: Admission, context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Server, int]]:
    """Give a server and its port."""
    server = Server([], admission=admission)
    async with server.listening("127.0.0.1:0", tls=context) as address:
        yield server, int(address.rpartition(":")[2])


async def arrive(port: int) -> tuple[bool, asyncio.StreamWriter]:
    """Connect, and say so; give whether the server answers, or hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PREFACE)
    with suppress(ConnectionError):
        return bool(await reader.read(9)), writer
    return False, writer


@pytest.mark.wire("W49")
async def test_the_last_one_below_the_limit_is_served_and_the_next_one_hung_up_on() -> None:
    async with listening(TWO) as (server, port):
        arrivals = [await arrive(port) for _ in range(4)]
        assert [served for served, _ in arrivals] == [True, True, False, False]
        assert server._core.gatekeeper.refused == {"max_connections": 2}
        assert len(server._core.connections) == server._core.gatekeeper.connections.taken == 2
        for _, writer in arrivals:
            writer.close()


async def test_a_client_that_leaves_makes_room_for_another() -> None:
    async with listening(TWO) as (server, port):
        for _ in range(10):
            arrivals = [await arrive(port) for _ in range(2)]
            assert [served for served, _ in arrivals] == [True, True]
            ended = [connection.ended for connection in server._core.connections]
            for _, writer in arrivals:
                writer.close()
            await asyncio.wait(ended)
        assert server._core.gatekeeper.connections.taken == 0
        assert not server._core.gatekeeper.refused


@pytest.mark.wire("W49")
async def test_with_tls_nothing_is_made_for_a_client_above_the_limit(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Noted(ServerConnection):
        def __init__(self, core: ServerCore, equipment: Equipment) -> None:
            super().__init__(core, equipment)
            made.append(self._session)

    monkeypatch.setattr(_arrival, "ServerConnection", Noted)
    async with listening(Admission(max_connections=1), certificates.server_context()) as (server, port):
        _, kept = await asyncio.open_connection("127.0.0.1", port)
        served, writer = await arrive(port)
        assert not served
        assert len(made) == 1
        assert server._core.gatekeeper.refused == {"max_connections": 1}
        writer.close()
        kept.close()
        made.clear()


async def test_who_has_reset_the_connection_before_is_not_taken_for_one_on_a_unix_socket() -> None:
    async with listening(TWO) as (server, port):
        asked: list[str] = []
        full_for = server._core.gatekeeper.full_for

        def note(address: str) -> Setting | None:
            asked.append(address)
            return full_for(address)

        server._core.gatekeeper.full_for = note  # type: ignore[method-assign]  # what is looked up, it forgets
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        _, writer = await arrive(port)
        writer.close()
        assert asked
        assert all(address.startswith("127.0.0.1:") for address in asked)
        assert server._core.gatekeeper.connections.taken <= 1


async def test_a_flood_of_clients_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(Admission(max_connections_per_peer=1)) as (server, port):
        _, kept = await arrive(port)
        for _ in range(50):
            served, writer = await arrive(port)
            assert not served
            writer.close()
        assert server._core.gatekeeper.refused == {"max_connections_per_peer": 50}
        kept.close()
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    # It may have taken more than a second.
    assert 1 <= len(lines) < 50
    assert lines[0].startswith("a connection from 127.0.0.1:")
    assert lines[0].endswith(" is refused: max_connections_per_peer=1 is reached; 1 so far")
