"""Can one process have several event loops, each with servers and channels of its own?"""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import uvloop

import penstock
from tests.e2e.support import BOUND_SECONDS, Echo, connected, notes, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

loops = pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS)


def run(new_loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)


async def answered(client: EchoClient, count: int) -> int:
    """Make calls of two kinds at once; count the replies that are right."""
    sent = notes(count)
    replies = await asyncio.gather(*[client.unary(note, timeout=BOUND_SECONDS) for note in sent])
    right = sum(reply == note for reply, note in zip(replies, sent, strict=True))
    async with client.both_stream(timeout=BOUND_SECONDS) as stream, asyncio.TaskGroup() as group:
        group.create_task(_send_all(stream, sent))
        received = [note async for note in stream]
    return right + sum(reply == note for reply, note in zip(received, sent, strict=True))


async def _send_all(stream: "penstock.BothStreamCall[Note, Note]", sent: list[Note]) -> None:
    await stream.send_many(sent)
    await stream.end_sending()


def test_loops_in_threads_each_serve_and_call_without_disturbing_each_other() -> None:
    async def serve_and_call(_number: int) -> int:
        async with connected() as pair:
            return await answered(pair.client, 1000)

    factories = [*LOOPS.values()] * 2
    with ThreadPoolExecutor(len(factories)) as pool:
        running = [pool.submit(run, factory, serve_and_call(n)) for n, factory in enumerate(factories)]
        assert [each.result(BOUND_SECONDS) for each in running] == [2000] * len(factories)


@loops
def test_a_loop_can_call_a_server_in_the_loop_of_another_thread(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    addresses: queue.Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        done = asyncio.Event()
        async with penstock.Server([Echo()]).listening("127.0.0.1:0") as address:
            addresses.put((address, asyncio.get_running_loop(), done))
            await done.wait()

    async def call(address: str) -> int:
        async with penstock.Channel(address) as channel:
            return await answered(EchoClient(channel), 1000)

    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(run, new_loop, serve())
        address, loop, done = addresses.get(timeout=BOUND_SECONDS)
        try:
            assert run(new_loop, call(address)) == 2000
        finally:
            loop.call_soon_threadsafe(done.set)
        serving.result(BOUND_SECONDS)


@loops
@pytest.mark.parametrize("connect_first", [True, False])
def test_a_channel_of_one_loop_refuses_calls_from_another(
    new_loop: Callable[[], asyncio.AbstractEventLoop], connect_first: bool
) -> None:
    async def call(channel: penstock.Channel) -> None:
        client = EchoClient(channel)
        for _ in range(2):
            with pytest.raises(penstock.UsageError, match="this channel belongs to another event loop"):
                await client.unary(Note(), timeout=1)
            with pytest.raises(penstock.UsageError, match="this channel belongs to another event loop"):
                async with client.both_stream(timeout=1):
                    pytest.fail("the block was entered")

    async def main() -> None:
        async with connected() as pair:
            if connect_first:
                await pair.client.unary(Note())
            else:
                pair.channel._connector_here()
            await asyncio.to_thread(run, new_loop, call(pair.channel))
            assert (await within_bound(pair.client.unary(Note(number=1)))).number == 1

    run(new_loop, main())


@loops
def test_one_server_can_listen_in_one_loop_after_another(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def wait_for_drain(stream: "penstock.ServerStream[Note, Note]") -> None:
        await stream.send(Note())
        await stream.draining.wait()

    server = penstock.Server([Echo(both_stream=wait_for_drain)])

    async def serve_once() -> None:
        async with server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
            client = EchoClient(channel)
            # Deadlines and draining are of the loop, too.
            async with client.both_stream(timeout=0.05) as late:
                await late.receive()
                with pytest.raises(penstock.DeadlineExceeded):
                    await within_bound(late.receive())
            async with client.both_stream() as stream:
                await stream.receive()
                await until(lambda: sum(len(connection.calls) for connection in server._core.connections) == 1)
                report = await within_bound(server.stop(grace=BOUND_SECONDS))
                assert (report.finished, report.cancelled) == (1, ())

    for _ in range(3):
        run(new_loop, serve_once())


def test_a_server_in_a_thread_can_be_stopped_from_the_main_thread() -> None:
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def serve() -> None:
        server = penstock.Server([Echo()])
        serving = asyncio.ensure_future(server.serve("127.0.0.1:0", handle_signals=False))
        await until(lambda: server.addresses)
        started.set_result((server.addresses[0], asyncio.get_running_loop(), serving))
        with pytest.raises(asyncio.CancelledError):
            await serving

    async def call(address: str) -> int:
        async with penstock.Channel(address) as channel:
            return (await EchoClient(channel).unary(Note(number=8), timeout=BOUND_SECONDS)).number

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    address, loop, serving = started.result(BOUND_SECONDS)
    assert asyncio.run(call(address)) == 8
    loop.call_soon_threadsafe(serving.cancel)
    thread.join(BOUND_SECONDS)
    assert not thread.is_alive()
