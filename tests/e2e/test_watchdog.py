"""A handler that blocks the event loop is named while it does so."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncIterator
from typing import Never

import pytest

import penstock
from tests.e2e.child import running
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

WATCHFUL = penstock.Limits(blocked_loop_seconds=0.05)
UNARY = "/penstock.test.echo.Echo/Unary"


class Blocking:
    """Handlers that block their loop until the log has said so."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        caplog.set_level(logging.WARNING, "penstock.server")

    def lines(self, text: str) -> list[str]:
        """What the log said so far of one kind."""
        return [record.getMessage() for record in self._caplog.records if text in record.getMessage()]

    def told(self) -> list[str]:
        """What the log said of this blocking; a machine that is busy with other things may block the loop too."""
        return [text for text in self.lines("has been blocked") if "in block\n" in text]

    def block(self, count: int) -> None:
        """Block the thread until that many times are told of."""
        end = time.monotonic() + 10
        while len(self.told()) < count and time.monotonic() < end:
            time.sleep(0.001)  # real time: it is what the handler is blamed for

    async def unary(self, request: Note, _call: penstock.ServerCall) -> Note:
        self.block(request.number)
        return request

    async def in_a_task_of_its_own(self, request: Note, _call: penstock.ServerCall) -> Note:
        async def child() -> None:
            self.block(request.number)

        await asyncio.create_task(child(), name="the child")
        return request

    async def in_code_that_lets_no_thread_run(self, request: Note, _call: penstock.ServerCall) -> Note:
        sum(range(10_000_000))
        return request

    async def in_a_callback(self, request: Note, _call: penstock.ServerCall) -> Note:
        asyncio.get_running_loop().call_soon(self.block, request.number)
        await asyncio.sleep(0)
        return request

    async def in_a_generator(self, request: Note, _s: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        yield request
        self.block(request.number)


async def test_what_blocks_is_named_once_for_each_time_and_how_long_it_took(caplog: pytest.LogCaptureFixture) -> None:
    blocking = Blocking(caplog)
    async with connected(Echo(unary=blocking.unary), server_limits=WATCHFUL) as pair:
        for number in (1, 2):
            await within_bound(pair.client.unary(Note(number=number)))
            await until(lambda: len(blocking.lines("goes on; it was blocked for")) >= number)  # noqa: B023 - awaited
            assert len(blocking.told()) == number
            assert pair.server.statistics().loop_blocked >= number
        text = blocking.told()[-1]
        assert f" s by {UNARY} from 127.0.0.1:" in text
        assert "in unary\n    self.block(request.number)" in text
        assert text.splitlines()[-2].endswith("in block")
    caplog.clear()


async def test_code_that_lets_no_thread_run_is_named_behind_it(caplog: pytest.LogCaptureFixture) -> None:
    blocking = Blocking(caplog)
    async with connected(Echo(unary=blocking.in_code_that_lets_no_thread_run), server_limits=WATCHFUL) as pair:
        # On a busy machine the handler may be further on when the thread comes to look.
        while not any("    sum(range(" in text for text in blocking.lines(f" s by {UNARY} from")):
            await within_bound(pair.client.unary(Note()))
        assert pair.server.statistics().loop_blocked >= 1
    caplog.clear()


async def test_a_generator_is_named_as_its_call(caplog: pytest.LogCaptureFixture) -> None:
    blocking = Blocking(caplog)
    async with connected(Echo(server_stream=blocking.in_a_generator), server_limits=WATCHFUL) as pair:
        async with pair.client.server_stream(Note(number=1)) as stream:
            assert len([note async for note in stream]) == 1
    assert " s by /penstock.test.echo.Echo/ServerStream from 127.0.0.1:" in blocking.told()[0]
    caplog.clear()


@pytest.mark.parametrize(
    ("handler", "name"),
    [("in_a_task_of_its_own", "a task that is no handler (the child)"), ("in_a_callback", "a callback")],
)
async def test_what_is_no_handler_is_shown_by_its_stack(
    handler: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    blocking = Blocking(caplog)
    async with connected(Echo(unary=getattr(blocking, handler)), server_limits=WATCHFUL) as pair:
        await within_bound(pair.client.unary(Note(number=1)))
    assert f" s by {name}. It is here:" in blocking.told()[0]
    caplog.clear()


def watchdogs() -> int:
    return sum(thread.name == "penstock watchdog" for thread in threading.enumerate())


async def test_one_thread_watches_a_loop_as_long_as_a_server_listens_there() -> None:
    await until(lambda: watchdogs() == 0)
    async with connected(server_limits=WATCHFUL):
        async with connected(server_limits=WATCHFUL):
            assert watchdogs() == 1
        assert watchdogs() == 1
    await until(lambda: watchdogs() == 0)


async def test_nobody_looks_unless_asked_to() -> None:
    await until(lambda: watchdogs() == 0)
    async with connected(server_limits=penstock.Limits(blocked_loop_seconds=math.inf)) as pair:
        assert watchdogs() == 0
        assert (await pair.client.unary(Note(number=1))).number == 1


async def test_a_forked_child_can_be_watched_anew() -> None:
    async with running("forking") as program:
        assert await program.exit_code() == 0, program.lines
        assert "anew: done" in program.lines
