"""What tasks do at the end of a read: awaiting the engine, being woken by it, beginning because of it."""

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from penstock import _engine

pytestmark = pytest.mark.loops

PLACE = contextvars.ContextVar("place", default="nowhere")


@contextmanager
def reading() -> Iterator[None]:
    """A read, as a transport has it."""
    assert _engine.reading_begins()
    try:
        yield
    finally:
        _engine.reading_ends()


async def in_the_loop(callback: Callable[[], None]) -> None:
    """Run a callback of the loop, outside of any task, and wait until it is done."""
    done = asyncio.Event()

    def run() -> None:
        try:
            callback()
        finally:
            done.set()

    asyncio.get_running_loop().call_soon(run)
    await done.wait()


async def waiting(waiter: _engine.Waiter) -> asyncio.Task[None]:
    """A task that waits for it."""

    async def wait() -> None:
        await waiter

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    return task


def new_waiter() -> _engine.Waiter:
    return _engine.Waiter(asyncio.get_running_loop())


async def test_within_a_read_who_is_woken_goes_on_at_its_end() -> None:
    waiter = new_waiter()
    task = await waiting(waiter)
    seen: list[bool] = []

    def read() -> None:
        with reading():
            waiter.set_result(None)
            seen.append(task.done())
        seen.append(task.done())

    await in_the_loop(read)
    assert seen == [False, True]
    assert asyncio.isfuture(waiter)


async def test_elsewhere_who_is_woken_goes_on_in_the_next_turn() -> None:
    waiter = new_waiter()
    task = await waiting(waiter)
    seen: list[bool] = []

    def wake() -> None:
        waiter.set_result(None)
        waiter.set_result(None)  # harmless
        seen.append(task.done())

    await in_the_loop(wake)
    await task
    assert seen == [False]


async def test_within_a_task_nothing_is_gathered() -> None:
    assert not _engine.reading_begins()


async def test_within_a_read_there_is_no_other() -> None:
    seen: list[bool] = []

    def read() -> None:
        with reading():
            seen.append(_engine.reading_begins())

    await in_the_loop(read)
    assert seen == [False]


async def test_who_is_woken_by_a_step_goes_on_in_the_next_turn() -> None:
    first, second = new_waiter(), new_waiter()
    done: list[str] = []

    async def one() -> None:
        await first
        second.set_result(None)
        done.append("one")

    async def other() -> None:
        await second
        done.append("other")

    tasks = [asyncio.create_task(one()), asyncio.create_task(other())]
    await asyncio.sleep(0)
    seen: list[list[str]] = []

    def read() -> None:
        with reading():
            first.set_result(None)
        seen.append(done.copy())

    await in_the_loop(read)
    await asyncio.gather(*tasks)
    assert seen == [["one"]]
    assert done == ["one", "other"]


async def test_what_is_done_before_it_is_awaited_need_not_be_waited_for() -> None:
    waiter = new_waiter()
    with pytest.raises(asyncio.InvalidStateError):
        waiter.result()
    waiter.set_result(None)
    assert waiter.done()
    await waiter
    assert not waiter.cancel()


async def test_a_task_that_is_cancelled_says_why() -> None:
    waiter = new_waiter()
    task = await waiting(waiter)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    assert waiter.cancelled()
    waiter.set_result(None)  # harmless
    assert waiter.cancelled()


async def test_a_task_that_is_woken_and_cancelled_in_one_read_is_cancelled() -> None:
    waiter = new_waiter()
    task = await waiting(waiter)

    def read() -> None:
        with reading():
            waiter.set_result(None)
            task.cancel()

    await in_the_loop(read)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not waiter.cancelled()


async def test_a_step_may_cancel_the_next_one() -> None:
    first, second = new_waiter(), new_waiter()
    tasks: list[asyncio.Task[None]] = []

    async def one() -> None:
        await first
        tasks[0].cancel()

    ending = asyncio.create_task(one())
    tasks.append(await waiting(second))

    def read() -> None:
        with reading():
            first.set_result(None)
            second.set_result(None)

    await in_the_loop(read)
    await ending
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_a_step_that_fails_is_a_matter_of_its_task() -> None:
    first, second = new_waiter(), new_waiter()

    async def fail() -> None:
        await first
        raise LookupError

    failing, other = asyncio.create_task(fail()), await waiting(second)

    def read() -> None:
        with reading():
            first.set_result(None)
            second.set_result(None)

    await in_the_loop(read)
    with pytest.raises(LookupError):
        await failing
    await other


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_loop_ends_it(kind: type[BaseException], request: pytest.FixtureRequest) -> None:
    async def leave(waiter: _engine.Waiter) -> None:
        await waiter
        raise kind("mine")

    async def main() -> None:
        waiter = new_waiter()
        leaving = asyncio.create_task(leave(waiter))
        await asyncio.sleep(0)

        def read() -> None:
            with reading():
                waiter.set_result(None)

        await in_the_loop(read)
        await asyncio.Event().wait()
        del leaving

    factory = __import__("uvloop").new_event_loop if "uvloop" in request.node.name else None
    with asyncio.Runner(loop_factory=factory) as runner, pytest.raises(kind, match="mine"):
        runner.run(main())


async def test_a_waiter_that_nobody_wakes_is_collected_with_its_task() -> None:
    seen: list[weakref.ref[asyncio.Task[None]]] = []

    async def forgotten() -> None:
        waiter = new_waiter()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        raise asyncio.CancelledError

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # it says that a task was destroyed
    task = asyncio.create_task(forgotten())
    await asyncio.sleep(0)
    seen.append(weakref.ref(task))
    del task
    gc.collect()
    assert seen[0]() is None
    loop.set_exception_handler(None)


# Tasks that begin.


async def begun(read: bool, factory: Any = None) -> tuple[list[str], asyncio.Task[str]]:
    """What was done when the callback that made a task was over, and the task."""
    done: list[str] = []
    tasks: list[asyncio.Task[str]] = []
    loop = asyncio.get_running_loop()

    async def work() -> str:
        task = asyncio.current_task()
        assert task is tasks[0]
        done.append(task.get_name())
        PLACE.set("in the task")
        await asyncio.sleep(0)
        return PLACE.get()

    def make() -> None:
        tasks.append(_engine.begin_task(loop, work(), "worker"))
        assert done == []

    def callback() -> None:
        if read:
            with reading():
                make()
        else:
            make()
        done.append("the callback")

    loop.set_task_factory(factory)
    try:
        await in_the_loop(callback)
    finally:
        loop.set_task_factory(None)
    return done, tasks[0]


def own_factory(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any) -> Any:
    return asyncio.Task(coroutine, loop=loop, **options)


@pytest.mark.parametrize("factory", [None, own_factory])
@pytest.mark.parametrize("read", [False, True])
async def test_a_task_begins_at_the_end_of_a_read_or_in_the_next_turn(read: bool, factory: Any) -> None:
    done, task = await begun(read, factory)
    assert done == (["worker", "the callback"] if read else ["the callback", "worker"])
    assert await task == "in the task"
    assert PLACE.get() == "nowhere"
    assert asyncio.get_running_loop().call_soon.__self__ is asyncio.get_running_loop()  # type: ignore[attr-defined]


async def test_a_task_that_is_cancelled_before_its_first_step_never_begins() -> None:
    loop, began = asyncio.get_running_loop(), []
    tasks: list[asyncio.Task[None]] = []

    async def work() -> None:
        began.append(True)

    def read() -> None:
        with reading():
            tasks.append(_engine.begin_task(loop, work(), "worker"))
            tasks[0].cancel()

    await in_the_loop(read)
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert not began


async def test_what_else_is_asked_of_the_loop_meanwhile_is_done() -> None:
    loop, called = asyncio.get_running_loop(), asyncio.Event()

    async def work() -> None:
        pass

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any) -> Any:
        loop.call_soon(lambda text: called.set() if text == "as a finalizer may" else None, "as a finalizer may")
        return own_factory(loop, coroutine, **options)

    def read() -> None:
        with reading():
            _engine.begin_task(loop, work(), "worker")

    given: Any = factory
    loop.set_task_factory(given)
    await in_the_loop(read)
    loop.set_task_factory(None)
    await called.wait()


async def test_what_a_program_has_put_in_place_of_call_soon_stays_there() -> None:
    loop: Any = asyncio.get_running_loop()

    def own(*arguments: Any, **options: Any) -> asyncio.Handle:
        handle: asyncio.Handle = type(loop).call_soon(loop, *arguments, **options)
        return handle

    loop.call_soon = own
    try:
        done, task = await begun(True)
        assert loop.call_soon is own
    finally:
        del loop.call_soon
    assert done == ["worker", "the callback"]
    await task


def test_a_factory_that_fails_leaves_the_loop_as_it_was() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def work() -> None:
            pass

        def fail(_loop: Any, coroutine: Any, **_options: Any) -> Any:
            coroutine.close()
            raise LookupError

        def read() -> None:
            with reading(), pytest.raises(LookupError):
                _engine.begin_task(loop, work(), "worker")

        loop.set_task_factory(fail)
        try:
            await in_the_loop(read)
        finally:
            loop.set_task_factory(None)

    asyncio.run(main())
