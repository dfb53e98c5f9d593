"""Handlers that read nothing, and handlers that never return: what each costs, and who is told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, Never

import pytest

import penstock
from tests.e2e.support import BOUND_SECONDS, Echo, connected, fill_up, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

SMALL = penstock.Limits(stream_window_bytes=16 * 1024, send_buffer_bytes=4 * 1024)
MESSAGE_BYTES = 1000


class Deaf:
    """Handlers of many requests that read none of them, and end as the test says."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.entered = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self, _stream: penstock.ServerStream[Note, Note]) -> Note:
        self.entered.set()
        await self.may_end.wait()
        if self.fails:
            raise penstock.RpcError(penstock.StatusCode.ABORTED, "not today")
        return Note(text="never read")

    async def without_a_reply(self, stream: penstock.ServerStream[Note, Note]) -> None:
        await self(stream)


async def pour(stream: penstock.Stream[Note, Any]) -> None:
    """Send without end."""
    while True:
        await stream.send(Note(payload=bytes(MESSAGE_BYTES)))


@pytest.mark.parametrize(("fails", "told"), [(False, penstock.EndOfStream), (True, penstock.RpcError)])
@pytest.mark.parametrize("kind", ["client_stream", "both_stream"])
async def test_a_handler_that_reads_nothing_holds_a_window_and_its_end_is_told(
    kind: str, fails: bool, told: type[Exception]
) -> None:
    # field.md 1a, row 8: a client hung when the server did not iterate the requests.
    deaf = Deaf(fails=fails)
    echo = Echo(client_stream=deaf) if kind == "client_stream" else Echo(both_stream=deaf.without_a_reply)
    async with connected(echo, server_limits=SMALL, client_limits=SMALL) as pair:
        async with getattr(pair.client, kind)() as stream:
            await within_bound(deaf.entered.wait())
            await fill_up(stream, MESSAGE_BYTES)
            pouring = asyncio.ensure_future(pour(stream))
            (call,) = [call for connection in pair.server._core.connections for call in connection.calls]
            await until(lambda: call._held_bytes >= SMALL.stream_window_bytes - MESSAGE_BYTES)
            await until(lambda: any(live.waits_for is penstock.Waiting.WINDOW for live in pair.channel.streams()))
            assert call._held_bytes <= SMALL.stream_window_bytes
            assert stream._queued_bytes <= SMALL.send_buffer_bytes + MESSAGE_BYTES + 20
            # Others on the connection are not held up by what nobody reads.
            assert (await within_bound(pair.client.unary(Note(text="other")))).text == "other"
            deaf.may_end.set()
            with pytest.raises(told):
                await within_bound(pouring)
            if kind == "client_stream" and not fails:
                assert (await stream.finish()).text == "never read"
            stream.cancel()
        await until(lambda: not any(connection.engine.held_bytes for connection in pair.server._core.connections))


async def test_a_handler_that_reads_nothing_ends_when_its_client_does() -> None:
    deaf = Deaf()
    async with connected(Echo(client_stream=deaf), server_limits=SMALL, client_limits=SMALL) as pair:
        async with pair.client.client_stream() as stream:
            await within_bound(deaf.entered.wait())
            await fill_up(stream, MESSAGE_BYTES)
            stream.cancel()
        await pair.until_no_call_is_open()
        assert pair.server._core.ends[penstock.End.PEER_CANCELLED] == 1


class Endless:
    """Handlers of all forms that never return by themselves."""

    def __init__(self) -> None:
        self.entered = 0
        self.ended = 0

    async def unary(self, _request: Note, _call: penstock.ServerCall) -> Note:
        self.entered += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1
        return Note()

    async def sending(self, _request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        self.entered += 1
        try:
            await pour(stream)
        finally:
            self.ended += 1

    async def yielding(self, _request: Note, _stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        self.entered += 1
        try:
            while True:
                yield Note(payload=bytes(MESSAGE_BYTES))
        finally:
            self.ended += 1

    def in_threads(self, _request: Note, _stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        self.entered += 1
        try:
            while True:
                yield Note(payload=bytes(MESSAGE_BYTES))
        finally:
            self.ended += 1


@pytest.mark.parametrize("form", ["sending", "yielding", "in_threads"])
@pytest.mark.parametrize("reads", [True, False])
async def test_a_stop_cancels_streams_that_never_end_and_reports_them(form: str, reads: bool) -> None:
    endless = Endless()
    echo = Echo(server_stream=getattr(endless, form))
    async with connected(echo, server_limits=SMALL, client_limits=SMALL) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await within_bound(stream.receive())

            async def read() -> None:
                async for _ in stream:
                    pass

            reading = asyncio.ensure_future(read()) if reads else None
            report = await within_bound(pair.server.stop(grace=0.02))
            assert (report.finished, [call.method for call in report.cancelled], report.stuck) == (
                0,
                ["/penstock.test.echo.Echo/ServerStream"],
                (),
            )
            with pytest.raises(penstock.Unavailable, match="the server is shutting down"):
                await within_bound(reading or read())
        await until(lambda: endless.ended == endless.entered == 1)


async def test_a_unary_handler_that_never_returns_is_cancelled_by_a_stop() -> None:
    endless = Endless()
    async with connected(Echo(unary=endless.unary)) as pair:
        call = asyncio.ensure_future(pair.client.unary(Note()))
        await until(lambda: endless.entered)
        report = await within_bound(pair.server.stop(grace=0.02))
        assert (len(report.cancelled), report.stuck, endless.ended) == (1, (), 1)
        with pytest.raises(penstock.Unavailable):
            await call


async def test_a_thread_that_never_returns_is_reported_by_a_stop(caplog: pytest.LogCaptureFixture) -> None:
    go_on, entered = threading.Event(), threading.Event()

    def block(_request: Note, _stream: penstock.ServerStream[Never, Note]) -> Iterator[Note]:
        entered.set()
        assert go_on.wait(BOUND_SECONDS)
        yield Note()

    limits = penstock.Limits(handler_cleanup_seconds=0.02)
    async with connected(Echo(server_stream=block), server_limits=limits) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await until(entered.is_set)
            report = await within_bound(pair.server.stop(grace=0.02))
            assert (len(report.cancelled), len(report.stuck)) == (1, 1)
            with pytest.raises(penstock.Unavailable):
                await within_bound(stream.receive())
        assert ", in block\n" in caplog.text
        go_on.set()
        await until(lambda: not pair.server._core.detached)
    caplog.clear()
