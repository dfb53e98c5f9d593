"""What must end with its event loop."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from penstock import End, Limits, Server, ServerStream
from penstock._client_connection import ClientConnection
from penstock._loop_end import Sentinel, unwatch, watch
from penstock._transport import Transport
from penstock.testing import MemoryChannel, settle
from tests.unit.memory import attach, connected

both_loops = pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
NewLoop = Callable[[], asyncio.AbstractEventLoop]


@both_loops
def test_the_end_of_the_loop_is_told_once(new_loop: NewLoop) -> None:
    told: list[bool] = []

    async def main() -> object:
        return watch(lambda: told.append(True))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        watching = runner.run(main())
        assert told == []
    assert told == [True]
    del watching
    gc.collect()
    assert told == [True]


@both_loops
def test_what_ended_before_is_not_told(new_loop: NewLoop) -> None:
    told: list[bool] = []

    async def main() -> object:
        watching = watch(lambda: told.append(True))
        unwatch(watching)
        unwatch(watching)
        return watching

    with asyncio.Runner(loop_factory=new_loop) as runner:
        watching = runner.run(main())
    del watching
    gc.collect()
    assert told == []


async def test_what_is_told_is_not_held_after_it_ended() -> None:
    class Ending:
        def end(self) -> None: ...

    ending = Ending()
    alive = weakref.ref(ending)
    watching = watch(ending.end)
    del ending
    assert alive() is not None
    unwatch(watching)
    assert alive() is None
    assert len(asyncio.all_tasks()) == 1  # no task was needed for any of it


@both_loops
def test_calls_end_with_their_loop_on_both_sides(new_loop: NewLoop) -> None:
    """Nobody closes the channel, stops the server or leaves the block."""
    kept: list[Any] = []

    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        kept.append(stream)
        await stream.receive()

    async def main() -> None:
        channel = MemoryChannel(Server([], fallback=handler))
        call = channel.stream("/test.Service/Method")
        await call.__aenter__()
        await settle()
        kept.extend([call, channel])

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    at_server, at_client, channel = kept
    assert at_server.end is End.TASK_CANCELLED  # `asyncio.run` does that first
    assert at_client.end is End.RAISED
    assert all(wire.is_closing() for wire in channel.links[-1])


@both_loops
def test_a_client_whose_server_is_elsewhere_ends_with_its_loop(new_loop: NewLoop) -> None:
    kept: list[Any] = []

    async def main() -> None:
        connection = ClientConnection(Limits(), asyncio.get_running_loop(), "host:1")
        attach(connection)
        kept.append(connection)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    [connection] = kept
    assert connection.reason == "the event loop has ended"
    assert connection.end_of_calls is End.EXITED
    assert connection.ended.done()


async def test_connections_stop_watching_when_they_close() -> None:
    async with connected() as channel:
        await channel.ready()
        near, far = (wire.get_protocol() for wire in channel.links[-1])
        assert isinstance(near, Transport)
        assert isinstance(far, Transport)
        assert near._watching_loop is not None
        assert far._watching_loop is not None
    assert near._watching_loop is None
    assert far._watching_loop is None


@both_loops
def test_a_sentinel_is_told_when_all_tasks_are_cancelled_and_the_loop_waits_for_it(new_loop: NewLoop) -> None:
    told: list[str] = []

    async def on_end() -> None:
        told.append("begins")
        await asyncio.sleep(0)
        await sentinels[0].leave()  # as `stop` does, which it calls: it does not wait for itself
        told.append("ends")

    sentinels: list[Sentinel] = []

    async def main() -> None:
        sentinels.append(Sentinel("of a test", on_end))
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
        assert told == []
    assert told == ["begins", "ends"]


async def test_a_sentinel_that_left_is_gone_and_was_not_told() -> None:
    told: list[bool] = []

    async def on_end() -> None:
        told.append(True)

    sentinel = Sentinel("of a test", on_end)
    assert len(asyncio.all_tasks()) == 2
    await sentinel.leave()
    await sentinel.leave()
    assert len(asyncio.all_tasks()) == 1
    assert told == []


async def test_a_server_that_stopped_leaves_no_task() -> None:
    server = Server([], fallback=lambda stream: stream)
    async with server.listening("127.0.0.1:0") as address:
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert [name for name in names if name.startswith("penstock: ")] == ["penstock: server on 127.0.0.1:0"]
        assert address
    assert len(asyncio.all_tasks()) == 1
