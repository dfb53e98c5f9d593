"""Handlers that ignore their cancellation: the call and its place go, the handler is named, and may end after all."""

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Never

import pytest

import penstock
from tests.e2e.support import BOUND_SECONDS, Echo, Pair, connected, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

QUICK = penstock.Limits(handler_cleanup_seconds=0.02)


class Stubborn:
    """Handlers of every kind that go on until the test lets them go, whatever they are told."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.may_go_on = threading.Event()
        self.entered = asyncio.Event()
        self.entries = self.ended = 0
        self._loop = asyncio.get_running_loop()

    async def _persist(self) -> None:
        self.entries += 1
        self.entered.set()
        while not self.go_on.is_set():
            try:
                await self.go_on.wait()
            except asyncio.CancelledError:
                continue
        self.ended += 1

    async def unary(self, request: Note, _call: penstock.ServerCall) -> Note:
        await self._persist()
        return request

    async def in_its_cleanup(self, _request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        try:
            yield Note()
            self.entered.set()
            await asyncio.Event().wait()
        finally:
            await self._persist()

    async def swallowing(self, stream: penstock.ServerStream[Note, Note]) -> None:
        while not self.go_on.is_set():
            try:
                await stream.receive()
            except penstock.RpcError:
                await self._persist()
        self.ended += 1

    def blocking(self, _request: Note, _stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        try:
            yield Note()
            self._loop.call_soon_threadsafe(self.entered.set)
            assert self.may_go_on.wait(BOUND_SECONDS)
        finally:
            self.ended += 1

    def let_go(self) -> None:
        self.may_go_on.set()
        self.go_on.set()


@pytest.fixture
async def stubborn() -> AsyncIterator[Stubborn]:
    """Give handlers that do not outlive the test, whatever becomes of it."""
    made = Stubborn()
    yield made
    made.let_go()


async def until_detached(pair: Pair, count: int = 1) -> None:
    await until(lambda: len(pair.server._core.detached) == count)
    assert not any(connection.calls for connection in pair.server._core.connections)


@pytest.mark.parametrize("handler", ["in_its_cleanup", "blocking"])
async def test_its_place_is_free_and_the_log_says_once_where_it_is(
    handler: str, stubborn: Stubborn, caplog: pytest.LogCaptureFixture
) -> None:
    echo = Echo(server_stream=getattr(stubborn, handler))
    async with connected(echo, server_limits=QUICK) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
            await within_bound(stubborn.entered.wait())
        await until_detached(pair)
        (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        text = record.getMessage()
        assert text.startswith("/penstock.test.echo.Echo/ServerStream from 127.0.0.1:")
        assert "s after its cancellation, and is detached. It is here:\n" in text
        assert f", in {handler}\n" in text
        assert stubborn.ended == 0
        now = pair.server.statistics()
        assert (now.calls_open, now.stragglers_open, now.detached_open, now.is_idle) == (0, 1, 1, False)
        assert now.threads_busy == (1 if handler == "blocking" else 0)
        (live,) = pair.server.streams()
        assert (live.method, live.waits_for) == ("/penstock.test.echo.Echo/ServerStream", penstock.Waiting.DETACHED)

        caplog.set_level(logging.INFO, "penstock.server")
        stubborn.let_go()
        await until(lambda: not pair.server._core.detached)
        now = pair.server.statistics()
        assert (now.detached_open, now.detached, now.threads_busy, now.is_idle) == (0, 1, 0, True)
        assert (stubborn.ended, list(pair.server.streams())) == (1, [])
        assert [
            record.levelname for record in caplog.records if "the detached handler has ended" in record.message
        ] == ["INFO"]


async def test_it_is_told_by_what_it_waits_for_then_cancelled_then_detached(
    stubborn: Stubborn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("penstock.server_calls.NOTICE_SECONDS", 0.02)
    async with connected(Echo(both_stream=stubborn.swallowing), server_limits=QUICK) as pair:
        async with pair.client.both_stream() as stream:
            await stream.send(Note())
        await until_detached(pair)
        assert "in _persist" in caplog.text
        stubborn.let_go()
        await until(lambda: stubborn.ended)
        await until(lambda: not pair.server._core.detached)


async def test_detached_handlers_do_not_count_against_any_limit(
    stubborn: Stubborn, caplog: pytest.LogCaptureFixture
) -> None:
    server = penstock.Server(
        [Echo(unary=stubborn.unary)], limits=QUICK, admission=penstock.Admission(max_calls_per_connection=2)
    )
    async with server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        pair = Pair(server, channel, EchoClient(channel), address)
        for count in (2, 4, 6):
            waiting = [asyncio.ensure_future(pair.client.unary(Note())) for _ in range(2)]
            await until(lambda: stubborn.entries == count)  # noqa: B023 - awaited at once
            for call in waiting:
                call.cancel()
            await until_detached(pair, count)
        assert server.statistics().detached == 6
        stubborn.let_go()
        await until(lambda: stubborn.ended == 6 and not server._core.detached)
    caplog.clear()


async def test_what_a_detached_handler_does_with_its_call_raises_the_outcome(
    stubborn: Stubborn, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[BaseException] = []

    async def late(stream: penstock.ServerStream[Note, Note]) -> None:
        await stubborn._persist()
        for operation in (lambda: stream.send(Note()), stream.receive):
            try:
                await operation()
            except penstock.Cancelled as error:
                told.append(error)

    async with connected(Echo(both_stream=late), server_limits=QUICK) as pair:
        async with pair.client.both_stream():
            await within_bound(stubborn.entered.wait())
        await until_detached(pair)
        stubborn.let_go()
        await until(lambda: not pair.server._core.detached)
    assert len(told) == 2
    caplog.clear()


async def test_a_stop_waits_for_it_no_longer_and_reports_it(
    stubborn: Stubborn, caplog: pytest.LogCaptureFixture
) -> None:
    # One that never returns, and one in a thread: neither holds up a drain.
    echo = Echo(unary=stubborn.unary, server_stream=stubborn.blocking)
    async with connected(echo, server_limits=QUICK) as pair:
        call = asyncio.ensure_future(pair.client.unary(Note()))
        async with pair.client.server_stream(Note()) as stream:
            await stream.receive()
            await within_bound(stubborn.entered.wait())
            report = await within_bound(pair.server.stop(grace=0.01))
        assert sorted(stuck.method.rpartition("/")[2] for stuck in report.stuck) == ["ServerStream", "Unary"]
        with pytest.raises(penstock.Unavailable):
            await call
        stubborn.let_go()
        await until(lambda: stubborn.ended == 2 and not pair.server._core.detached)
    caplog.clear()


STUCK = """
import asyncio, logging, sys, threading
import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient

class Stuck(EchoBase):
    def unary(self, request, call):
        threading.Event().wait()

    async def server_stream(self, request, stream):
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if stream._loop.time() > over:
                    raise

async def main():
    global over
    over = float("inf")
    server = penstock.Server([Stuck()], limits=penstock.Limits(handler_cleanup_seconds=0.02))
    async with server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        client = EchoClient(channel)
        call = asyncio.ensure_future(client.unary(Note()))
        async with client.server_stream(Note()):
            while len(list(server.streams())) < 2 or not server.statistics().threads_busy:
                await asyncio.sleep(0.001)
            call.cancel()
        report = await server.stop(0)
        over = 0
    print("stopped", server.statistics().detached_open)

asyncio.run(main())
print("the end")
"""


async def test_the_process_ends_while_a_thread_is_stuck_in_a_handler() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUCK, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await within_bound(process.communicate())
    assert (process.returncode, output.decode().split("\n")) == (0, ["stopped 2", "the end", ""]), errors.decode()
