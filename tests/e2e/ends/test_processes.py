"""What the other side sees when a process ends in the middle of a stream, and what the process itself says."""

import asyncio
import logging
from collections.abc import AsyncIterator
from signal import SIGINT, SIGKILL, SIGTERM, Signals

import pytest

import penstock
from penstock import End, StatusCode
from tests.e2e.child import Child, running
from tests.e2e.support import Echo, connected, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

NOISE = ("Task was destroyed", "Exception ignored", "never retrieved", "never awaited", "is already running")
"""What Python says of things that were left, and not ended."""


def check_no_noise(child: Child) -> None:
    assert not [line for line in child.lines for noise in NOISE if noise in line]


@pytest.mark.parametrize(
    ("how", "signal", "code", "end"),
    [
        ("hold", SIGINT, -SIGINT, End.PEER_CANCELLED),
        ("hold", SIGTERM, -SIGTERM, End.CONNECTION_LOST),
        ("hold", SIGKILL, -SIGKILL, End.CONNECTION_LOST),
        ("returning", None, 0, End.PEER_CANCELLED),
        ("returning_in_the_open", None, 0, End.CONNECTION_LOST),
        ("exiting", None, 3, End.PEER_CANCELLED),
        ("exiting_in_a_callback", None, 3, End.PEER_CANCELLED),
        ("failing", None, 1, End.PEER_CANCELLED),
        ("vanishing", None, 3, End.CONNECTION_LOST),
        ("closing_the_loop", None, 0, End.CONNECTION_LOST),
        ("leaving_the_loop", None, 0, End.CONNECTION_LOST),
        ("living_on", None, -SIGKILL, End.CONNECTION_LOST),
    ],
)
async def test_a_client_that_comes_to_its_end(
    how: str, signal: Signals | None, code: int, end: End, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "penstock.server")
    calls: list[penstock.ServerStream[Note, Note]] = []
    closed = asyncio.Event()

    async def handler(stream: "penstock.ServerStream[Note, Note]") -> AsyncIterator[Note]:
        calls.append(stream)
        try:
            async for note in stream:
                yield note
        finally:
            await asyncio.sleep(0)
            closed.set()

    async with connected(Echo(both_stream=handler)) as pair, running("exiting", pair.address, how) as child:
        await child.line_with("open")
        if signal is not None:
            child.signal(signal)
        await within_bound(closed.wait())  # while the process may still be there: `living_on` is
        await pair.until_no_call_is_open()
        if how == "living_on":
            await child.line_with("ended: End.EXITED")
            child.signal(SIGKILL)
        assert await child.exit_code() == code
        check_no_noise(child)
        (call,) = calls
        assert call.end is end
        assert call.status is not None
        assert call.status.code is StatusCode.CANCELLED
        assert {end: count for end, count in pair.server._core.ends.items() if count} == {end: 1}
        lines = [
            record for record in caplog.records if f"{call.method} from {call.peer} ended: " in record.getMessage()
        ]
        assert [line.levelno for line in lines] == [end.level]


@pytest.mark.parametrize(
    ("how", "signal", "text", "code", "end", "status", "cleans_up"),
    [
        ("leaving", None, "", 0, End.RAISED, StatusCode.UNAVAILABLE, True),
        ("exiting", None, "", 3, End.RAISED, StatusCode.UNAVAILABLE, True),
        ("waiting", None, "exit", 3, End.RAISED, StatusCode.UNAVAILABLE, True),
        ("waiting", SIGINT, "", -SIGINT, End.RAISED, StatusCode.UNAVAILABLE, True),
        ("waiting", SIGKILL, "", -SIGKILL, End.CONNECTION_LOST, StatusCode.UNAVAILABLE, False),
        ("returning_in_the_open", None, "", 0, End.RAISED, StatusCode.CANCELLED, True),
        ("vanishing", None, "", 3, End.CONNECTION_LOST, StatusCode.UNAVAILABLE, False),
    ],
)
async def test_a_server_that_comes_to_its_end(
    how: str, signal: Signals | None, text: str, code: int, end: End, status: StatusCode, cleans_up: bool
) -> None:
    async with running("serving_badly", how) as child:
        address = (await child.line_with("listening on")).split()[-1]
        async with penstock.Channel(address) as channel:
            with pytest.raises(penstock.RpcError):
                async with EchoClient(channel).both_stream() as stream:
                    await stream.send(Note())
                    await within_bound(stream.receive())
                    if signal is not None:
                        child.signal(signal)
                    if text:
                        await stream.send(Note(text=text))
                    await within_bound(stream.receive())
            assert stream.status is not None
            assert (stream.end, stream.status.code) == (end, status)
            assert await child.exit_code() == code
        check_no_noise(child)
        assert ("cleaned up" in child.lines) is cleans_up


async def test_a_server_whose_loop_is_about_to_end_takes_no_more_calls() -> None:
    """Nobody would cancel their handlers: those that are there have been cancelled."""
    async with running("serving_badly", "returning_beside_a_slow_task") as child:
        address = (await child.line_with("listening on")).split()[-1]
        async with penstock.Channel(address) as channel:
            echo = EchoClient(channel)
            with pytest.raises(penstock.RpcError):
                async with echo.both_stream() as stream:
                    await stream.send(Note())
                    while True:
                        await within_bound(stream.receive())
            await child.line_with("ending")
            with pytest.raises(penstock.Unavailable):
                async with echo.both_stream() as late:
                    await late.send(Note())
                    await within_bound(late.receive())
            child.signal(SIGTERM)
            assert await child.exit_code() == 0
        check_no_noise(child)
        assert child.lines.count("cleaned up") == 1


async def test_a_process_that_exits_while_a_thread_encodes_for_ever_exits_as_it_wanted() -> None:
    """A thread that Python ends at the exit must not have the engine's frames under the program's."""
    async with running("exiting_while_encoding") as child:
        assert await child.exit_code() == 0
    assert child.lines[-1] == "over"
