"""Does a cancellation on one side end the call on the other, and is the handler cleaned up where it ran?"""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest

import penstock
from tests.e2e.support import TINY, Echo, Pair, connected, notes, turns, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

WHO: ContextVar[str] = ContextVar("who", default="nobody")


class Held:
    """A handler that waits for something that never comes, and keeps what ended that."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.left = asyncio.Event()
        self.outcome: BaseException | None = None

    async def __call__(self, request: Note, call: penstock.ServerCall) -> Note:
        del call
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            self.outcome = error
            raise
        finally:
            self.left.set()
        return request


async def test_cancelling_the_task_of_a_unary_call_cancels_its_handler() -> None:
    held = Held()
    async with connected(Echo(unary=held)) as pair:

        async def ask() -> Note:
            return await pair.client.unary(Note())

        task = asyncio.create_task(ask())
        await within_bound(held.entered.wait())
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await within_bound(held.left.wait())
        assert isinstance(held.outcome, asyncio.CancelledError)


async def test_cancel_of_a_unary_call_raises_cancelled_where_it_is_awaited() -> None:
    held = Held()
    async with connected(Echo(unary=held)) as pair:
        call = pair.client.unary(Note())

        async def ask() -> Note:
            return await call

        task = asyncio.create_task(ask())
        await within_bound(held.entered.wait())
        call.cancel()
        with pytest.raises(penstock.Cancelled, match="by this side") as caught:
            await within_bound(task)
        assert caught.value.origin is penstock.Origin.LOCAL
        await within_bound(held.left.wait())


async def test_wait_for_around_a_unary_call_cancels_it() -> None:
    held = Held()
    async with connected(Echo(unary=held)) as pair:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pair.client.unary(Note())
        await within_bound(held.left.wait())


async def test_a_handler_that_receives_learns_that_its_client_left() -> None:
    outcomes: list[BaseException] = []

    async def read(stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            async for _note in stream:
                pass
        except BaseException as error:
            outcomes.append(error)
            raise

    async with connected(Echo(both_stream=read)) as pair:
        async with pair.client.both_stream() as stream:
            await stream.send(Note())
        await until(lambda: outcomes)
        assert isinstance(outcomes[0], penstock.Cancelled)


async def test_messages_sent_before_the_cancellation_are_not_taken_for_a_clean_end() -> None:
    received: list[Note] = []
    outcomes: list[object] = []

    async def read(stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            async for note in stream:
                received.append(note)
            outcomes.append("clean end")
        except penstock.RpcError as error:
            outcomes.append(error.code)
            raise

    async with connected(Echo(both_stream=read)) as pair:
        for _ in range(20):
            async with pair.client.both_stream() as stream:
                await stream.send_many(notes(5))
        await until(lambda: not pair.open_calls()["server"])
        assert set(outcomes) <= {penstock.StatusCode.CANCELLED}


@pytest.mark.parametrize("end", ["break", "deadline", "stop", "lost", "full"])
async def test_a_generator_is_closed_however_its_call_ends(end: str) -> None:
    left = asyncio.Event()

    async def feed(request: Note, stream: penstock.ServerStream[Note, Note]) -> AsyncIterator[Note]:
        del stream
        token = WHO.set("handler")
        try:
            while True:
                yield Note(payload=bytes(300))
                if end != "full":
                    await asyncio.sleep(0)
        finally:
            WHO.reset(token)
            left.set()

    async def use(pair: Pair) -> None:
        async with pair.client.server_stream(Note(), timeout=0.05 if end == "deadline" else None) as stream:
            await stream.receive()
            if end == "break":
                return
            if end == "stop":
                await pair.server.stop(0)
            if end == "lost":
                for connection in list(pair.server._core.connections):
                    connection.abort("the cable was cut")
            if end == "full":
                await until(lambda: next(iter(pair.server._core.connections)).calls)
                await turns(20)
                return
            await until(lambda: stream.status is not None)

    limits = TINY if end in {"full", "deadline"} else None
    async with connected(Echo(server_stream=feed), server_limits=limits, client_limits=limits) as pair:
        await within_bound(use(pair))
        await within_bound(left.wait())


async def test_a_client_may_leave_before_the_handler_began() -> None:
    held = Held()
    async with connected(Echo(unary=held)) as pair:
        await pair.channel.ready(timeout=5)
        for before in range(6):
            call = pair.client.unary(Note())
            task = asyncio.ensure_future(call)
            await turns(before)
            task.cancel()
            await asyncio.wait([task])
        await pair.until_no_call_is_open()


async def test_a_handler_cancelled_from_within_ends_with_cancelled() -> None:
    async def suicidal(request: Note, call: penstock.ServerCall) -> Note:
        del call
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return request

    async with connected(Echo(unary=suicidal)) as pair:
        with pytest.raises(penstock.Cancelled, match="the handler was cancelled") as caught:
            await within_bound(pair.client.unary(Note()))
        assert caught.value.origin is penstock.Origin.REMOTE


async def test_cancel_in_a_handler_ends_the_call_on_both_sides() -> None:
    async def give_up(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send(Note())
        await stream.receive()
        stream.cancel()
        await stream.receive()

    async with connected(Echo(both_stream=give_up)) as pair, pair.client.both_stream() as stream:
        await stream.receive()
        await stream.send(Note())
        with pytest.raises(penstock.Cancelled, match="by the handler") as caught:
            await within_bound(stream.receive())
        assert caught.value.origin is penstock.Origin.REMOTE


async def test_a_handler_that_cancels_its_call_and_returns_has_cancelled_it() -> None:
    async def one(request: Note, call: penstock.ServerCall) -> Note:
        call.cancel()
        return request

    async def many(stream: penstock.ServerStream[Note, Note]) -> None:
        stream.cancel()

    async with connected(Echo(unary=one, both_stream=many)) as pair:
        with pytest.raises(penstock.Cancelled, match="by the handler"):
            await within_bound(pair.client.unary(Note()))
        async with pair.client.both_stream() as stream:
            with pytest.raises(penstock.Cancelled, match="by the handler"):
                await within_bound(stream.receive())


async def test_a_handler_gets_to_clean_up_before_it_is_released() -> None:
    done = []

    async def tidy(stream: penstock.ServerStream[Note, Note]) -> None:
        try:
            await stream.receive()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            done.append(True)

    async with connected(Echo(both_stream=tidy)) as pair:
        async with pair.client.both_stream() as stream:
            await until(lambda: pair.open_calls()["server"])
            del stream
        await pair.until_no_call_is_open()
        assert done == [True]


async def test_a_task_group_in_a_handler_ends_with_the_call() -> None:
    ended = []

    async def child(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async def group(stream: penstock.ServerStream[Note, Note]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child("one"))
            tasks.create_task(child("two"))
            await stream.receive()

    async with connected(Echo(both_stream=group)) as pair:
        async with pair.client.both_stream() as stream:
            await until(lambda: pair.open_calls()["server"])
            del stream
        await until(lambda: len(ended) == 2)
