"""Is what is left behind found and named, and nothing else?"""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import penstock
from penstock.testing import connected, settle
from penstock.testing.nothing_left import LeftBehind, assert_nothing_left, nothing_left_behind
from tests.e2e.support import Echo
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient

HERE = re.escape(__file__)


async def never(stream: penstock.ServerStream[bytes, bytes]) -> None:
    await asyncio.Event().wait()


@pytest.mark.loops
async def test_nothing_is_found_after_calls_of_every_kind() -> None:
    async with nothing_left_behind(all_tasks=True), connected(Echo()) as channel:
        client = EchoClient(channel)
        await client.unary(Note())
        async with client.server_stream(Note(number=2)) as replies:
            assert len([reply async for reply in replies]) == 2
        async with client.both_stream() as stream:
            await stream.send(Note())
    assert_nothing_left()


@pytest.mark.loops
async def test_what_is_closing_over_a_socket_is_waited_for() -> None:
    server = penstock.Server([Echo()])
    async with nothing_left_behind(), server.listening("127.0.0.1:0") as address:
        async with penstock.Channel(address) as channel:
            await EchoClient(channel).unary(Note())


async def test_what_was_there_before_may_stay() -> None:
    async with connected(Echo()) as channel:
        client = EchoClient(channel)
        await client.unary(Note())
        async with nothing_left_behind():
            await client.unary(Note())


async def left_of(watch: Any, leave: Any) -> list[str]:
    with pytest.raises(LeftBehind) as caught:
        async with watch:
            await leave()
    assert str(caught.value) == "left behind:\n" + "\n".join(caught.value.found)
    return caught.value.found


async def test_a_channel_that_was_not_closed_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.testing.nothing_left.CLOSING_SECONDS", 0)
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0") as address:
        channels: list[penstock.Channel] = []

        async def leave() -> None:
            channels.append(penstock.Channel(address))
            await EchoClient(channels[0]).unary(Note())

        found = await left_of(nothing_left_behind(), leave)
        (line,) = [line for line in found if line.startswith("client's connection to 127.0.0.1:")]
        assert re.search(rf"the channel, made at {HERE}:\d+ in .*leave", line)
        assert found == [line]  # the server was there before
        with pytest.raises(LeftBehind, match="client's connection"):
            assert_nothing_left()
        await channels[0].close()


async def test_a_call_that_was_not_ended_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.testing.nothing_left.CLOSING_SECONDS", 0)
    async with connected(fallback=never) as channel:
        calls: list[Any] = []

        async def leave() -> None:
            calls.append(channel.stream("/a.B/C"))
            await calls[0].__aenter__()
            await settle()

        found = await left_of(nothing_left_behind(), leave)
        assert len(found) == 2
        assert re.match(rf"call /a.B/C to memory:1, made at {HERE}:\d+ in .*leave", found[0])
        assert any(re.match(r"task '/a.B/C' of Route.run, waits at .*test_nothing_left.py:\d+", line) for line in found)
        calls[0].cancel()
        await settle()


async def test_a_call_that_waits_for_its_connection_is_named() -> None:
    async with connected(Echo(), limits=penstock.Limits(reconnect_initial_seconds=60)) as channel:
        channel.failures.append(ConnectionRefusedError("refused"))
        calls: list[asyncio.Future[Any]] = []

        async def leave() -> None:
            calls.append(asyncio.ensure_future(EchoClient(channel).unary(Note(), wait_for_ready=True)))
            await settle()

        found = await left_of(nothing_left_behind(), leave)
        assert any(re.match(rf"call /.*/Unary to memory:1, made at {HERE}:\d+ in .*leave", line) for line in found)
        assert any(line.startswith("task 'penstock connect memory:1'") for line in found)
        calls[0].cancel()
        await asyncio.wait(calls)


async def test_a_server_that_still_listens_is_named() -> None:
    servers: list[Any] = []

    async def leave() -> None:
        server = penstock.Server([Echo()])
        servers.append(server.listening("127.0.0.1:0"))
        await servers[0].__aenter__()

    (line,) = await left_of(nothing_left_behind(), leave)
    assert re.match(rf"server that listens on 127.0.0.1:\d+, made at {HERE}:\d+ in .*leave", line)
    await servers[0].__aexit__(None, None, None)


async def test_a_generator_of_a_handler_that_was_not_closed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[AsyncIterator[Note]] = []

    async def replies(request: Note, stream: Any) -> AsyncIterator[Note]:
        yield request
        yield request

    async def forget(generator: Any, call: Any) -> None:
        kept.append(generator)
        await call.send(await anext(generator))

    monkeypatch.setattr("penstock._handlers._send_all", forget)
    async with connected(Echo(server_stream=replies)) as channel:

        async def leave() -> None:
            async with EchoClient(channel).server_stream(Note()) as stream:
                await stream.receive()

        found = await left_of(nothing_left_behind(), leave)
        (line,) = [line for line in found if line.startswith("open generator")]
        assert re.search(rf"of {HERE}:\d+ in .*replies, for /.*/ServerStream", line)
        await kept[0].aclose()  # type: ignore[attr-defined] # a generator has it


async def test_a_generator_of_a_sync_handler_that_was_not_closed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []

    class Blocking(EchoBase):
        def server_stream(self, request: Note, stream: Any) -> Iterator[Note]:
            yield request
            threading.Event().wait(0)
            yield request

    async def forget(steps: Any, *, is_first: bool) -> None:
        kept.append(steps._replies)
        await steps._stream.send(next(kept[0]))

    monkeypatch.setattr("penstock._steps.Steps.send_all", forget)
    async with connected(Blocking()) as channel:

        async def leave() -> None:
            async with EchoClient(channel).server_stream(Note()) as stream:
                await stream.receive()

        (line,) = await left_of(nothing_left_behind(), leave)
        assert re.match(rf"open generator of {HERE}:\d+ in .*Blocking.server_stream, for /.*/ServerStream", line)
        kept[0].close()


async def test_other_tasks_count_when_asked_for() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def wait() -> None:
        await asyncio.Event().wait()

    async def leave() -> None:
        tasks.append(asyncio.get_running_loop().create_task(wait(), name="mine"))
        await settle()

    async with nothing_left_behind():
        await leave()
    (line,) = await left_of(nothing_left_behind(all_tasks=True), leave)
    assert re.match(rf"task 'mine' of .*wait, waits at {HERE}:\d+", line)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_an_exception_of_the_block_is_not_hidden() -> None:
    async with connected(fallback=never) as channel:
        call = channel.stream("/a.B/C")
        with pytest.raises(ValueError, match="mine"):
            async with nothing_left_behind():
                await call.__aenter__()
                raise ValueError("mine")
        call.cancel()


def test_around_a_loop_of_its_own_it_needs_none() -> None:
    async def program() -> None:
        async with connected(Echo()) as channel:
            await EchoClient(channel).unary(Note())

    with nothing_left_behind():
        asyncio.run(program())
    assert_nothing_left()


async def test_a_connection_that_the_engine_never_let_go_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock._engine.live_connections", lambda: 7)
    watch = nothing_left_behind()

    async def leave() -> None:
        monkeypatch.setattr("penstock._engine.live_connections", lambda: 9)

    assert await left_of(watch, leave) == ["connections in the engine that nobody holds: 2"]


async def test_whoever_looks_last_leaves_the_classes_as_they_were() -> None:
    before = penstock.Channel.__init__, penstock.Server.__init__
    with nothing_left_behind(), nothing_left_behind():
        assert penstock.Channel.__init__ is not before[0]
    assert (penstock.Channel.__init__, penstock.Server.__init__) == before
