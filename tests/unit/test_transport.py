"""The protocol between a socket and the engine."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock import Limits, RpcError, StatusCode, _engine
from penstock._transport import READ_BYTES, Transport, live_transports
from tests.unit.memory import PEER_NAME, Wire, attach, both_ends, join, settle

PING = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8)
SETTINGS = 4
"""Type of a frame."""


class Half(Transport):
    """One side of a connection; notes what it is told."""

    def __init__(self, *, client: bool) -> None:
        super().__init__(Limits(), asyncio.get_running_loop(), client=client)
        self.told: list[str] = []

    def _on_settings(self) -> None:
        self.told.append("settings")

    def _on_closed(self, message: str, clean: bool, foreign: bool) -> None:
        self.told.append(f"closed: {message}")
        super()._on_closed(message, clean, foreign)


@asynccontextmanager
async def alone() -> AsyncIterator[tuple[Half, Wire]]:
    """A server's side, connected to nobody."""
    server = Half(client=False)
    wire = attach(server)
    yield server, wire
    server.abort("the test is over")
    await server.ended


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[Half, Half, Wire, Wire]]:
    """Client, server and their ends of the wire; each knows the other's settings."""
    client, server = Half(client=True), Half(client=False)
    wires = join(client, server)
    await settle()
    yield client, server, *wires
    client.abort("the test is over")
    server.abort("the test is over")
    await asyncio.wait([client.ended, server.ended])


async def test_a_connection_is_live_from_its_socket_to_the_end_of_it() -> None:
    server = Half(client=False)
    assert server not in live_transports()
    wire = attach(server)
    assert server in live_transports()
    assert not server.ended.done()
    wire.lose(None)
    assert server not in live_transports()
    assert server.ended.done()


async def test_the_peer_has_the_name_of_the_socket() -> None:
    async with alone() as (server, wire):
        assert wire.get_extra_info("peername") == PEER_NAME
        assert server.peer == "memory:1"


async def test_the_engine_speaks_first_on_both_sides() -> None:
    async with joined() as (_client, _server, client_wire, server_wire):
        assert client_wire.written.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert server_wire.written[3] == SETTINGS


async def test_two_sides_learn_each_others_settings() -> None:
    async with joined() as (client, server, _client_wire, _server_wire):
        assert (client.told, server.told) == (["settings"], ["settings"])


async def test_bytes_are_read_into_one_buffer_for_all_connections_of_a_thread() -> None:
    async with joined() as (client, server, _client_wire, _server_wire):
        memoryview(client.get_buffer(-1))[0] = 7
        assert bytes(memoryview(server.get_buffer(1))[:1]) == b"\x07"
        assert len(memoryview(server.get_buffer(1))) == READ_BYTES


async def test_a_paused_connection_writes_nothing_until_it_is_resumed() -> None:
    async with joined() as (_client, server, _client_wire, server_wire):
        before = len(server_wire.written)
        server.pause_writing()
        server.engine.shut_down()
        await settle()
        assert len(server_wire.written) == before
        server.resume_writing()
        assert len(server_wire.written) > before


async def test_the_last_words_leave_although_the_socket_takes_no_more_for_now() -> None:
    async with joined() as (_client, server, _client_wire, server_wire):
        server.pause_writing()
        server.engine.abort("enough", 11, "say so")
        assert bytes(server_wire.written).endswith(b"say so")
        assert server_wire.is_closing()


async def test_the_end_of_what_the_peer_writes_is_the_end() -> None:
    async with alone() as (server, wire):
        wire.hear_end()
        await server.ended
        assert server.told == ["closed: the peer closed the connection"]
        assert server.reason == "the peer closed the connection"


async def test_an_error_of_the_socket_is_the_reason() -> None:
    async with alone() as (server, wire):
        wire.lose(ConnectionResetError("reset by peer"))
        assert server.reason == "connection lost: reset by peer"


async def test_the_first_reason_stays() -> None:
    async with alone() as (server, wire):
        server.abort("the first")
        wire.lose(ConnectionResetError("the second"))
        assert server.reason == "the first"


async def test_after_the_end_everything_is_harmless() -> None:
    async with alone() as (server, wire):
        wire.lose(None)
        server.close()
        server.abort("again")
        server.resume_writing()
        server.forget()
        assert server.told == ["closed: the peer closed the connection"]


async def test_a_connection_that_never_had_a_socket_can_be_closed() -> None:
    server = Half(client=False)
    server.close()
    server.abort("never mind")
    assert not server.ended.done()


async def test_reading_stops_while_the_peer_does_not_take_our_answers() -> None:
    async with joined() as (_client, server, client_wire, server_wire):
        server.pause_writing()
        began = _engine.now()  # not 0: the connection was told the time before, and machines run for days
        # Each PING has an answer. Above 256 KiB of output, and what h2 holds itself, nothing more is read.
        for hour in range(24):
            _engine.hold_time(began + 3600.0 * hour)  # so slowly that it is no flood
            client_wire.write(PING * 1024)
            await settle()
        assert not server_wire.reading
        _engine.hold_time(began + 3600.0 * 24)
        server.resume_writing()
        await settle()
        _engine.hold_time(None)
        assert server_wire.reading
        assert server.engine.unread == 0


async def test_a_backlog_of_a_closed_socket_changes_nothing() -> None:
    async with alone() as (server, wire):
        server._on_backlog()
        wire.close()
        server._on_backlog_gone()
        assert not wire.reading
        await server.ended
        server._on_backlog()
        server._on_backlog_gone()
        assert not wire.reading


async def test_aborting_fails_the_calls_on_both_sides() -> None:
    async with both_ends() as ends:
        connection = ends.client._connection
        assert connection is not None
        connection.abort("enough")
        with pytest.raises(RpcError, match="UNAVAILABLE: enough"):
            await ends.client.receive()
        await settle()
        assert ends.server.status is not None
        assert ends.server.status.code is StatusCode.CANCELLED


async def test_a_forked_child_never_writes_to_the_sockets_of_its_parent() -> None:
    async with both_ends() as ends:
        connection, written = ends.client._connection, ends.channel.wires[0].written
        assert connection is not None
        before = len(written)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                ends.client.send_nowait(b"from the child")
                ends.client.cancel()
                connection.engine.flush()
                connection.abort("from the child")
                code = 0 if not live_transports() and len(written) == before else 2
            finally:
                os._exit(code)
        _child, status = os.waitpid(child, 0)  # noqa: ASYNC222 - it ends at once
        assert os.waitstatus_to_exitcode(status) == 0
        await ends.client.send(b"from the parent")
        assert await ends.server.receive() == b"from the parent"
