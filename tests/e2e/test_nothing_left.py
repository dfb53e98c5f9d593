"""What is left of calls that are over? Nothing, on either side, and without the garbage collector."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Never

import pytest

import penstock
from tests.e2e.child import running
from tests.e2e.support import TINY, Echo, Pair, connected, fill_up, turns, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

CALLS = 2000


async def endless(request: Note, stream: "penstock.ServerStream[Never, Note]") -> None:
    del request
    while True:
        await stream.send(Note(text="more"))


async def asleep(stream: penstock.Stream[Note, Note]) -> None:
    del stream
    await asyncio.Event().wait()


async def test_thousands_of_cancelled_streams_leave_nothing_and_spare_the_connection() -> None:
    async with connected(Echo(server_stream=endless), server_limits=TINY, client_limits=TINY) as pair:
        for number in range(CALLS):
            async with pair.client.server_stream(Note(), timeout=3600) as stream:
                if number % 2:
                    await stream.receive()
        await pair.until_no_call_is_open()
        assert len(pair.server._core.connections) == 1
        assert (await within_bound(pair.client.unary(Note(number=1)))).number == 1


async def test_thousands_of_streams_cancelled_at_once_leave_nothing() -> None:
    async with connected(Echo(both_stream=asleep)) as pair:

        async def hold() -> None:
            async with pair.client.both_stream(timeout=3600) as stream:
                await stream.send(Note(payload=bytes(100)))
                await stream.receive()

        holding = [asyncio.ensure_future(hold()) for _ in range(CALLS)]
        most = penstock.Limits().max_concurrent_streams
        await until(lambda: pair.open_calls()["server"] == most)
        for task in holding:
            task.cancel()
        await asyncio.wait(holding)
        assert all(task.cancelled() for task in holding)
        await pair.until_no_call_is_open()
        assert len(pair.server._core.connections) == 1
        assert (await within_bound(pair.client.unary(Note(number=1)))).number == 1


async def test_thousands_of_missed_deadlines_leave_nothing() -> None:
    async with connected(Echo(both_stream=asleep)) as pair:

        async def miss() -> None:
            with pytest.raises(penstock.DeadlineExceeded):
                async with pair.client.both_stream(timeout=0.1) as stream:
                    await stream.receive()

        await within_bound(asyncio.gather(*[miss() for _ in range(CALLS)]))
        await pair.until_no_call_is_open()


# Each way to end a call. Afterwards its objects must be gone at once: nothing may wait for a garbage collection.


async def answered(pair: Pair) -> None:
    await pair.client.unary(Note(), timeout=60)


async def unary_cancelled(pair: Pair) -> None:
    call = asyncio.ensure_future(pair.client.unary(Note(text="sleep"), timeout=60))
    await until(lambda: pair.open_calls()["server"])
    call.cancel()
    await asyncio.wait([call])


async def unary_missed_its_deadline(pair: Pair) -> None:
    try:
        await pair.client.unary(Note(text="sleep"), timeout=0.01)
    except penstock.DeadlineExceeded:
        return
    pytest.fail("it was in time")


async def unary_refused(pair: Pair) -> None:
    try:
        await pair.client.unary(Note(text="refuse"))
    except penstock.RpcError:
        return
    pytest.fail("it was answered")


async def read_to_the_end(pair: Pair) -> None:
    async with pair.client.server_stream(Note(number=3)) as stream:
        async for _ in stream:
            pass


async def received_to_the_end(pair: Pair) -> None:
    async with pair.client.server_stream(Note(number=3)) as stream:
        for _ in range(3):
            await stream.receive()
        try:
            await stream.receive()
        except penstock.EndOfStream:
            return


async def left_in_the_middle(pair: Pair) -> None:
    async with pair.client.server_stream(Note(number=1_000_000)) as stream:
        async for _ in stream:
            break


async def left_with_an_error(pair: Pair) -> None:
    try:
        async with pair.client.both_stream() as stream:
            await stream.send(Note())
            await stream.receive()
            await _fail()
    except LookupError:
        return


async def _fail() -> None:
    raise LookupError


async def uploaded(pair: Pair) -> None:
    async with pair.client.client_stream() as stream:
        await stream.send_many([Note()] * 10)
        await stream.finish()


async def talked_both_ways(pair: Pair) -> None:
    async with pair.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        await stream.end_sending()
        async for _ in stream:
            pass


async def cancelled_while_receiving(pair: Pair) -> None:
    async with pair.client.both_stream() as stream:
        receiving = asyncio.ensure_future(stream.receive())
        await turns(3)
        receiving.cancel()
        await asyncio.wait([receiving])


async def cancelled_while_sending(pair: Pair) -> None:
    async with pair.client.client_stream(metadata={"wait": "yes"}) as stream:
        await fill_up(stream)
        sending = asyncio.ensure_future(stream.send(Note(payload=bytes(512))))
        await turns(3)
        sending.cancel()
        await asyncio.wait([sending])
        stream.cancel()


async def missed_its_deadline_while_receiving(pair: Pair) -> None:
    async with pair.client.both_stream(timeout=0.01) as stream:
        try:
            await stream.receive()
        except penstock.DeadlineExceeded:
            return


async def lost_its_connection(pair: Pair) -> None:
    async with pair.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        for connection in list(pair.server._core.connections):
            connection.abort("lost")
        try:
            await stream.receive()
        except penstock.Unavailable:
            return


async def sleep_refuse_or_answer(request: Note, call: penstock.ServerCall) -> Note:
    del call
    if request.text == "sleep":
        await asyncio.Event().wait()
    if request.text == "refuse":
        raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "no")
    return request


async def count_or_wait(stream: "penstock.ServerStream[Note, Never]") -> Note:
    if "wait" in stream.metadata:
        await asyncio.Event().wait()
    count = 0
    async for _ in stream:
        count += 1
    return Note(number=count)


WAYS: list[Callable[[Pair], Awaitable[None]]] = [
    answered,
    unary_cancelled,
    unary_missed_its_deadline,
    unary_refused,
    read_to_the_end,
    received_to_the_end,
    left_in_the_middle,
    left_with_an_error,
    uploaded,
    talked_both_ways,
    cancelled_while_receiving,
    cancelled_while_sending,
    missed_its_deadline_while_receiving,
    lost_its_connection,
]


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """Let only reference counts free objects."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def streams_alive() -> int:
    """Count the calls there are, of both sides, without collecting garbage."""
    return sum(isinstance(thing, penstock.Stream) for thing in gc.get_objects())


@asynccontextmanager
async def pair_for_all_ways() -> AsyncIterator[Pair]:
    service = Echo(unary=sleep_refuse_or_answer, client_stream=count_or_wait)
    async with connected(service, server_limits=TINY, client_limits=TINY) as pair:
        await pair.channel.ready()
        yield pair


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("end", WAYS)
async def test_calls_that_were(end: Callable[[Pair], Awaitable[None]]) -> None:
    before = streams_alive()
    async with pair_for_all_ways() as pair:
        for _ in range(3):
            await within_bound(end(pair))
            await pair.until_no_call_is_open()
        await turns(5)  # tasks that have ended are let go by the loop
        assert streams_alive() == before


async def test_a_peer_that_is_killed_ends_its_calls_in_their_handlers() -> None:
    outcomes: list[BaseException | None] = []

    async def until_it_ends(stream: "penstock.ServerStream[Note, Note]") -> None:
        try:
            async for note in stream:
                await stream.send(note)
        except BaseException as error:
            outcomes.append(error.with_traceback(None))
            raise
        outcomes.append(None)

    async with connected(Echo(both_stream=until_it_ends)) as pair, running("calling", pair.address, "20") as client:
        await client.line_with("open")
        assert pair.open_calls()["server"] == 20
        client.signal(signal.SIGKILL)
        assert await client.exit_code() == -signal.SIGKILL
        await pair.until_no_call_is_open()
        assert {type(outcome) for outcome in outcomes} == {penstock.Cancelled}
        assert len(outcomes) == 20
        assert not pair.server._core.connections
        outcomes.clear()


async def test_a_server_that_is_killed_ends_the_calls_of_its_clients() -> None:
    async with running("serving", "600") as program:
        address = (await program.line_with("listening on ")).removeprefix("listening on ")
        async with penstock.Channel(address) as channel:
            calls = [channel.stream("/penstock.test.echo.Echo/BothStream") for _ in range(20)]

            async def hold(call: penstock.BothStreamCall[bytes, bytes]) -> str:
                async with call:
                    await call.receive()
                    ready.release()
                    try:
                        await call.receive()
                    except penstock.Unavailable as error:
                        return error.message
                return "it went on"

            ready = asyncio.Semaphore(0)
            holding = [asyncio.ensure_future(hold(call)) for call in calls]
            for _ in calls:
                await within_bound(ready.acquire())
            program.signal(signal.SIGKILL)
            messages = await within_bound(asyncio.gather(*holding))
            assert messages == ["connection lost: the peer closed it"] * 20
            assert channel.state is penstock.ChannelState.IDLE
            assert channel._connector is not None
            assert not channel._connector.connections
