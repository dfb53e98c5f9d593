"""What becomes of a handler that was told that its call is over?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import penstock
from tests.e2e.support import TINY, Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

KIB = bytes(1024)


async def test_a_handler_that_goes_on_after_it_was_told_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.server_calls.NOTICE_SECONDS", 0.02)
    story: list[type[BaseException]] = []

    async def stubborn(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send(Note())
        try:
            await stream.receive()
        except penstock.Cancelled as error:
            story.append(type(error))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            story.append(type(error))
            raise

    async with connected(Echo(both_stream=stubborn)) as pair:
        async with pair.client.both_stream() as stream:
            await stream.receive()
        await until(lambda: len(story) == 2)
    assert story == [penstock.Cancelled, asyncio.CancelledError]


async def _ask_to_receive(stream: penstock.ServerStream[Note, Note]) -> None:
    await stream.receive()


async def _ask_to_iterate(stream: penstock.ServerStream[Note, Note]) -> None:
    async for _note in stream:
        pass


async def _ask_to_send(stream: penstock.ServerStream[Note, Note]) -> None:
    await stream.send(Note(payload=KIB))


async def _ask_to_send_many(stream: penstock.ServerStream[Note, Note]) -> None:
    await stream.send_many([Note(payload=KIB)])


async def _ask_to_send_from(stream: penstock.ServerStream[Note, Note]) -> None:
    await stream.send_from([Note(payload=KIB)])


async def _ask_to_receive_many(stream: penstock.ServerStream[Note, Note]) -> None:
    await stream.receive_many()


@pytest.mark.parametrize(
    "ask",
    [_ask_to_receive, _ask_to_iterate, _ask_to_send, _ask_to_send_many, _ask_to_send_from, _ask_to_receive_many],
)
async def test_a_handler_that_throws_the_outcome_away_for_ever_holds_up_nobody_and_is_cancelled(
    ask: Callable[[Any], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.server_calls.NOTICE_SECONDS", 0.05)
    ended = asyncio.Event()
    thrown_away = 0

    async def deaf(stream: penstock.ServerStream[Note, Note]) -> None:
        nonlocal thrown_away
        await stream.send(Note())
        try:
            while True:
                try:
                    await ask(stream)
                except penstock.Error:
                    thrown_away += 1
        finally:
            ended.set()

    async with connected(Echo(both_stream=deaf), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            await stream.receive()
        await until(lambda: thrown_away > 10)
        assert (await within_bound(pair.client.unary(Note(text="neighbour")))).text == "neighbour"
        await within_bound(ended.wait())


async def test_a_client_that_throws_the_outcome_away_for_ever_holds_up_nobody() -> None:
    async def refuse(_stream: penstock.ServerStream[Note, Note]) -> None:
        raise penstock.RpcError(penstock.StatusCode.ABORTED)

    async with connected(Echo(both_stream=refuse)) as pair, pair.client.both_stream() as stream:
        thrown_away = 0

        async def ask_for_ever() -> None:
            nonlocal thrown_away
            while True:
                try:
                    await stream.receive()
                except penstock.RpcError:
                    thrown_away += 1

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask_for_ever(), 0.05)
        assert thrown_away > 10


async def test_a_handler_of_several_tasks_ends_in_order_and_nothing_is_logged_as_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[str] = []

    async def session(stream: penstock.ServerStream[Note, Note]) -> None:
        async def read() -> None:
            try:
                async for _note in stream:
                    pass
            finally:
                ended.append("reader")

        async def write() -> None:
            try:
                while True:
                    await stream.send(Note(payload=KIB))
            finally:
                ended.append("writer")

        async def watch() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("watcher")

        try:
            async with asyncio.TaskGroup() as tasks:
                for part in (read, write, watch):
                    tasks.create_task(part())
        finally:
            ended.append("handler")

    async with connected(Echo(both_stream=session), server_limits=TINY, client_limits=TINY) as pair:
        async with pair.client.both_stream() as stream:
            await stream.receive()
        await until(lambda: len(ended) == 4)
        await pair.until_no_call_is_open()
    assert ended[-1] == "handler"
    assert sorted(ended) == ["handler", "reader", "watcher", "writer"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
