"""How does a server stop, and what do its calls and whoever asked for it hear?"""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

import penstock
from tests.e2e.child import Child, running
from tests.e2e.support import BOUND_SECONDS, Echo, Gate, connected, turns, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

BOTH = "/penstock.test.echo.Echo/BothStream"


async def test_the_report_says_what_finished_and_what_had_to_be_cancelled() -> None:
    async with connected() as pair, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(pair.client.both_stream()) for _ in range(5)]
        for stream in streams:
            await stream.send(Note())
            await stream.receive()
        stopping = asyncio.ensure_future(pair.server.stop(grace=0.2))
        await turns(1)
        for stream in streams[:3]:
            await stream.finish()
        report = await within_bound(stopping)
        assert (report.finished, report.stuck) == (3, ())
        assert [call.method for call in report.cancelled] == [BOTH, BOTH]
        assert all(call.peer.startswith("127.0.0.1:") for call in report.cancelled)
        for stream in streams[3:]:
            with pytest.raises(penstock.Unavailable, match="the server is shutting down", check=_is_of_the_server):
                await within_bound(stream.receive())


async def test_without_grace_handlers_are_cancelled_and_may_clean_up_first(address: str) -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate), address=address) as pair, pair.client.both_stream() as stream:
        await gate.entered.wait()
        report = await within_bound(pair.server.stop(grace=0))
        assert isinstance(gate.outcome, asyncio.CancelledError)
        assert (report.finished, len(report.cancelled), report.stuck) == (0, 1, ())
        assert pair.server._core.connections == set()
        with pytest.raises(penstock.Unavailable, match="the server is shutting down"):
            await within_bound(stream.receive())


async def test_a_handler_that_ignores_its_cancellation_is_reported_and_not_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = asyncio.Event()
    entered = asyncio.Event()

    async def stubborn(stream: "penstock.ServerStream[Note, Note]") -> None:
        del stream
        while not gate.is_set():
            entered.set()
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    limits = penstock.Limits(handler_cleanup_seconds=0.02)
    async with connected(Echo(both_stream=stubborn), server_limits=limits) as pair, pair.client.both_stream():
        await entered.wait()
        report = await within_bound(pair.server.stop(grace=0))
        assert [call.method for call in report.stuck] == [BOTH]
        assert report.stuck == report.cancelled
        assert f"{BOTH} from {report.stuck[0].peer}: the handler still runs" in caplog.text
        gate.set()


async def test_handlers_of_clients_that_are_gone_are_seen_and_waited_for() -> None:
    entered, may_end, order = asyncio.Event(), asyncio.Event(), []

    async def handler(stream: "penstock.ServerStream[Note, Note]") -> None:
        entered.set()
        try:
            async for _ in stream:
                pass
        finally:
            await may_end.wait()
            order.append("handler")

    async with connected(Echo(both_stream=handler)) as pair:
        async with penstock.Channel(pair.address) as channel, EchoClient(channel).both_stream() as stream:
            await stream.send(Note())
            await entered.wait()
        await until(lambda: not pair.server._core.connections)
        assert [live.waits_for for live in pair.server.streams()] == [penstock.Waiting.ENDED]
        assert pair.server.statistics().stragglers_open == 1
        stopping = asyncio.ensure_future(pair.server.stop(grace=0))
        stopping.add_done_callback(lambda _: order.append("server"))
        await turns(5)
        may_end.set()
        await within_bound(stopping)
        assert order == ["handler", "server"]
        assert pair.server.statistics().is_idle
        assert not list(pair.server.streams())


async def test_a_call_that_comes_when_the_grace_is_over_does_not_hold_up_the_stop() -> None:
    cancelled, may_end = asyncio.Event(), asyncio.Event()

    async def handler(stream: "penstock.ServerStream[Note, Note]") -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            await may_end.wait()
            raise

    async with connected(Echo(both_stream=handler)) as pair, pair.client.both_stream() as first:
        await first.send(Note())
        await until(lambda: pair.server.statistics().calls_open)
        assert pair.channel._connector is not None
        (socket_of_client,) = [connection._transport for connection in pair.channel._connector.connections]
        assert socket_of_client is not None
        socket_of_client.pause_reading()  # it does not hear of the end
        stopping = asyncio.ensure_future(pair.server.stop(grace=0))
        await within_bound(cancelled.wait())
        async with pair.client.both_stream() as second:
            await second.send(Note())
            may_end.set()
            await within_bound(stopping)
            socket_of_client.resume_reading()
            with pytest.raises(penstock.Unavailable) as caught:
                await within_bound(second.receive())
            # The last GOAWAY said so: it may be repeated elsewhere.
            assert caught.value.retryable
            assert second.end is penstock.End.UNPROCESSED
        assert pair.server.statistics().ends[penstock.End.DRAINED] == 1


async def test_leaving_the_block_of_listening_ends_what_is_open() -> None:
    server = penstock.Server([Echo()])
    async with AsyncExitStack() as stack:
        async with server.listening("127.0.0.1:0") as address:
            channel = await stack.enter_async_context(penstock.Channel(address))
            stream = await stack.enter_async_context(EchoClient(channel).both_stream())
            await stream.send(Note())
            await stream.receive()
        assert (server._core.connections, server.addresses) == (set(), ())
        with pytest.raises(penstock.Unavailable):
            await within_bound(stream.receive())


async def test_a_stopped_server_can_listen_again_on_the_same_address(address: str) -> None:
    server = penstock.Server([Echo()])
    bound = address
    for number in range(3):
        async with server.listening(bound) as bound, penstock.Channel(bound) as channel:
            assert (await within_bound(EchoClient(channel).unary(Note(number=number)))).number == number
            await server.stop(grace=1)


async def test_a_server_listens_again_only_after_it_has_stopped() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate)) as pair, pair.client.both_stream():
        await gate.entered.wait()
        with pytest.raises(penstock.UsageError, match="the server is listening already"):
            async with pair.server.listening("127.0.0.1:0"):
                pytest.fail("it listens twice")
        stopping = asyncio.ensure_future(pair.server.stop(grace=600))
        await turns(1)
        with pytest.raises(penstock.UsageError, match="the server is still stopping"):
            async with pair.server.listening("127.0.0.1:0"):
                pytest.fail("it listens while it stops")
        await pair.server.stop(grace=0)
        await within_bound(stopping)


async def test_stopping_twice_at_once_is_harmless_and_the_shorter_grace_wins() -> None:
    gate = Gate()
    async with connected(Echo(both_stream=gate)) as pair, pair.client.both_stream():
        await gate.entered.wait()
        patient = asyncio.ensure_future(pair.server.stop(grace=600))
        await turns(2)
        hurried = await within_bound(pair.server.stop(grace=0))
        assert len(hurried.cancelled) == 1
        await within_bound(patient)
        again = await within_bound(pair.server.stop(grace=600))
        assert again == penstock.StopReport(finished=0, cancelled=(), stuck=())


async def test_the_path_of_a_unix_socket_is_gone_after_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with penstock.Server([Echo()]).listening(f"unix:{path}"):
        assert path.is_socket()
    assert not path.exists()


async def test_a_server_that_ends_late_leaves_the_path_to_its_successor(tmp_path: Path) -> None:
    path = f"unix:{tmp_path / 'socket'}"
    gate = Gate()
    async with connected(Echo(both_stream=gate), address=path) as pair, pair.client.both_stream():
        await gate.entered.wait()
        stopping = asyncio.ensure_future(pair.server.stop(grace=600))
        await turns(1)
        async with penstock.Server([Echo()]).listening(path), penstock.Channel(path) as channel:
            await pair.server.stop(grace=0)
            await within_bound(stopping)
            assert (await within_bound(EchoClient(channel).unary(Note(number=1)))).number == 1


# Python 3.11 forgets a socket that its listener accepts while it closes: collecting it closes it, and warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("turns_between", range(6))
async def test_a_connection_accepted_in_the_moment_of_the_stop_does_not_outlive_it(turns_between: int) -> None:
    server = penstock.Server([Echo()])
    loop = asyncio.get_running_loop()
    async with server.listening("127.0.0.1:0") as address:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port))) as late:
            late.setblocking(False)
            await turns(turns_between)
            await within_bound(server.stop(grace=0))
            await turns(2)
            gc.collect()
            await within_bound(_end_of(loop, late))
        assert not server._core.connections


def _is_of_the_server(error: penstock.RpcError) -> bool:
    return error.origin is penstock.Origin.REMOTE


async def _end_of(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    try:
        while await loop.sock_recv(sock, 1000):
            pass
    except ConnectionResetError:
        pass


@asynccontextmanager
async def served_elsewhere(grace_seconds: float) -> AsyncIterator[tuple[Child, "penstock.BothStreamCall[Note, Note]"]]:
    """Run the server program, with one stream open to it."""
    async with running("serving", str(grace_seconds)) as program:
        address = (await program.line_with("listening on ")).removeprefix("listening on ")
        async with penstock.Channel(address) as channel, EchoClient(channel).both_stream() as stream:
            assert (await within_bound(stream.receive())).text == "open"
            yield program, stream


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_after_a_signal_open_calls_finish_within_the_grace_and_the_program_ends(number: signal.Signals) -> None:
    async with served_elsewhere(600) as (program, stream):
        program.signal(number)
        assert (await within_bound(stream.receive())).text == "draining"
        await stream.send(Note(text="still served"))
        assert (await within_bound(stream.receive())).text == "still served"
        await stream.finish()
        assert await program.exit_code() == 0
        assert program.lines[-1] == "stopped: 1 finished, 0 cancelled"


async def test_after_a_signal_calls_that_outlast_the_grace_are_cancelled() -> None:
    async with served_elsewhere(0.05) as (program, stream):
        program.signal(signal.SIGTERM)
        assert (await within_bound(stream.receive())).text == "draining"
        with pytest.raises(penstock.Unavailable, match="the server is shutting down"):
            await within_bound(stream.receive())
        assert await program.exit_code() == 0
        assert program.lines[-1] == "stopped: 0 finished, 1 cancelled"


async def test_a_second_signal_cuts_the_grace_short_and_the_report_says_what_that_cost() -> None:
    async with served_elsewhere(600) as (program, stream):
        program.signal(signal.SIGTERM)
        assert (await within_bound(stream.receive())).text == "draining"
        program.signal(signal.SIGTERM)
        with pytest.raises(penstock.Unavailable, match="the server is shutting down"):
            await within_bound(stream.receive())
        assert await program.exit_code() == 0
        assert program.lines[-1] == "stopped: 0 finished, 1 cancelled"


async def test_cancelling_serve_stops_the_server_at_once() -> None:
    gate = Gate()
    server = penstock.Server([Echo(both_stream=gate)])
    serving = asyncio.ensure_future(server.serve("127.0.0.1:0", grace=600, handle_signals=False))
    await until(lambda: server.addresses)
    async with penstock.Channel(server.addresses[0]) as channel, EchoClient(channel).both_stream() as stream:
        await gate.entered.wait()
        serving.cancel()
        with pytest.raises(penstock.Unavailable, match="the server is shutting down"):
            await within_bound(stream.receive())
        with pytest.raises(asyncio.CancelledError):
            await within_bound(serving)
        assert server._core.connections == set()


async def test_cancelling_serve_within_its_grace_stops_the_server_at_once_and_leaves_no_task() -> None:
    gate = Gate()
    server = penstock.Server([Echo(both_stream=gate)])
    before = asyncio.all_tasks()
    serving = asyncio.ensure_future(server.serve("127.0.0.1:0", grace=BOUND_SECONDS * 10))
    await until(lambda: server.addresses)
    async with penstock.Channel(server.addresses[0]) as channel, EchoClient(channel).both_stream():
        await gate.entered.wait()
        signal.raise_signal(signal.SIGTERM)
        await within_bound(server._core.draining.wait())
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within_bound(serving)
        assert asyncio.all_tasks() == before
