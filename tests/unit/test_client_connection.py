"""Places for calls on a client's connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from penstock import BothStreamCall, EndOfStream, Limits, RpcError, Server, ServerStream, StatusCode, UsageError
from penstock._client_connection import ClientConnection
from penstock._server_connection import ServerConnection
from tests.unit.memory import MemoryChannel, attach, connected, equipment, join, settle


async def wait(stream: ServerStream[bytes, bytes]) -> None:
    """A handler that ends when its client leaves."""
    with suppress(EndOfStream):
        await stream.receive()


@asynccontextmanager
async def limited_to(calls: int) -> AsyncIterator[MemoryChannel]:
    async with connected(server_limits=Limits(max_concurrent_streams=calls), fallback=wait) as channel:
        await channel.ready()
        yield channel


def connection_of(channel: MemoryChannel) -> ClientConnection:
    connection = channel.connector.current()
    assert connection is not None
    return connection


class Waiting:
    """Calls that are opened by tasks, so that they may wait for a place."""

    def __init__(self, channel: MemoryChannel) -> None:
        self.channel = channel
        self.opened: list[int] = []
        self.calls: list[BothStreamCall[bytes, bytes]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, count: int = 1, timeout: float | None = None) -> None:
        for _ in range(count):
            call = self.channel.stream("/a.B/C", timeout=timeout)
            self.tasks.append(asyncio.create_task(self._open(len(self.calls), call)))
            self.calls.append(call)
        await settle()

    async def _open(self, number: int, call: BothStreamCall[bytes, bytes]) -> None:
        async with call:
            self.opened.append(number)
            with suppress(EndOfStream):
                await call.receive()

    async def end(self, number: int) -> None:
        self.calls[number].cancel()
        await settle()

    async def end_all(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        self.calls.clear()


async def test_a_connection_is_usable_once_the_settings_of_its_peer_came() -> None:
    loop = asyncio.get_running_loop()
    connection = ClientConnection(Limits(), loop, "a")
    server = Server([], fallback=wait)
    join(connection, ServerConnection(server._core, equipment(server)))
    assert (connection.is_usable, connection.free) == (False, 0)
    await connection.ready
    assert (connection.is_usable, connection.free) == (True, Limits().max_concurrent_streams)
    connection.abort("over")
    await connection.ended


@pytest.mark.parametrize("calls", [1, 2, 3])
async def test_there_are_as_many_places_as_the_peer_allows_and_no_more(calls: int) -> None:
    async with limited_to(2) as channel:
        waiting = Waiting(channel)
        await waiting.start(calls)
        assert len(waiting.opened) == min(calls, 2)
        assert connection_of(channel).free == max(0, 2 - calls)
        await waiting.end_all()


async def test_calls_get_places_in_the_order_they_asked() -> None:
    async with limited_to(1) as channel:
        waiting = Waiting(channel)
        await waiting.start(4)
        for number in range(3):
            assert waiting.opened == list(range(number + 1))
            await waiting.end(number)
        assert waiting.opened == [0, 1, 2, 3]
        await waiting.end_all()


async def test_a_new_call_does_not_overtake_those_that_wait() -> None:
    async with limited_to(1) as channel:
        waiting = Waiting(channel)
        await waiting.start(2)
        waiting.calls[0].cancel()
        await waiting.start()
        assert waiting.opened == [0, 1]
        await waiting.end(1)
        assert waiting.opened == [0, 1, 2]
        await waiting.end_all()


async def test_who_is_cancelled_in_line_gives_its_turn_to_the_next() -> None:
    async with limited_to(1) as channel:
        waiting = Waiting(channel)
        await waiting.start(3)
        waiting.tasks[1].cancel()
        await settle()
        await waiting.end(0)
        assert waiting.opened == [0, 2]
        await waiting.end_all()


async def test_who_is_cancelled_just_after_it_got_a_place_gives_it_to_the_next() -> None:
    async with limited_to(1) as channel:
        waiting = Waiting(channel)
        await waiting.start(3)
        waiting.calls[0].cancel()
        waiting.tasks[1].cancel()
        await settle()
        assert waiting.opened == [0, 2]
        await waiting.end_all()


async def test_a_call_that_was_cancelled_in_line_by_another_task_gives_its_place_to_the_next() -> None:
    async with limited_to(1) as channel:
        waiting = Waiting(channel)
        await waiting.start(3)
        waiting.calls[1].cancel()
        await waiting.end(0)
        assert waiting.opened == [0, 2]
        await waiting.end_all()


async def test_a_place_that_gets_free_while_another_is_handed_over_is_not_lost() -> None:
    async with limited_to(2) as channel:
        waiting = Waiting(channel)
        await waiting.start(3)
        waiting.calls[0].cancel()
        waiting.calls[1].cancel()
        await settle()
        assert waiting.opened == [0, 1, 2]
        assert connection_of(channel).free == 1
        await waiting.start()
        assert waiting.opened == [0, 1, 2, 3]
        await waiting.end_all()


async def test_the_deadline_reaches_a_call_that_waits_and_the_others_keep_their_turn() -> None:
    async with limited_to(1) as channel:
        waiting = Waiting(channel)
        await waiting.start()
        await waiting.start(timeout=0.001)
        await waiting.start()
        with pytest.raises(TimeoutError):
            await waiting.tasks[1]
        await waiting.end(0)
        assert waiting.opened == [0, 2]
        await waiting.end_all()


async def test_when_the_connection_ends_those_that_wait_go_to_the_next_one() -> None:
    async with limited_to(1) as channel:
        waiting = Waiting(channel)
        await waiting.start(2)
        channel.wires[0].lose(ConnectionResetError("reset"))
        await settle()
        assert len(channel.links) == 2
        assert waiting.opened == [0, 1]
        with pytest.raises(RpcError, match="UNAVAILABLE: connection lost: reset"):
            await waiting.tasks[0]
        await waiting.end_all()


async def test_after_goaway_open_calls_go_on_and_new_ones_go_elsewhere() -> None:
    async with connected(fallback=wait) as channel:
        waiting = Waiting(channel)
        await waiting.start()
        old = connection_of(channel)
        (server_connection,) = channel.server._core.connections
        server_connection.shut_down()
        await settle()
        assert (old.draining.is_set(), old.is_usable, old.free) == (True, False, 0)
        assert old.reason == "the peer sent GOAWAY, code 0"
        await waiting.start()
        assert waiting.opened == [0, 1]
        assert connection_of(channel) is not old
        await waiting.calls[0].end_sending()
        await waiting.tasks[0]
        await old.ended
        await waiting.end_all()


async def reason_of(connection: ClientConnection) -> str:
    """Why it never got ready."""
    await asyncio.wait([connection.ready, connection.ended], return_when=asyncio.ALL_COMPLETED)
    return str(connection.ready.exception())


async def test_a_peer_that_closes_before_its_settings_fails_the_attempt_with_the_reason() -> None:
    connection = ClientConnection(Limits(), asyncio.get_running_loop(), "a")
    attach(connection).lose(None)
    assert await reason_of(connection) == "the peer closed the connection"


async def test_a_peer_that_speaks_http_1_is_named_in_the_reason() -> None:
    connection = ClientConnection(Limits(), asyncio.get_running_loop(), "a")
    attach(connection).arrive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert await reason_of(connection) == "the peer speaks HTTP/1, not HTTP/2"


async def test_metadata_that_cannot_be_sent_costs_no_place() -> None:
    async with limited_to(1) as channel:
        with pytest.raises(UsageError, match="grpc-reserved"):
            async with channel.stream("/a.B/C", metadata={"grpc-reserved": "x"}):
                pass
        connection = connection_of(channel)
        assert (connection.free, connection.calls, connection.engine.open_calls) == (1, set(), 0)


async def test_on_a_connection_that_is_over_no_call_starts_and_it_may_be_repeated() -> None:
    async with connected(fallback=wait) as channel:
        await channel.ready()
        connection = connection_of(channel)
        connection.engine.abort("over")
        call = channel.stream("/a.B/C")
        with pytest.raises(RpcError, check=lambda error: error.retryable and error.code is StatusCode.UNAVAILABLE):
            connection.open(call, "/a.B/C", None, None, None)
        connection.release(call)


async def test_a_forked_child_has_no_places() -> None:
    async with limited_to(5) as channel:
        connection = connection_of(channel)
        transport = connection._transport
        connection.forget()
        assert connection.free == 0
        connection.release(channel.stream("/a.B/C"))
        assert connection.free == 0
        connection._transport = transport  # back in the parent
        connection.close()
